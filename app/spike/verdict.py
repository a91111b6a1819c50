"""The verdict on one number, with all that a report prints of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """What was found. Readers must expect further members."""

    OK = "ok"
    SPIKE = "spike"
    NOT_ENOUGH_DATA = "not_enough_data"
    NO_METRIC = "no_metric"
    BAD_METRIC = "bad_metric"


@dataclass(frozen=True)
class Verdict:
    """What was found, the figures behind it and, as ``sentence``, why.

    ``snapshots`` counts the whole series, the newest number included. ``difference`` is ``current - average`` and
    ``gain_percent`` has its sign, whatever the sign of the average. ``low`` and ``high`` are the ends of the accepted
    interval and belong to it. ``score`` is 0 for no deviation and more than 1 for a spike. A figure that is not
    defined, or that no float can hold, is None.
    """

    status: Status
    method: str
    snapshots: int
    sentence: str
    average: float | None = None
    current: float | None = None
    difference: float | None = None
    gain_percent: float | None = None
    expected: float | None = None
    low: float | None = None
    high: float | None = None
    score: float | None = None

    def to_dict(self) -> dict[str, str | int | float | None]:
        """Give the verdict as JSON-ready values; NaN and the infinities, which JSON lacks, become null."""
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
            "sentence": self.sentence,
        }


def _finite(figure: float | None) -> float | None:
    return figure if figure is not None and math.isfinite(figure) else None
