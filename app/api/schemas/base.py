"""What the schemas have in common: camelCase, times with zones, numbers that are numbers, and pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.api.pages import decode
from app.api.schemas.limits import WORD_LENGTH
from app.services.tool_rules import Rule

PAGE_DEFAULT = 100
PAGE_MOST = 500
CURSOR_LENGTH = 1024


def camel(name: str) -> str:
    """Give a snake_case name in camelCase."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


class CamelSchema(ma.Schema):
    """A schema whose fields are snake_case here and camelCase outside."""

    def on_bind_field(self, field_name: str, field_obj: fields.Field[Any]) -> None:
        """Name the field outside."""
        field_obj.data_key = camel(field_obj.data_key or field_name)


class NoBody(ma.Schema):
    """A body that may be left out, or be an empty object."""


class Number(fields.Float):
    """A number; text that looks like one is none."""

    def _validated(self, value: Any) -> float:
        if not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Whole(fields.Integer):
    """A whole number in a body; neither text nor a fraction."""

    def __init__(self, **options: Any) -> None:
        super().__init__(strict=True, **options)


class Flag(fields.Boolean):
    """Yes or no in a body; neither text nor a number."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class QueryInteger(fields.Integer):
    """A whole number in a query, in ASCII digits, small enough for any column."""

    def _validated(self, value: Any) -> int:
        if not re.fullmatch(r"-?[0-9]{1,18}", str(value)):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


class Instant(fields.AwareDateTime):
    """An instant with its zone, understood in UTC; one that the calendar does not have in UTC is refused."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            return super()._deserialize(value, attr, data, **kwargs).astimezone(UTC)
        except OverflowError as error:
            raise ma.ValidationError("Must be between the years 1 and 9999 in UTC.") from error


class CamelKeys(fields.Dict):
    """A JSON object of ours, stored with snake_case keys and shown with camelCase ones, at every depth."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return _camel_keys(value)


class Cursor(fields.String):
    """The ``next`` of an earlier page; ``read`` turns its text into the key that the service takes."""

    def __init__(self, read: Callable[[str], Any] = str, **options: Any) -> None:
        self._read = read
        about = "The `next` of the page before. Leave it out for the first page."
        super().__init__(metadata={"description": about, "maxLength": CURSOR_LENGTH}, **options)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> Any:
        try:
            text = super()._deserialize(value, attr, data, **kwargs)
            if len(text) > CURSOR_LENGTH:
                raise ValueError("longer than any cursor")
            key = self._read(decode(text))
        except ValueError as error:
            raise ma.ValidationError("Must be the 'next' of an earlier page.") from error
        if isinstance(key, str) and "\0" in key:
            raise ma.ValidationError("Must be the 'next' of an earlier page.")
        return key


def obeys(rule: Rule) -> Callable[[Any], None]:
    """Give the validator that refuses what breaks a rule of the services."""

    def validator(value: Any) -> None:
        if broken := list(rule(value)):
            raise ma.ValidationError(broken)

    return validator


def searched(**options: Any) -> fields.String:
    """Give the field of a query for a word that something is searched by."""
    return fields.String(load_default=None, validate=validate.Length(max=WORD_LENGTH), **options)


def page_size() -> QueryInteger:
    """Give the field that says how many items a page has at most."""
    return QueryInteger(
        load_default=PAGE_DEFAULT,
        validate=validate.Range(1, PAGE_MOST),
        metadata={"description": "How many items at most."},
    )


class PageQuery(ma.Schema):
    """Which page of a list in the order of names."""

    limit = page_size()
    cursor = Cursor(load_default="")


def page_schema(item: type[ma.Schema], name: str) -> type[ma.Schema]:
    """Give the schema of a page of such items."""
    members: dict[str, fields.Field[Any]] = {
        "items": fields.List(fields.Nested(item), required=True),
        "next": fields.String(
            required=True,
            allow_none=True,
            metadata={"description": "The cursor of the page that follows, or null.", "example": None},
        ),
    }
    return ma.Schema.from_dict(members, name=name)


def _camel_keys(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {camel(str(key)): _camel_keys(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_camel_keys(inner) for inner in value]
    return value
