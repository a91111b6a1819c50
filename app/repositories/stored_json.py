"""Turn an entry into the JSON that is stored, and back, believing nothing: others write below our prefix too."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from typing import Any, NoReturn, Union, get_args, get_origin

from app.errors import Invalid

VALUE_LIMIT_BYTES = 64 * 1024
"""The registry is for descriptions; an etcd full of files turns read-only."""

_LARGEST_NUMBER = 2**63


class Broken(Exception):
    """A stored value is not what its key promises; the text says why. It never leaves the repositories."""


def encoded(values: Mapping[str, Any]) -> str:
    """Give ``values`` as the text to store.

    Raises:
        Invalid: they are too large, or hold what JSON or PostgreSQL cannot hold.
    """
    try:
        text = json.dumps(values, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        size_bytes = len(text.encode())
    except ValueError as error:
        raise Invalid("The entry holds a number or a character that cannot be stored.") from error
    if "\\u0000" in text:
        raise Invalid("The entry holds a NUL character, which cannot be stored.")
    if size_bytes > VALUE_LIMIT_BYTES:
        raise Invalid(
            f"The entry has {size_bytes} bytes as JSON; the registry takes {VALUE_LIMIT_BYTES}.",
            hint="Keep large texts in the tool's repository and name them here.",
        )
    return text


def decoded(text: str, kinds: Mapping[str, Any]) -> dict[str, Any]:
    """Give the object in ``text``; ``kinds`` maps its known keys to their types.

    Raises:
        Broken: it is no JSON object, or a known key holds something of another type.
    """
    if "\\u0000" in text:
        raise Broken("it holds a NUL character")
    try:
        values = json.loads(text, parse_constant=_refuse_constant)
        # Half a surrogate pair, spelt out or made of bytes that are no text, can be stored nowhere else; nor can a
        # number that is too large to be one, such as 1e400.
        json.dumps(values, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise Broken("it is not JSON in UTF-8") from error
    if not isinstance(values, dict):
        raise Broken("it is not a JSON object")
    wrong = [key for key, kind in kinds.items() if key in values and not _fits(values[key], kind)]
    if wrong:
        raise Broken(f"'{wrong[0]}' has the wrong type")
    return values


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(word)


def _fits(value: Any, kind: Any) -> bool:
    """Tell whether a value from JSON can be what the type hint ``kind`` says."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_fits(value, part) for part in parts)
    if origin is tuple:
        return isinstance(value, list) and all(_fits(item, parts[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_fits(item, parts[1]) for item in value.values())
    if kind is Any:
        return True
    if kind in (int, float):
        accepted = int if kind is int else (int, float)
        return isinstance(value, accepted) and not isinstance(value, bool) and abs(value) < _LARGEST_NUMBER
    return isinstance(value, kind)
