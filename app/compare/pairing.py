"""Which file of one snapshot belongs to which of another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

_NUMBERS = re.compile(r"(\d+)")


class Pair(NamedTuple):
    """Two paths that belong together; None where a side has none."""

    old: str | None
    new: str | None


def paired(old: Iterable[str], new: Iterable[str], *, by_pattern: bool = False) -> list[Pair]:
    """Pair paths, in the order of the newer ones, then those that are gone.

    The same path belongs to the same path. ``by_pattern``, paths that are left and differ only in their numbers (such
    as dates) belong together too: the newest of them with the newest, and so on.
    """
    before, after = set(old), set(new)
    partners = {path: path for path in before & after}
    if by_pattern:
        partners |= _by_pattern(before - after, after - before)
    gone = before - set(partners.values())
    pairs = [Pair(partners.get(path), path) for path in sorted(after, key=natural)]
    return pairs + [Pair(path, None) for path in sorted(gone, key=natural)]


def natural(path: str) -> tuple[object, ...]:
    """Give the key by which paths are ordered as people count: ``a-9`` before ``a-10``."""
    parts = _NUMBERS.split(path)
    # Text and numbers take turns, so that like is compared with like. Length orders numbers of any size.
    numbers = ((len(part.lstrip("0")), part.lstrip("0")) for part in parts[1::2])
    return (tuple(parts[::2]), tuple(numbers), path)


def _by_pattern(old: Iterable[str], new: Iterable[str]) -> dict[str, str]:
    before, after = _grouped(old, _pattern), _grouped(new, _pattern)
    return {
        newer: older
        for pattern in before.keys() & after.keys()
        for newer, older in zip(reversed(after[pattern]), reversed(before[pattern]), strict=False)
    }


def _pattern(path: str) -> str:
    return _NUMBERS.sub("0", path)


def _grouped(paths: Iterable[str], key: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for path in sorted(paths, key=natural):
        groups.setdefault(key(path), []).append(path)
    return groups
