"""What hostile or careless callers send, derived from what the API says that it takes."""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from urllib.parse import quote

from tests.api_calls import Operation, fields_of, sample

LONG = "x" * 100_000
JSON = {"Content-Type": "application/json"}
STALE = {"If-Match": '"1"'}
"""No entry has that revision, so that a change of one is refused at last, however well formed."""

SHARE = int(os.environ.get("MAO_TEST_HOSTILE_SHARE", "4"))
"""Of the odd texts and headers every so manieth is tried at a place, by turns; 1 tries all of them everywhere."""


@dataclass(frozen=True)
class Call:
    """One request, and what must become of it."""

    method: str
    address: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_refused: bool = False
    names: str = ""
    """What the refusal has to name."""

    def __str__(self) -> str:
        return f"{self.method} {self.address[:120]} {dict(list(self.headers.items())[:2])!s:.80} {self.body[:160]!r}"


TEXTS = [
    "\0",
    "a\0b",
    "\x1b[31mred",
    "\r\nX-Injected: 1",
    "\x7f\x85",
    "../../etc/passwd",
    "..\\..\\windows",
    "/etc/shadow",
    "%2e%2e%2f%00",
    "file:///etc/passwd",
    "http://169.254.169.254/latest",
    "ext::sh -c id",
    "--upload-pack=id",
    "-oProxyCommand=id",
    "'; drop table runs; --",
    "\\'; select pg_sleep(9); --",
    "%s%n%x",
    "{{7*7}}${7*7}#{7*7}",
    "%%SUBMITTER%%%%RUNID%%",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe",
    "\ufeff",
    "\U0010ffff",
    "e\u0301" * 40,
    "\u0663\u0664",
    "\uff11\uff12",
    " ",
    "",
    "null",
    "NaN",
    "1e400",
    "9" * 5000,
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2024-02-30T00:00:00Z",
    "2024-01-01",
    "2024-01-01T24:00:00Z",
    "2024-06-30T23:59:60Z",
    "* * * * *",
    "0 0 30 2 *",
    "*/0 * * * *",
    "Mars/Olympus_Mons",
    "24:60",
]
WRONG_KINDS: dict[str, list[Any]] = {
    "string": [1, 1.5, True, [], {}, ["x"]],
    "integer": ["1", "", 1.5, True, [], {}],
    "number": ["1", "", True, [], {}],
    "boolean": ["maybe", 7, [], {}, 1.5],
    "array": ["x", 1, True, {}, [[[]]], ["x"] * 2001],
    "object": ["x", 1, True, [], ["x"], {f"k{number}": "v" for number in range(2001)}],
}
ODD_NUMBERS = [
    "-1",
    "0",
    "501",
    str(2**31),
    str(2**63),
    str(2**64),
    "9" * 5000,
    "%D9%A3",
    "1.5",
    "1e3",
    "NaN",
    "",
    "+1",
    "0x1",
]
ODD_DATES = ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59", "2024-02-30T00:00", "2024-06-30T23:59:60Z"]
ODD_QUERY = [
    *ODD_NUMBERS,
    *ODD_DATES,
    "%00",
    "%ff",
    "%ed%a0%80",
    "a" * 5000,
    "..%2f",
    "%25",
    "%0d%0aX:y",
    "true",
    "[]",
    "{}",
]
CURSORS = [
    "AA",
    "_w",
    "!!!",
    "YQ",
    "=",
    "MjAyNC0wMS0wMQ",
    "MDAwMS0wMS0wMVQwMDowMDowMCsyMzo1OQ",
    "OTk5OTk5OTk5OTk5OTk5OTk5",
    "a" * 5000,
]
PLACES = [
    "%00", "a%00b", "%ff", "%ed%a0%80", "..%2f..%2fetc%2fpasswd", "%2e%2e", "a" * 300, "a" * 5000, "%F0%9F%92%A9",
    "%20", ".", "-", "-1", "0", "1.5", str(2**63), "9" * 19, "9" * 5000, "%D9%A3", "%0d%0aX:y", "a%2fb", "a;b", "A",
    "%25", "*", "%27%3b--", "con", "__proto__", "\u00e9",
]  # fmt: skip
BODIES: list[bytes] = [
    b"{",
    b"[1]",
    b"null",
    b'"x"',
    b"1",
    b"NaN",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[]," * 100_000,
    b"\xff\xfe{\0}\0",
    b"\xef\xbb\xbf{}",
    b'{"a": "\xff"}',
    b'{"a": NaN}',
    b'{"a": -Infinity}',
    b'{"a": 1e400}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b'{"a": 9223372036854775808}',
    b'{"a": 1, "a": 2}',
    b'{"a": "\\ud800"}',
    b'{"\\u0000": 1}',
    b'"' + b'\\"' * 100_000,
    b"{}" * 2,
    b'{"a": [' + b"1," * 100_000 + b"1]}",
    b"<?xml version='1.0'?><a/>",
    b"a=b&c=d",
    b'{"__proto__": {"x": 1}}',
    b'"' + b"x" * 10_000_000 + b'"',
]
MEDIA_TYPES = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=latin-1",
    "application/json; charset=utf-16",
    "multipart/form-data; boundary=x",
    "multipart/form-data",
    "application/xml",
    "",
    "application/json/json",
    "*/*",
    "x" * 5000,
]
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "X" * 300]
HEADERS = [
    {"X-Api-Token": "x" * 8000},
    {"X-Api-Token": "mao_root_" + "\x7f"},
    {"X-Api-Token": "mao_\u00e9_\u00ff"},
    {"X-Api-Token": ""},
    {"X-Api-Token": "mao__"},
    {"Authorization": "Bearer"},
    {"Authorization": "Basic cm9vdDpyb290"},
    {"Authorization": "Digest username="},
    {"If-Match": "*"},
    {"If-Match": "x" * 5000},
    {"If-Match": '"' + "9" * 5000 + '"'},
    {"If-Match": '"-1"'},
    {"If-Match": 'W/"7", "8"'},
    {"Idempotency-Key": "x" * 5000},
    {"Idempotency-Key": "\x7f\u00ff"},
    {"Idempotency-Key": ""},
    {"X-Request-Id": "x\x7f" * 200},
    {"Range": "bytes=0-" + "9" * 5000},
    {"Range": "bytes=-" + "9" * 19},
    {"Range": "bytes=5-1,2-,-3"},
    {"Range": "lines=1-2"},
    {"Accept": "image/png;q=\u00ff"},
    {"Accept-Encoding": "gzip;q=x"},
    {"Last-Event-ID": "9" * 5000},
    {"Cookie": "session=" + "x" * 4000},
    {"Host": "evil.example.org:99999"},
    {"X-Forwarded-For": "127.0.0.1, " * 300},
    {"Transfer-Encoding": "gzip, chunked"},
    {"Content-Length": "-1"},
    {"Content-Length": "9" * 30},
    {"Content-Length": "abc"},
    {"If-None-Match": "*"},
    {"If-Modified-Since": "Thu, 32 Foo 99999"},
]


