"""Everything that a request may hold has a limit, and the description of the API tells it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask import Flask

from tests.api_calls import Operation, operations


@pytest.fixture
def described(app: Flask) -> list[Operation]:
    return operations(app.test_client().get("/api/openapi.json").get_json())


def test_every_field_of_every_request_has_a_limit(described: list[Operation]) -> None:
    boundless = [
        f"{operation}: {place}: {reason}" for operation in described for place, reason in boundless_parts(operation)
    ]
    assert not boundless, "\n".join(boundless)


def test_every_request_refuses_fields_that_it_does_not_know(described: list[Operation]) -> None:
    open_ones = [str(operation) for operation in described if operation.body and is_open(operation.body)]
    assert not open_ones


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string"},
        {"type": "integer", "minimum": 0},
        {"type": "number", "maximum": 0},
        {"type": "array", "items": {"type": "boolean"}},
        {"type": "array", "maxItems": 3, "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": "boolean"}},
        {"type": "object", "maxProperties": 3, "additionalProperties": {"type": "string"}},
        {"type": "object", "properties": {"a": {"type": "object", "properties": {"b": {"type": "string"}}}}},
        {"allOf": [{"type": "string"}]},
    ],
)
def test_the_search_finds_what_has_no_limit(schema: dict[str, Any]) -> None:
    assert list(boundless_in(schema, "body"))


def boundless_parts(operation: Operation) -> Iterator[tuple[str, str]]:
    for name, schema in operation.query.items():
        yield from boundless_in(schema, f"?{name}")
    if operation.body is not None:
        yield from boundless_in(operation.body, "body")


def boundless_in(schema: Mapping[str, Any], place: str) -> Iterator[tuple[str, str]]:
    """Give what a schema leaves without a limit, with the way to it."""
    for part in schema.get("allOf", []):
        yield from boundless_in(part, place)
    kind = schema.get("type")
    if kind == "string" and not (schema.keys() & {"maxLength", "enum"} or schema.get("format") == "date-time"):
        yield place, "a text without maxLength"
    if kind in ("integer", "number") and not {"minimum", "maximum"} <= schema.keys():
        yield place, "a number without a range"
    if kind == "array":
        if "maxItems" not in schema:
            yield place, "a list without maxItems"
        yield from boundless_in(schema["items"], f"{place}[]")
    for name, member in schema.get("properties", {}).items():
        yield from boundless_in(member, f"{place}.{name}")
    if isinstance(values := schema.get("additionalProperties"), dict):
        if "maxProperties" not in schema:
            yield place, "an object without maxProperties"
        yield from boundless_in(values, f"{place}{{}}")


def is_open(schema: Mapping[str, Any]) -> bool:
    return "properties" in schema and schema.get("additionalProperties") is not False
