"""Judge the newest number of a series by its past.

Independent of the rest of the product: numbers in, verdict out, nothing but the standard library.
"""

from app.spike.judging import checked_parameters, judge, no_metric, rule_version
from app.spike.methods import DEFAULT_METHOD
from app.spike.verdict import Status, Verdict

__all__ = ["DEFAULT_METHOD", "Status", "Verdict", "checked_parameters", "judge", "no_metric", "rule_version"]
