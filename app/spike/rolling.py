"""The rule that the first users of this product know: compare with the mean of the two snapshots before.

It is a spike when the newest number lies more than ``threshold_percent`` above or below that mean. *More than* is
strict and exact: 106 after 100 and 100 is a gain of 6 %, no more, and no spike at 6 %. Floats cannot promise that
(127.2 - 120 comes out above 0.06 * 120), so the rule is computed in fractions of the decimals as they were written,
and the difference is compared with its permitted size, not a rounded percentage with the threshold.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

from app.spike.verdict import Status, Verdict

NAME = "rolling"
MINIMUM_VALUES = 3
DEFAULTS = {"threshold_percent": 6.0}
VERSION = 1
"""Raised with every change after which the rule may judge the same numbers otherwise."""


def compare(past: Sequence[float], current: float, snapshots: int, parameters: Mapping[str, float]) -> Verdict:
    """Compare ``current`` with the mean of the last two numbers of ``past``.

    The gain is relative to the size of the mean, so it has the sign of the difference for negative means too. Around a
    mean of 0 any other number is a spike without a gain. So is a number so far off that no float holds the difference.
    """
    threshold = parameters["threshold_percent"]
    average = (_exact(past[-2]) + _exact(past[-1])) / 2
    difference = _exact(current) - average
    permitted = abs(average) * _exact(threshold) / 100
    is_beyond_floats = _float(difference) is None
    is_spike = is_beyond_floats or abs(difference) > permitted
    gain = None if is_beyond_floats else _gain_percent(difference, average)
    return Verdict(
        status=Status.SPIKE if is_spike else Status.OK,
        method=NAME,
        snapshots=snapshots,
        sentence=_sentence(current, float(average), gain, threshold, is_spike),
        average=float(average),
        current=current,
        difference=_float(difference),
        gain_percent=gain,
        expected=float(average),
        low=_float(average - permitted),
        high=_float(average + permitted),
        score=_score(difference, permitted),
    )


def _exact(number: float) -> Fraction:
    # The shortest text of a float is the decimal that was written; the float itself is only near it.
    return Fraction(repr(number))


def _float(number: Fraction) -> float | None:
    try:
        return float(number)
    except OverflowError:
        return None


def _gain_percent(difference: Fraction, average: Fraction) -> float | None:
    if difference == 0:
        return 0.0
    return _float(difference / abs(average) * 100) if average else None


def _score(difference: Fraction, permitted: Fraction) -> float | None:
    if difference == 0:
        return 0.0
    return _float(abs(difference) / permitted) if permitted else None


def _sentence(current: float, average: float, gain: float | None, threshold: float, is_spike: bool) -> str:
    if gain is None:
        change = "is not comparable in percent with"
    elif gain == 0:
        change = "equals"
    else:
        change = f"is {abs(gain):.4g} % {'above' if gain > 0 else 'below'}"
    rule = f"more than {threshold:g} % is a spike" if is_spike else f"up to {threshold:g} % is accepted"
    return f"{current:.12g} {change} {average:.12g}, the mean of the two snapshots before; {rule}."
