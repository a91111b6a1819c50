"""The guard of request bodies: JSON is read here, strictly, and nowhere else.

Python's reader takes NaN, doubled keys, lone surrogates and numbers of any size, and goes as deep as the sender likes.
A database then refuses some of it with an error that looks like ours. So everything odd is refused here.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import marshmallow
from flask import Request
from flask_smorest import abort
from webargs import core
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from app.api.context import remember_fields
from app.errors import Invalid

DEPTH = 32
INTEGER_RANGE = (-(2**63), 2**63 - 1)
_INTEGER_DIGITS = 20
_FIELDS_SHOWN = 30
_NAME_SHOWN = 64
# A string that is never closed matches to its end, so that the search is linear however hostile the bytes are.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
_NO_BRACKETS = bytes(set(range(256)) - set(b"[{]}"))
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Parser(FlaskParser):
    """Reads what a request brings; an argument or a field that nobody declared is an error."""

    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012 - the parent declares its type
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "query": marshmallow.RAISE,
    }

    def _raw_load_json(self, req: Request) -> Any:
        data = req.get_data(cache=True)
        # Of a body in chunks, which announces no length, werkzeug silently gives no more than the limit.
        if req.content_length is None and len(data) >= (req.max_content_length or math.inf):
            raise RequestEntityTooLarge(f"The body has more than the {req.max_content_length} bytes that are allowed.")
        if not data:
            return core.missing
        charset = req.mimetype_params.get("charset", "utf-8").lower()
        if not core.is_json(req.mimetype) or charset not in ("utf-8", "utf8"):
            raise UnsupportedMediaType("The body must be JSON in UTF-8, announced as Content-Type: application/json.")
        document = parse(data)
        remember_fields(fields_of(document))
        return document


def parse(data: bytes) -> Any:
    """Read a JSON document.

    Raises:
        Invalid: a string holds what cannot be stored; the field is named.
        werkzeug.exceptions.BadRequest: it is not JSON, or JSON that has no one meaning.
    """
    if _depth(data) > DEPTH:
        abort(400, message=f"The body is nested deeper than {DEPTH} levels.")
    try:
        document = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        abort(400, message=f"The body is not UTF-8: byte {error.start}.", exc=error)
    except ValueError as error:
        abort(400, message=f"The body is not valid JSON: {error}.", exc=error)
    broken = {path: ["Must not contain NUL or half a surrogate pair."] for path in _unstorable(document, "")}
    if broken:
        raise Invalid("The body holds text that cannot be stored.", fields=broken)
    return document


def fields_of(document: Any) -> list[str]:
    """Give the names of a body's fields, and no value; of a body that wraps one object, also the names in that."""
    if not isinstance(document, dict):
        return []
    names = list(document)
    if len(names) == 1 and isinstance(document[names[0]], dict):
        names += [f"{names[0]}.{inner}" for inner in document[names[0]]]
    return [name[:_NAME_SHOWN] for name in names[:_FIELDS_SHOWN]]


def _depth(data: bytes) -> int:
    # Seen as signed bytes, an opening bracket is a step of 1 and a closing one a step of -1.
    steps = _STRING.sub(b"", data).translate(_STEPS, _NO_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        doubled = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {json.dumps(doubled[:80])} is there twice")
    return found


def _integer(text: str) -> int:
    # Python refuses to convert thousands of digits with an error of its own, so the length is looked at first.
    if len(text) > _INTEGER_DIGITS or not INTEGER_RANGE[0] <= int(text) <= INTEGER_RANGE[1]:
        raise ValueError(f"the number {text[:24]} does not fit into 64 bits")
    return int(text)


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:24]} is too large")
    return number


def _constant(text: str) -> float:
    raise ValueError(f"{text} is not a number of JSON")


def _unstorable(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            yield path or "_schema"
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _unstorable(item, f"{path}.{number}" if path else str(number))
    elif isinstance(value, dict):
        for key, item in value.items():
            place = f"{path}.{key}" if path else key
            if _UNSTORABLE.search(key):
                yield path or "_schema"
            yield from _unstorable(item, place)
