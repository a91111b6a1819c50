"""Reads the fields of a definition, and notes every mistake instead of stopping at the first.

Strict reading (version 0.2) knows exactly the keys of the format. Lenient reading (version 0.1) takes keys in any case,
leaves out what it does not know, and takes numbers as text and nothing as absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum, auto

from app.errors import nearest
from app.services.definitions_yaml import Entries, Items, Node, Problem, Scalar

TEXT_LENGTH = 4096
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
Rule = Callable[[str], str | None]
"""Says what is wrong with a text, or gives None."""


class Need(Enum):
    """Which version may not be without a key."""

    ALWAYS = auto()
    STRICT = auto()
    NEVER = auto()


def _nothing(_: str) -> None:
    """Find nothing wrong."""


@dataclass(frozen=True)
class Surroundings:
    """What a definition must fit: the name that it must have, and rules for paths to scripts and to the data."""

    name: str = ""
    script: Rule = _nothing
    data_place: Rule = _nothing


@dataclass
class Notes:
    """How strictly is read, what the file must fit, and what was found wrong."""

    surroundings: Surroundings = field(default_factory=Surroundings)
    is_strict: bool = True
    problems: list[Problem] = field(default_factory=list)

    def add(self, node: Node, key: str, what: str) -> None:
        """Note that something is wrong at a place."""
        self.problems.append(Problem(node.line, node.column, key, what))


@dataclass(frozen=True)
class Section:
    """A mapping of the file under the name by which messages call it; ``values`` are its known keys."""

    name: str
    node: Node
    values: dict[str, Node]
    notes: Notes

    def called(self, key: str) -> str:
        """Give the whole name of one of its keys."""
        return f"{self.name}.{key}" if self.name else key

    def text(self, key: str, rule: Rule | None = None, *, need: Need = Need.STRICT) -> str:
        """Give the text of a key that obeys ``rule``; empty where it is absent or no text, which is noted."""
        value = self.values.get(key)
        if value is None:
            if need is Need.ALWAYS or (need is Need.STRICT and self.notes.is_strict):
                self.notes.add(self.node, self.called(key), "is missing.")
            return ""
        found = _text(value, self.called(key), self.notes)
        if rule and found and (wrong := rule(found)):
            self.notes.add(value, self.called(key), wrong)
        return found

    def section(self, key: str, known: Iterable[str]) -> Section | None:
        """Give the mapping that is a key's value, or None where there is none."""
        value = self.values.get(key)
        return None if value is None else section(value, self.called(key), known, self.notes)


def section(node: Node, name: str, known: Iterable[str], notes: Notes) -> Section | None:
    """Read a mapping with the keys ``known``; None where it is no mapping, which is noted."""
    if not isinstance(node, Entries):
        notes.add(node, name, "must be a mapping of keys to values.")
        return None
    keys, values, seen = list(known), dict[str, Node](), dict[str, Scalar]()
    for key, value in node.entries:
        word = key.text if notes.is_strict else _in_any_case(key.text, keys)
        called = f"{name}.{key.text}" if name else key.text
        if word in seen:
            notes.add(key, called, f"is given twice; first in line {seen[word].line}.")
        elif word not in keys:
            if notes.is_strict:
                close = nearest(_in_any_case(key.text, keys), keys)
                notes.add(key, called, f"is not a known key. {close or known_are(keys)}")
        elif notes.is_strict or not is_empty(value):
            values[word] = value
        seen.setdefault(word, key)
    return Section(name, node, values, notes)


def known_are(words: Iterable[str]) -> str:
    """Give the sentence that lists the known words."""
    return f"Known are: {', '.join(words)}."


def items(node: Node | None, name: str, notes: Notes) -> list[tuple[str, Node]]:
    """Give the members of a list, each with the name by which messages call it."""
    if node is None:
        return []
    if not isinstance(node, Items):
        notes.add(node, name, "must be a list.")
        return []
    return [(f"{name}[{number}]", item) for number, item in enumerate(node.items)]


def is_empty(node: Node) -> bool:
    """Tell whether nothing is written there."""
    return isinstance(node, Scalar) and node.kind == "nothing"


def named(node: Node, key: Scalar) -> Node:
    """Give a mapping's value with the key that it had as its Name, where it has none of its own."""
    if not isinstance(node, Entries) or any(known.text.lower() == "name" for known, _ in node.entries):
        return node
    return replace(node, entries=((replace(key, text="Name"), key), *node.entries))


def _text(node: Node, name: str, notes: Notes) -> str:
    if not isinstance(node, Scalar):
        notes.add(node, name, "must be text.")
        return ""
    if node.kind != "text" and notes.is_strict:
        notes.add(node, name, f"must be text, and this is {node.kind}; quotes make it text.")
        return ""
    if len(node.text) > TEXT_LENGTH or _CONTROL.search(node.text):
        notes.add(node, name, f"must be at most {TEXT_LENGTH} characters, without control characters.")
        return ""
    if not node.text.strip() and notes.is_strict:
        notes.add(node, name, "must not be empty.")
    return node.text.strip()


def _in_any_case(word: str, keys: Iterable[str]) -> str:
    return next((key for key in keys if key.lower() == word.lower()), word)
