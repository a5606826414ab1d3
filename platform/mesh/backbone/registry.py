"""A client of a Confluent-compatible schema registry: look up, register, compatibility.

Over httpx, since confluent-kafka's own client takes a second to import. Not here: the
announcement of what was registered (`provision`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import httpx

from mesh.backbone.closing import Closing
from mesh.backbone.direct import direct
from mesh.backbone.endpoint import Endpoint
from mesh.errors import BackboneError, Refused, SchemaIncompatible, Unreachable

__all__ = ["Registry", "Schema"]

Schema = dict[str, object]
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"
COMPATIBILITY = "FULL_TRANSITIVE"
# Of the client, and no fault of what was asked: late, too early, too often.
PASSING = (408, 425, 429)


class Registry(Closing):
    """One registry. Schemas by id never change, so they are kept once seen."""

    def __init__(self, endpoint: Endpoint, timeout_s: float = 10.0) -> None:
        login = endpoint.registry_login
        self.url = endpoint.registry_url.rstrip("/")
        self._client = httpx.Client(
            timeout=timeout_s,
            auth=(login.name, login.secret) if login else None,
            headers={"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE},
            **direct(self.url),
        )
        self._schemas: dict[int, Schema] = {}

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def schema(self, schema_id: int) -> Schema | None:
        """The Avro schema of *schema_id*, or None if the registry knows no such id."""
        if schema_id not in self._schemas:
            answer = self._call("GET", f"/schemas/ids/{schema_id}", absent=(404,))
            if answer is None:
                return None
            if "schema" not in answer:
                raise self._is_none()
            self._schemas[schema_id] = parsed(schema_id, str(answer["schema"]))
        return self._schemas[schema_id]

    def find(self, subject: str, schema: Schema) -> int | None:
        """The id under which *schema* is registered in *subject*, or None."""
        body = {"schema": canonical(schema)}
        answer = self._call("POST", f"/subjects/{subject}", body, absent=(404,))
        return None if answer is None else int(str(answer["id"]))

    def versions(self, subject: str) -> list[Schema]:
        """Every Avro record that is registered in *subject*, the oldest first."""
        path = f"/subjects/{subject}/versions"
        numbers = self._ask("GET", path, absent=(404,))
        answers = [
            self._call("GET", f"{path}/{each}")
            for each in (numbers if isinstance(numbers, list) else [])
        ]
        return [parsed(int(str(each["id"])), str(each["schema"])) for each in answers if each]

    def subjects(self) -> frozenset[str]:
        """Every subject that has a schema."""
        found = self._ask("GET", "/subjects")
        return frozenset(map(str, found)) if isinstance(found, list) else frozenset()

    def register(self, subject: str, schema: Schema, *, is_first: bool = False) -> tuple[int, bool]:
        """Register *schema*, the *first* of its subject or not; its id and whether it is new.

        Raises `SchemaIncompatible` where it would break readers of what is there.
        """
        known = None if is_first else self.find(subject, schema)
        if known is not None:
            return known, False
        body = {"schema": canonical(schema)}
        answer = self._call("POST", f"/subjects/{subject}/versions", body)
        return int(str((answer or {})["id"])), True

    def require_compatibility(self, subject: str) -> None:
        """Make FULL_TRANSITIVE the rule of *subject*, whatever the registry's own rule is."""
        self._call("PUT", f"/config/{subject}", {"compatibility": COMPATIBILITY})

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        absent: tuple[int, ...] = (),
    ) -> Mapping[str, object] | None:
        """The JSON object that the registry answers with, or None where that is *absent*."""
        answer = self._ask(method, path, body, absent)
        if answer is None or isinstance(answer, dict):
            return answer
        raise self._is_none()

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        absent: tuple[int, ...] = (),
    ) -> object:
        try:
            response = self._client.request(method, self.url + path, json=body)
        except httpx.HTTPError as error:
            raise Unreachable(
                f"the schema registry does not answer at {self.url} ({error}): is it running?"
            ) from error
        if response.status_code in absent:
            return None
        if not response.is_success:
            raise refusal(response, path)
        try:
            document: object = response.json()
        except ValueError as error:
            raise self._is_none() from error
        return document

    def _is_none(self) -> Unreachable:
        """The error for an answer of a proxy, or of another service at the registry's address."""
        return Unreachable(f"what answers at {self.url} is no schema registry")


def refusal(response: httpx.Response, path: str) -> BackboneError:
    """The error of our tree for an answer that is no success."""
    try:
        message = str(response.json().get("message", response.text))
    except (ValueError, AttributeError):
        message = response.text
    text = f"the schema registry answered {response.status_code} to {path}: {message[:400]}"
    if response.status_code == 409:
        return SchemaIncompatible(text)
    if response.status_code in (401, 403):
        return Refused(text)
    if response.status_code >= 500 or response.status_code in PASSING:
        return Unreachable(text)
    return BackboneError(text)


def parsed(schema_id: int, text: str) -> Schema:
    """The Avro schema in *text*. Raises `BackboneError` for one of another kind."""
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise BackboneError(f"schema {schema_id} is not an Avro schema") from error
    if not isinstance(schema, dict):
        raise BackboneError(f"schema {schema_id} is not an Avro record")
    return schema


def canonical(schema: Schema) -> str:
    """The text that is registered: the same for the same schema."""
    return json.dumps(schema, separators=(",", ":"))
