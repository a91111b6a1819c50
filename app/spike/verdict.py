"""The verdict on one number, with all that a report prints of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from app.spike.points import Standing


class Status(StrEnum):
    """What was found. Readers must expect further members."""

    OK = "ok"
    SPIKE = "spike"
    DROP = "drop"
    ZERO = "zero"
    DRIFT = "drift"
    LEVEL_SHIFT = "level_shift"
    MISSING = "missing"
    NOT_ENOUGH_DATA = "not_enough_data"
    NO_METRIC = "no_metric"
    BAD_METRIC = "bad_metric"

    @property
    def is_anomaly(self) -> bool:
        """Tell whether the number was judged, and found to be other than expected."""
        return self in _ANOMALIES

    @property
    def severity(self) -> int:
        """Rank what was found: the higher, the more it needs a person."""
        return _BY_SEVERITY.index(self)


_BY_SEVERITY = (
    Status.OK,
    Status.NOT_ENOUGH_DATA,
    Status.NO_METRIC,
    Status.BAD_METRIC,
    Status.MISSING,
    Status.DRIFT,
    Status.LEVEL_SHIFT,
    Status.SPIKE,
    Status.DROP,
    Status.ZERO,
)
_ANOMALIES = frozenset({Status.SPIKE, Status.DROP, Status.ZERO, Status.DRIFT, Status.LEVEL_SHIFT})


@dataclass(frozen=True)
class Finding:
    """What a method found of one number: the part of a verdict that differs between methods.

    ``low`` and ``high`` are the ends of the accepted interval and belong to it. ``score`` is 0 for no deviation; from 1
    on it is an anomaly (with ``rolling``, above 1). ``basis`` says in a few words what the expectation was made of.
    ``standing`` is what the number is for those after it, and ``takes_over`` how many points directly before it,
    flagged so far, count with it from now on as a new level; points that judge nothing may lie between.
    """

    status: Status
    sentence: str
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None
    basis: str = ""
    standing: Standing = Standing.COUNTED
    takes_over: int = 0


@dataclass(frozen=True, kw_only=True)
class Verdict(Finding):
    """What was found by ``method``, the figures behind it and, as ``sentence``, why.

    ``snapshots`` counts the whole series, the newest number included. ``average`` is the mean of the last two numbers
    before the newest that count, whatever the method; ``difference`` is ``current - average`` and ``gain_percent`` has
    its sign, whatever the sign of the average. A figure that is not defined, or that no float can hold, is None.
    """

    method: str
    snapshots: int
    average: float | None = None
    current: float | None = None
    difference: float | None = None
    gain_percent: float | None = None

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Give what a reader is told of it as JSON-ready values; NaN and the infinities, which JSON lacks, are null."""
        return {
            "status": self.status.value,
            "method": self.method,
            "snapshots": self.snapshots,
            "average": _finite(self.average),
            "current": _finite(self.current),
            "difference": _finite(self.difference),
            "gainPercent": _finite(self.gain_percent),
            "expected": _finite(self.expected),
            "low": _finite(self.low),
            "high": _finite(self.high),
            "score": _finite(self.score),
            "basis": self.basis,
            "sentence": self.sentence,
        }


def _finite(figure: float | None) -> float | None:
    return figure if figure is not None and math.isfinite(figure) else None
