"""The product's methods as plain functions, for judges other than the one in this folder.

Each takes all numbers ``x``, the length ``h`` of the history, and whether the numbers are daily; it gives one score for
each of ``x[h:]``, judged with only the numbers before it. A score of 1 or more is an alarm.
"""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.spike_detectors import Begin
from benchmarks.spike_product import product_method

_ENOUGH = 150
"""How many numbers before the first judged one are replayed: ``adaptive`` looks back at 100."""


def adaptive(x: Iterable[float], h: int, daily: bool = False) -> list[float]:
    """Score by the default method, from no more of the history than it looks at."""
    left_out = max(0, h - _ENOUGH)
    return _scores(product_method("adaptive"), list(x)[left_out:], h - left_out, daily)


def rolling(x: Iterable[float], h: int, daily: bool = False) -> list[float]:
    """Score by the original rule."""
    return _scores(product_method("rolling"), x, h, daily)


def zscore(x: Iterable[float], h: int, daily: bool = False) -> list[float]:
    """Score by mean and standard deviation of the whole past."""
    return _scores(product_method("zscore"), x, h, daily)


def mad(x: Iterable[float], h: int, daily: bool = False) -> list[float]:
    """Score by median and median absolute deviation."""
    return _scores(product_method("mad"), x, h, daily)


def _scores(begin: Begin, x: Iterable[float], h: int, daily: bool) -> list[float]:
    numbers = [float(value) for value in x]
    step = begin(numbers[:h], daily)
    return [step(value) for value in numbers[h:]]