def bodies(operations: Sequence[Operation]) -> Iterator[Call]:
    """Give bodies that are no JSON, or JSON that means nothing here."""
    for operation in operations:
        if operation.media_type == "application/json":
            for body in BODIES:
                yield _with_body(operation, body, is_refused=True)
            valid = json.dumps(operation.json()).encode()
            for media_type in MEDIA_TYPES:
                yield _with_body(operation, valid, {"Content-Type": media_type}, is_refused=True)


def fields(operations: Sequence[Operation]) -> Iterator[Call]:
    """Give bodies of which one field is of the wrong kind, too long, missing or unknown."""
    for operation in operations:
        if operation.body is None:
            continue
        yield _with_value(operation, ("x-unknown",), 1, names="x-unknown")
        for path, schema in fields_of(operation.body):
            for value in _wrong_values(schema):
                yield _with_value(operation, path, value, names=path[-1])
        for name in operation.body.get("required", []):
            body = {key: value for key, value in operation.json().items() if key != name}
            yield _with_body(operation, json.dumps(body).encode(), is_refused=True, names=name)


def texts(operations: Sequence[Operation]) -> Iterator[Call]:
    """Give bodies of which one text is odd; some of them are served."""
    turn = count()
    for operation in operations:
        for path, schema in fields_of(operation.body or {}):
            for text in TEXTS[next(turn) % SHARE :: SHARE]:
                is_refused = "\0" in text
                if schema.get("type") == "string":
                    yield _with_value(operation, path, text, is_refused=is_refused)
                elif schema.get("type") == "array":
                    yield _with_value(operation, path, [text], is_refused=is_refused)
                elif schema.get("type") == "object" and "properties" not in schema:
                    yield _with_value(operation, path, {text: text}, is_refused=is_refused)


