"""Holds answers of a guarded application against `docs/openapi.json`, and remembers what was seen of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openapi_schema_validator import OAS31Validator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.asgi.driving import Answer
    from tests.stepup.flow.driving import Client

PAGE = Path(__file__).parents[3] / "docs" / "openapi.json"
MOUNT = "/sekisho"
JSON = (b"content-type", b"application/json")
SHARED = "#/components/responses/"
TOLD = frozenset(
    {"retry-after", "www-authenticate", "set-cookie", "sekisho-challenge", "sekisho-device", "sekisho-tie"}
)
"""Headers that a client acts on: the document has to name each one that comes."""


class Api:
    """The document, and the answers of it that were seen: operation (or shared answer), status, schema."""

    def __init__(self) -> None:
        self.document = json.loads(PAGE.read_text("utf-8"))
        self.seen: set[tuple[str, str, str]] = set()

    def operation(self, method: str, path: str) -> dict[str, Any]:
        below = path.removeprefix(MOUNT) if path.startswith(f"{MOUNT}/") else path
        found: dict[str, Any] = self.document["paths"][below][method.lower()]
        return found

    async def post(self, client: Client, path: str, schema: str, **fields: object) -> Any:
        """Post fields that the document allows; returns the JSON of an answer that it allows."""
        wanted = self.operation("POST", path)["requestBody"]["content"]["application/json"]["schema"]
        self.fits(wanted, fields)
        answer = await client.send(path, json.dumps(fields).encode(), headers=[JSON])
        return self.holds("POST", path, answer, schema)

    async def get(self, client: Client, path: str, schema: str) -> Any:
        answer = await client.send(path, method="GET", headers=())
        return self.holds("GET", path, answer, schema)

    def holds(self, method: str, path: str, answer: Answer, schema: str) -> Any:
        """The answer has a documented status, media type, headers and members. Returns its JSON."""
        operation = self.operation(method, path)
        where, status = operation["operationId"], str(answer.status)
        response = operation["responses"][status]
        if "$ref" in response:
            where = response["$ref"].removeprefix(SHARED)
            response = self.document["components"]["responses"][where]
        kind = (answer.header(b"content-type") or b"").decode().partition(";")[0]
        assert schema in names(response["content"][kind]["schema"]), (path, status, schema)
        self._told(answer, response)
        found = json.loads(answer.body)
        self.fits({"$ref": f"#/components/schemas/{schema}"}, found)
        assert found.get("status", answer.status) == answer.status
        self.seen.add((where, status, schema))
        return found

    def released(self, method: str, path: str, answer: Answer) -> None:
        """The application's own answer came, with no other headers of ours than the document says."""
        assert self.operation(method, path)["responses"]["default"]["$ref"] == f"{SHARED}Application"
        self._told(answer, self.document["components"]["responses"]["Application"])

    def fits(self, schema: dict[str, Any], found: Any) -> None:
        """Raises `ValidationError` for a member that is missing, of another form, or not in the document."""
        components = {"schemas": {name: closed(one) for name, one in self.document["components"]["schemas"].items()}}
        OAS31Validator({**closed(schema), "components": components}).validate(found)

    def _told(self, answer: Answer, response: dict[str, Any]) -> None:
        told = {name.decode() for name, _ in answer.headers} & TOLD
        named = {name.lower() for name in response.get("headers", ())}
        assert told <= named, told - named
        headers = self.document["components"]["headers"]
        assert {name.lower() for name in response.get("headers", ()) if headers[name].get("required")} <= told

    def documented(self) -> set[tuple[str, str, str]]:
        """Each operation, status and schema; shared answers once."""
        return set(self._documented())

    def _documented(self) -> Iterator[tuple[str, str, str]]:
        for item in self.document["paths"].values():
            for method, operation in item.items():
                if method in {"get", "post"}:
                    for status, response in operation["responses"].items():
                        yield from self._of(operation["operationId"], status, response)

    def _of(self, where: str, status: str, response: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
        if "$ref" in response:
            where = response["$ref"].removeprefix(SHARED)
            response = self.document["components"]["responses"][where]
        for content in response.get("content", {}).values():
            for name in names(content["schema"]):
                yield where, status, name


def names(schema: dict[str, Any]) -> list[str]:
    """The schemas that a response may have."""
    return [one["$ref"].rpartition("/")[2] for one in schema.get("oneOf", [schema]) if "$ref" in one]


def closed(schema: Any) -> Any:
    """The same schema, but no object of it may have a member that it does not name."""
    if isinstance(schema, list):
        return [closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(value) for name, value in schema.items()}
    return (
        {**found, "additionalProperties": schema.get("additionalProperties", False)}
        if "properties" in schema
        else found
    )
