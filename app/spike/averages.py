"""How far a number lies from the mean of the two before it: the figures that every report prints.

*More than 6 %* is strict and exact: 106 after 100 and 100 is a gain of 6 %, no more. Floats cannot promise that
(127.2 - 120 comes out above 0.06 * 120), so it is computed in fractions of the decimals as they were written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Change:
    """``current`` against ``average``, the mean of the last two numbers before it, both exact."""

    average: Fraction
    difference: Fraction

    @property
    def gain_percent(self) -> float | None:
        """The difference in percent of the size of the mean, so it has the sign of the difference for negative means.

        None around a mean of 0, and where no float holds it.
        """
        if self.difference == 0:
            return 0.0
        is_defined = self.average != 0 and nearest_float(self.difference) is not None
        return nearest_float(self.difference / abs(self.average) * 100) if is_defined else None


def change_of(past: Sequence[float], current: float) -> Change:
    """Compare with the last two numbers of ``past``, which has at least two."""
    average = (exact(past[-2]) + exact(past[-1])) / 2
    return Change(average, exact(current) - average)


def exact(number: float) -> Fraction:
    """Give the decimal that was written; the float itself is only near it."""
    return Fraction(repr(number))


def nearest_float(number: Fraction) -> float | None:
    """Give the nearest float, or None where there is none so large."""
    try:
        return float(number)
    except OverflowError:
        return None