def queries(operations: Sequence[Operation]) -> Iterator[Call]:
    """Give odd, repeated and unknown arguments."""
    for operation in operations:
        method, path = operation.method.upper(), operation.path()
        yield Call(method, f"{path}?unknown=1", is_refused=True, names="unknown")
        yield Call(method, f"{path}?limit=1&limit=2", is_refused=True, names="limit")
        yield Call(method, f"{path}?%00=%00", is_refused=True)
        yield Call(method, f"{path}?" + "&".join(f"a{number}=1" for number in range(1000)), is_refused=True)
        for name in operation.query:
            for value in CURSORS if name == "cursor" else ODD_QUERY:
                yield Call(method, f"{path}?{name}={value}", is_refused=value == "%00")


def places(operations: Sequence[Operation]) -> Iterator[Call]:
    """Give addresses of what has no address."""
    for operation in operations:
        for place in operation.places:
            for value in PLACES:
                odd = operation.path(**{place: quote(value, safe="%*;'")})
                yield replace(_valid(operation), address=odd)


def methods(operations: Sequence[Operation]) -> Iterator[Call]:
    """Give each address with methods that it does not know."""
    known = {(operation.method.upper(), operation.path()) for operation in operations}
    for path in sorted({path for _, path in known}):
        for method in METHODS:
            if (method, path) not in known and not (method == "HEAD" and ("GET", path) in known):
                yield Call(method, path, is_refused=method != "OPTIONS")


def headers(operations: Sequence[Operation]) -> Iterator[Call]:
    """Give each call with odd headers; some of them are served."""
    for turn, operation in enumerate(operations):
        for odd in HEADERS[turn % SHARE :: SHARE]:
            valid = _valid(operation)
            yield replace(valid, headers={**valid.headers, **odd})


def _valid(operation: Operation) -> Call:
    body = b"" if operation.body is None else json.dumps(operation.json()).encode()
    return Call(operation.method.upper(), operation.path(), body, JSON if body else {})


def _with_body(
    operation: Operation, body: bytes, headers: Mapping[str, str] = JSON, *, is_refused: bool, names: str = ""
) -> Call:
    stale = STALE if operation.method == "put" else {}
    return Call(operation.method.upper(), operation.path(), body, {**headers, **stale}, is_refused, names)


def _with_value(
    operation: Operation, path: Sequence[str], value: Any, *, is_refused: bool = True, names: str = ""
) -> Call:
    body = copy.deepcopy(operation.json())
    target = body
    for step in path[:-1]:
        target = target.setdefault(step, {})
    target[path[-1]] = value
    # Half a surrogate pair cannot be sent otherwise than escaped, so all is escaped.
    return _with_body(operation, json.dumps(body).encode(), is_refused=is_refused, names=names)


def _wrong_values(schema: Mapping[str, Any]) -> Iterator[Any]:
    kind = str(schema.get("type", ""))
    yield from WRONG_KINDS.get(kind, [])
    yield from _values_beyond(schema)
    if not schema.get("nullable"):
        yield None
    if kind == "array":
        yield [None]
        for value in WRONG_KINDS.get(str(schema["items"].get("type", "")), []):
            yield [value]
        for value in _values_beyond(schema["items"]):
            yield [value]
    if kind == "object" and isinstance(values := schema.get("additionalProperties"), dict):
        yield {LONG: "v"}
        for value in WRONG_KINDS.get(str(values.get("type", "")), []):
            yield {"k": value}
        for value in _values_beyond(values):
            yield {"k": value}


def _values_beyond(schema: Mapping[str, Any]) -> Iterator[Any]:
    """Give values just behind the limits that the description tells."""
    if "maxLength" in schema:
        yield "x" * (schema["maxLength"] + 1)
    if "enum" in schema:
        yield "no-such-word"
    if "minimum" in schema:
        yield schema["minimum"] - 1
    if "maximum" in schema and schema["maximum"] < 2**63 - 1:
        yield schema["maximum"] + 1
    if "maxItems" in schema:
        yield [sample(schema["items"])] * (schema["maxItems"] + 1)
    if "maxProperties" in schema:
        yield {f"k{number}": "v" for number in range(schema["maxProperties"] + 1)}
