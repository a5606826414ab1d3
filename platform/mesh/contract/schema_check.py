"""Checks a YAML file against a JSON schema and says each fault with its line and remedy.

Not here: what our own mesh asks beyond the standards (`odcs`, `odps`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, TypeAlias

from mesh.contract.faults import Fault
from mesh.contract.names import listed, nearest, shown
from mesh.contract.yamlfile import YamlFile, YamlPath

# jsonschema types the parts of an error as "anything or unset", which no check can narrow.
ValidationError: TypeAlias = Any
Validator: TypeAlias = Any

__all__ = ["schema_faults"]

_TYPE_WORDS = {
    "string": ("text", "write text, in quotes where it looks like a number"),
    "integer": ("a whole number", "write a whole number, without quotes"),
    "number": ("a number", "write a number, without quotes"),
    "boolean": ("true or false", "write true or false, without quotes"),
    "array": ("a list", "write one `- …` line an element"),
    "object": ("a mapping", "write `key: value` lines"),
    "null": ("empty", "leave it empty"),
}


def schema_faults(file: YamlFile, schema: str) -> list[Fault]:
    """Return every fault of *file* against the JSON schema called *schema*, in line order."""
    if is_accepted(schema, file.document):
        return []
    validator = validator_of(schema)
    errors = list(validator.iter_errors(file.document))
    found: dict[tuple[int, str], Fault] = {}  # two keywords may name one and the same key
    for error in errors:
        for where, problem, remedy in _explained(error, validator, errors):
            line = file.line_of(where)
            fault = Fault(path=file.path, line=line, problem=problem, remedy=remedy, rule="schema")
            found.setdefault((line, problem), fault)
    return sorted(found.values(), key=lambda fault: fault.line)


def is_accepted(schema: str, document: object) -> bool:
    """Whether the fast validator finds no fault; what it cannot read the other one explains."""
    try:
        return bool(judge_of(schema).is_valid(document))
    except ValueError:  # a number of more digits than it can hold
        return False


@cache
def judge_of(name: str) -> Validator:
    # Two hundred times as fast as the one below, whose errors are what we can explain.
    from jsonschema_rs import Draft201909Validator

    return Draft201909Validator(schema_of(name))


@cache
def validator_of(name: str) -> Validator:
    from jsonschema import Draft201909Validator

    return Draft201909Validator(schema_of(name))


def schema_of(name: str) -> Any:
    text = resources.files("mesh.contract").joinpath(f"schemas/{name}.schema.json").read_text()
    return json.loads(text)


def _explained(
    error: ValidationError, validator: Validator, errors: list[ValidationError]
) -> Iterator[tuple[YamlPath, str, str]]:
    """Yield place, problem and remedy of what one error of the schema check says."""
    where: YamlPath = tuple(error.absolute_path)
    name = _name(where, error.instance)
    keyword, wanted = str(error.validator), error.validator_value
    if keyword in ("additionalProperties", "unevaluatedProperties"):
        yield from _unknown_keys(error, validator, errors)
    elif keyword == "required":
        for key in wanted:
            if key not in error.instance:
                yield where, f"`{key}` is missing{_of(where)}", f"add `{key}:` here"
    elif keyword == "enum":
        near = nearest(str(error.instance), [str(one) for one in wanted])
        hint = f"did you mean {near}? " if near else ""
        yield where, f"{name} is {shown(error.instance)}", f"{hint}write one of {listed(wanted)}"
    elif keyword == "type":
        kind = wanted if isinstance(wanted, str) else wanted[0]
        word, remedy = _TYPE_WORDS[kind]
        yield where, f"{name} is {shown(error.instance)}, not {word}", remedy
    elif keyword in ("oneOf", "anyOf"):
        yield from _alternatives(error, validator, errors)
    elif keyword == "pattern":
        yield where, f"{name} is {shown(error.instance)}", f"write it in the form {wanted}"
    else:
        reason = " ".join(error.message.split())[:160]
        yield where, f"{name}: {reason}", f"the schema asks for {keyword} {shown(wanted)}"


def _unknown_keys(
    error: ValidationError, validator: Validator, errors: list[ValidationError]
) -> Iterator[tuple[YamlPath, str, str]]:
    where: YamlPath = tuple(error.absolute_path)
    known = _known_keys(error.schema, validator.schema)
    unknown = [key for key in error.instance if key not in known]
    for key in unknown:
        near = nearest(str(key), known)
        remedy = f"did you mean `{near}`?" if near else f"known keys: {listed(sorted(known))}"
        yield (*where, key), f"`{key}` is not a key{_of(where)}", remedy
    # A key that the standard knows counts as unevaluated too when its value is wrong, which
    # another error then says, or when it belongs to another type than the one chosen.
    if not unknown and not _has_other_errors(where, error, errors):
        evaluated = _always_known_keys(error.schema, validator.schema)
        for key in (key for key in error.instance if key not in evaluated):
            yield (*where, key), f"`{key}` does not fit the type{_of(where)}", "remove it"


def _has_other_errors(
    where: YamlPath, error: ValidationError, errors: list[ValidationError]
) -> bool:
    below = (one for one in errors if tuple(one.absolute_path)[: len(where)] == where)
    return any(one is not error for one in below)


def _alternatives(
    error: ValidationError, validator: Validator, errors: list[ValidationError]
) -> Iterator[tuple[YamlPath, str, str]]:
    """Explain a failed choice by the alternative that was meant, as far as one can tell."""
    where: YamlPath = tuple(error.absolute_path)
    branches: dict[object, list[ValidationError]] = {}
    for one in error.context or []:
        branches.setdefault(one.schema_path[0], []).append(one)
    name = _name(where, error.instance)
    if not isinstance(error.instance, Mapping) and not branches:
        return  # another error says what it should be
    if not branches:
        keys = [next(iter(one.get("required", [])), "") for one in error.validator_value]
        given = [key for key in keys if key and key in error.instance]
        yield where, f"{listed(given)} exclude one another{_of(where)}", "keep one of them"
        return
    if all(one.validator == "required" for found in branches.values() for one in found):
        keys = [key for found in branches.values() for one in found for key in one.validator_value]
        yield where, f"a key is missing{_of(where)}", f"add one of {listed(keys)}"
        return
    likely = [
        found
        for found in branches.values()
        if not any(one.validator == "type" and not one.path for one in found)
    ]
    if len(likely) == 1:
        for one in likely[0]:
            yield from _explained(one, validator, errors + likely[0])
        return
    kinds = [one.get("type", "…") for one in error.validator_value]
    words = listed(_TYPE_WORDS.get(str(kind), (str(kind),))[0] for kind in kinds)
    yield where, f"{name} has none of the permitted forms", f"write {words}"


def _known_keys(schema: Any, root: Mapping[str, Any]) -> set[str]:
    """Return every key that *schema* names for an object, under whatever condition."""
    return _keys(schema, root, ("allOf", "anyOf", "oneOf", "then", "else"), frozenset())


def _always_known_keys(schema: Any, root: Mapping[str, Any]) -> set[str]:
    """Return every key that *schema* names for an object under no condition."""
    return _keys(schema, root, ("allOf",), frozenset())


def _keys(
    schema: Any, root: Mapping[str, Any], through: tuple[str, ...], seen: frozenset[str]
) -> set[str]:
    if not isinstance(schema, Mapping):
        return set()
    found = set(schema.get("properties", {}))
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in seen:
        target: Any = root
        for part in reference.removeprefix("#/").split("/"):
            target = target.get(part, {})
        found |= _keys(target, root, through, seen | {reference})
    for keyword in through:
        inner = schema.get(keyword, [])
        for one in inner if isinstance(inner, list) else [inner]:
            found |= _keys(one, root, through, seen)
    return found


def _name(where: YamlPath, instance: object) -> str:
    words = [part for part in where if isinstance(part, str)]
    if not words:
        return "the document"
    return f"`{words[-1]}`" if isinstance(where[-1], str) else f"an element of `{words[-1]}`"


def _of(where: YamlPath) -> str:
    words = [str(part) for part in where if isinstance(part, str)]
    return f" in `{words[-1]}`" if words else ""
