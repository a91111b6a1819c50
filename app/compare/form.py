"""What form a file of rows has: its encoding, delimiter, line ends and header, found out from its beginning.

Whatever is not certain is decided for the plainer reading, and both sides of a comparison are looked at together, so
that a file is not read in one way today and in another tomorrow.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.compare.beginning import Beginning
from app.compare.options import DELIMITERS, Options, WrongUse

_VALUE = re.compile(r"[-+]?[\d.,:/ %T-]*\d[\d.,:/ %Z+-]*([eE][-+]?\d+)?|true|false|null|none|nan", re.IGNORECASE)


@dataclass(frozen=True)
class Form:
    """How one file is read. ``columns`` are unique names; without a header they are called by their numbers."""

    delimiter: str
    has_header: bool
    columns: tuple[str, ...]


def forms_of(old: Beginning, new: Beginning, options: Options) -> tuple[Form, Form]:
    """Find out how the two sides of a comparison are read.

    Raises:
        WrongUse: a column of the key is in neither header.
    """
    delimiters = _delimiters(old, new, options)
    samples = (old.sample(delimiters[0]), new.sample(delimiters[1]))
    has_header = options.has_header if options.has_header is not None else _have_header(samples, options.key)
    forms = [
        Form(delimiter, has_header and bool(sample), _columns(sample, has_header))
        for delimiter, sample in zip(delimiters, samples, strict=True)
    ]
    return forms[0], forms[1]


class _Fit(NamedTuple):
    """How well a delimiter fits a file: the share of rows of the usual width, and that width."""

    share: float
    width: int


def _delimiters(old: Beginning, new: Beginning, options: Options) -> tuple[str, str]:
    if options.delimiter:
        return options.delimiter, options.delimiter
    fits = _fits(old), _fits(new)
    own = _best(fits[0]), _best(fits[1])
    # A side with one column, or with nothing, shows none: then it has the other's.
    ours, theirs = own[0] or own[1] or DELIMITERS[0], own[1] or own[0] or DELIMITERS[0]
    shared = _best_of_both(*fits)
    if ours == theirs or not shared:
        return ours, theirs
    # Cells hold other delimiters too. So one for both is likelier, unless two of their own fit without exception.
    is_own_perfect = fits[0][ours].share == fits[1][theirs].share == 1
    is_shared_perfect = fits[0][shared].share == fits[1][shared].share == 1
    return (ours, theirs) if is_own_perfect and not is_shared_perfect else (shared, shared)


def _fits(beginning: Beginning) -> dict[str, _Fit]:
    """Tell how well each delimiter fits that stands in the rows at all."""
    fits: dict[str, _Fit] = {}
    for delimiter in DELIMITERS:
        widths = Counter(len(row) for row in beginning.sample(delimiter))
        for width, rows in widths.most_common(1):
            if width > 1:
                fits[delimiter] = _Fit(rows / widths.total(), width)
    return fits


def _best(fits: Mapping[str, _Fit]) -> str | None:
    return max(fits, key=lambda delimiter: fits[delimiter], default=None)


def _best_of_both(old: Mapping[str, _Fit], new: Mapping[str, _Fit]) -> str | None:
    """Choose by the side that it fits better: an exception on the other side may be just what differs."""

    def fit(delimiter: str) -> tuple[float, float, int]:
        ours, theirs = old[delimiter], new[delimiter]
        shares = ours.share, theirs.share
        return max(shares), min(shares), min(ours.width, theirs.width)

    return max((delimiter for delimiter in old if delimiter in new), key=fit, default=None)


def _have_header(samples: Sequence[list[list[str]]], key: Sequence[str]) -> bool:
    """Tell whether the first rows are names: the key's are among them, or they look so and what follows does not."""
    filled = [sample for sample in samples if sample]
    if not filled:
        return False
    if key and all(set(key) <= set(sample[0]) for sample in filled):
        return True
    if not all(_are_names(sample[0]) for sample in filled):
        return False
    is_same = len(filled) > 1 and set(filled[0][0]) == set(filled[1][0])
    return is_same or all(any(_VALUE.fullmatch(cell) for row in sample[1:] for cell in row) for sample in filled)


def _are_names(cells: Sequence[str]) -> bool:
    names = [cell.strip() for cell in cells]
    return all(names) and len(set(names)) == len(names) and not any(map(_VALUE.fullmatch, names))


def _columns(sample: list[list[str]], has_header: bool) -> tuple[str, ...]:
    first = sample[0] if sample else []
    unique: dict[str, None] = {}
    times: Counter[str] = Counter()
    for number, cell in enumerate(first, 1):
        name = wanted = (cell.strip() if has_header else "") or column_name(number)
        times[name] += 1
        while wanted in unique:
            wanted = f"{name} ({times[name]})"
            times[name] += wanted in unique
        unique[wanted] = None
    return tuple(unique)


def column_name(number: int) -> str:
    """Give the name of a column, counted from 1, that has none."""
    return f"column {number}"


def key_positions(key: Sequence[str], columns: Sequence[str], *, is_empty_fine: bool = False) -> tuple[int, ...]:
    """Find the columns of a key by their names, or by their numbers from 1 where no name fits.

    With ``is_empty_fine``, files without any column have every key.

    Raises:
        WrongUse: a column is not there.
    """
    positions: list[int] = []
    if is_empty_fine and not columns:
        return ()
    for name in key:
        if name in columns:
            positions.append(columns.index(name))
        elif name.isascii() and name.isdigit() and 1 <= int(name[:9]) <= len(columns):
            positions.append(int(name) - 1)
        else:
            there = ", ".join(columns[:20]) or "none"
            raise WrongUse(f"There is no column '{name}' in both files; they share: {there}.")
    return tuple(positions)
