"""The door to YAML: a text becomes a tree of which every part knows its line and column.

The tree is built from the parser's events, so that nothing is ever constructed, no alias is followed, and a nest that
is too deep is left before it costs anything.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

MOST_BYTES = 64 * 2**10
MOST_DEPTH = 12

_KINDS = {"str": "text", "int": "a number", "float": "a number", "bool": "yes or no", "null": "nothing"}
_TAG_PREFIX = "tag:yaml.org,2002:"


@dataclass(frozen=True)
class Problem:
    """What is wrong at a place. Lines and columns count from 1; ``key`` is empty where it is no single key's fault."""

    line: int
    column: int
    key: str
    what: str

    def __str__(self) -> str:
        """Give the key and what is wrong with it."""
        return f"{self.key}: {self.what}" if self.key else self.what


@dataclass(frozen=True)
class Scalar:
    """A single value as it was written; ``kind`` says what YAML takes it for, in words."""

    line: int
    column: int
    text: str
    kind: str


@dataclass(frozen=True)
class Items:
    """A list."""

    line: int
    column: int
    items: tuple[Node, ...]


@dataclass(frozen=True)
class Entries:
    """A mapping with its keys in the order of the file; one may stand there twice."""

    line: int
    column: int
    entries: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Items | Entries


class Unreadable(Exception):
    """The text is not YAML of the plain kind that is taken; ``problem`` says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def read(data: bytes) -> Node:
    """Give the tree of the only document in ``data``.

    Raises:
        Unreadable: it is too large, no UTF-8, no YAML, or has aliases, tags, several documents or too deep a nest.
    """
    if len(data) > MOST_BYTES:
        raise _unreadable(1, 1, f"The file has more than {MOST_BYTES} bytes.")
    text = _decoded(data)
    try:
        return _Reader(yaml.SafeLoader(text)).document()
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        column = error.position - before.rfind("\n")
        what = f"The character U+{ord(text[error.position]):04X} cannot stand here."
        raise _unreadable(before.count("\n") + 1, column, what) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _unreadable(mark.line + 1, mark.column + 1, _in_words(str(error.problem))) from error


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise _unreadable(before.count(b"\n") + 1, column, "This is not UTF-8.") from error


def _in_words(problem: str) -> str:
    if "'\\t'" in problem:
        return "A tab cannot stand here; indent with spaces."
    return f"This is not YAML: {problem}."


def _unreadable(line: int, column: int, what: str) -> Unreadable:
    return Unreadable(Problem(line, column, "", what))


class _Reader:
    """Builds the tree from events."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def document(self) -> Node:
        self._loader.get_event()
        if self._loader.check_event(yaml.StreamEndEvent):
            raise _unreadable(1, 1, "The file is empty.")
        self._loader.get_event()
        root = self._node(0)
        self._loader.get_event()
        if not self._loader.check_event(yaml.StreamEndEvent):
            raise _refused(self._loader.get_event(), "A second document begins here; only one is read.")
        return root

    def _node(self, depth: int) -> Node:
        event = self._loader.get_event()
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _refused(event, "Anchors (&) and aliases (*) are not taken; write the value out.")
        if event.tag is not None:
            raise _refused(event, "Tags (!) are not taken.")
        if depth > MOST_DEPTH:
            raise _refused(event, f"This is nested more than {MOST_DEPTH} deep.")
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(line, column, event.value, self._kind(event))
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(line, column, tuple(self._members(yaml.SequenceEndEvent, depth)))
        members = self._members(yaml.MappingEndEvent, depth)
        return Entries(line, column, tuple(_pair(*pair) for pair in zip(members[::2], members[1::2], strict=True)))

    def _members(self, end: type, depth: int) -> list[Node]:
        found = []
        while not self._loader.check_event(end):
            found.append(self._node(depth + 1))
        self._loader.get_event()
        return found

    def _kind(self, event: Any) -> str:
        tag = self._loader.resolve(yaml.ScalarNode, event.value, event.implicit)
        return _KINDS.get(tag.removeprefix(_TAG_PREFIX), "a date or another value that is no text")


def _pair(key: Node, value: Node) -> tuple[Scalar, Node]:
    if not isinstance(key, Scalar):
        raise _unreadable(key.line, key.column, "A key must be a word.")
    return key, value


def _refused(event: Any, what: str) -> Unreadable:
    return _unreadable(event.start_mark.line + 1, event.start_mark.column + 1, what)
