"""OpenLineage 2-0-2: whether a document is an event of it, by the official schemas.

Facets are checked by their own schemas where those are kept here (`schemas/openlineage`), and
else as the standard asks of any facet. Not here: making events (`mesh.observe.openlineage`), and
what they mean for ports (`observed`).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

__all__ = ["SPEC", "event_faults", "facet_schema"]

SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json"
# jsonschema's own types are anything or unset.
Validator: TypeAlias = Any
KINDS = ("RunEvent", "JobEvent", "DatasetEvent")
MOST_FAULTS = 5
LONGEST_FAULT = 300


def event_faults(document: object) -> list[str]:
    """Why *document* is no OpenLineage event, at most a few reasons; none if it is one."""
    if not isinstance(document, dict):
        return ["an event is a JSON object"]
    found: list[str] = []
    for fault in faults_of(document):
        found.append(fault)
        if len(found) == MOST_FAULTS:
            break
    return found


def faults_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Every reason."""
    kind = kind_of(document)
    errors = [*validator(f"{SPEC}#/$defs/{kind}").iter_errors(document)]
    yield from (explained(each) for each in errors)
    if errors:
        return
    yield from form_faults(document)
    for where, facet in facets_of(document):
        known = by_url().get(str(facet.get("_schemaURL")).partition("#")[0])
        if known is not None:
            name = where.rpartition(".")[2]
            for each in validator(known).iter_errors({name: facet}):
                yield f"{where.rpartition('.')[0]}: {explained(each)}"


def kind_of(document: Mapping[str, Any]) -> str:
    """Which event it is meant to be: by its `schemaURL`, or by what it has."""
    named = str(document.get("schemaURL", "")).rpartition("/")[2]
    if named in KINDS:
        return named
    if "dataset" in document:
        return "DatasetEvent"
    return "JobEvent" if "job" in document and "run" not in document else "RunEvent"


def form_faults(document: Mapping[str, Any]) -> Iterator[str]:
    """What the schema says by `format`, which a validator need not look at."""
    try:
        if datetime.fromisoformat(document["eventTime"]).tzinfo is None:
            yield "eventTime: it has no time zone"
    except ValueError:
        yield "eventTime: it is no instant as in 2026-01-31T12:00:00Z"
    run = document.get("run")
    if run is not None:
        try:
            uuid.UUID(run["runId"])
        except ValueError:
            yield "run.runId: it is no UUID"


def facets_of(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every facet with where it stands."""
    parts = [(name, document.get(name) or {}) for name in ("run", "job", "dataset")]
    for side in ("inputs", "outputs"):
        parts += [(f"{side}[{n}]", each) for n, each in enumerate(document.get(side) or ())]
    for where, part in parts:
        for group in ("facets", "inputFacets", "outputFacets"):
            for name, facet in (part.get(group) or {}).items():
                yield f"{where}.{group}.{name}", facet


def explained(error: Any) -> str:
    """One error of the schema check in a line; of a single alternative, what is wrong in it."""
    while error.context and len({each.schema_path[0] for each in error.context}) == 1:
        error = error.context[0]
    where = ".".join(str(each) for each in error.absolute_path)
    reason = " ".join(str(error.message).split())[:LONGEST_FAULT]
    return f"{where}: {reason}" if where else reason


def facet_schema(name: str) -> str:
    """The address of the schema of a facet that is kept here, as a facet names it."""
    found = next(key for key in by_url() if key.endswith(f"/{name}.json"))
    return f"{found}#/$defs/{name}"


@cache
def by_url() -> dict[str, str]:
    """The addresses of the facets' schemas that are kept here."""
    return {each: each for each in contents() if "/facets/" in each}


@cache
def contents() -> dict[str, Any]:
    """The official schemas by their addresses."""
    folder = resources.files("mesh.contract").joinpath("schemas/openlineage")
    found = [json.loads(each.read_text("utf-8")) for each in folder.iterdir()]
    return {each["$id"]: each for each in found}


@cache
def validator(url: str) -> Validator:
    """A validator of one schema, or of a part of it; nothing is fetched."""
    from jsonschema import Draft202012Validator
    from referencing import Registry, Resource

    resources_ = [(url, Resource.from_contents(each)) for url, each in contents().items()]
    return Draft202012Validator({"$ref": url}, registry=Registry().with_resources(resources_))
