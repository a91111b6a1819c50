"""Judge the newest number of a series by its past.

Independent of the rest of the product: numbers in, verdict out, nothing but the standard library.
"""

from app.spike.judging import LONGEST_PAST, checked_parameters, judge, no_metric, replay, rule_version, take_over
from app.spike.methods import DEFAULT_METHOD, METHODS
from app.spike.points import COUNTING, Point, Standing
from app.spike.verdict import Status, Verdict

__all__ = [
    "COUNTING",
    "DEFAULT_METHOD",
    "LONGEST_PAST",
    "METHODS",
    "Point",
    "Standing",
    "Status",
    "Verdict",
    "checked_parameters",
    "judge",
    "no_metric",
    "replay",
    "rule_version",
    "take_over",
]
