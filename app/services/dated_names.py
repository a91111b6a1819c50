"""The dates and numbers in the names of files: by them snapshots are told apart and ordered."""

from __future__ import annotations

import re
from datetime import date

_DATE_OR_NUMBER = re.compile(
    r"""
    (?<![0-9]) (?P<year>(?:19|20)[0-9]{2})
    (?: (?P<month>0[1-9]|1[0-2]) (?P<day>0[1-9]|[12][0-9]|3[01])
      | [-_.] (?P<month_apart>0?[1-9]|1[0-2]) [-_.] (?P<day_apart>0?[1-9]|[12][0-9]|3[01]) )
    (?: [T_ -]? (?P<hour>[01][0-9]|2[0-3]) [-_.:]? (?P<minute>[0-5][0-9]) (?: [-_.:]? (?P<second>[0-5][0-9]) )? )?
    (?![0-9])
    | [0-9]+
    """,
    re.VERBOSE,
)
_MOST_DIGITS = 100
"""Longer numbers count as one that is greater than all others; Python refuses to read one of some thousand digits."""


def order_key(name: str) -> tuple[tuple[int, ...], str]:
    """Give what names are sorted by: the dates and numbers in the name, from left to right, then the name.

    ``2019-9-29``, ``2019_09_29`` and ``20190929`` are the same date; a time of day may follow a date.
    """
    return tuple(number for found in _DATE_OR_NUMBER.finditer(name) for number in _numbers(found)), name


def family(path: str) -> str:
    """Give what all paths have in common that differ only in their dates and numbers."""
    return _DATE_OR_NUMBER.sub("0", path)


def date_of(path: str) -> date | None:
    """Give the first date in the name of a file, else in the nearest folder whose name has one; else None."""
    for part in reversed(path.split("/")):
        for found in _DATE_OR_NUMBER.finditer(part):
            if found["year"] and (day := _date(found)):
                return day
    return None


def _date(found: re.Match[str]) -> date | None:
    number = _numbers(found)[0]
    try:
        return date(number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        # A month does not have so many days; then it is a number that looks like a date.
        return None


def _numbers(found: re.Match[str]) -> tuple[int, ...]:
    if found["year"] is None:
        digits = found[0].lstrip("0")
        return (int(digits or "0") if len(digits) <= _MOST_DIGITS else 10**_MOST_DIGITS,)
    month, day = found["month"] or found["month_apart"], found["day"] or found["day_apart"]
    on = int(found["year"]) * 10_000 + int(month) * 100 + int(day)
    if found["hour"] is None:
        return (on,)
    return on, int(found["hour"]) * 10_000 + int(found["minute"]) * 100 + int(found["second"] or 0)
