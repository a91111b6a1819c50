"""What is the same for every method: which values count, and whether there are enough of them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping, Sequence

from app.spike.methods import DEFAULT_METHOD, METHODS
from app.spike.verdict import Status, Verdict


def judge(
    values: Sequence[float | None], method: str = DEFAULT_METHOD, parameters: Mapping[str, float] | None = None
) -> Verdict:
    """Judge the last of ``values``, the newest, by those before it.

    None, NaN and the infinities are no numbers: in the past they are left out, as the newest they are ``bad_metric``.

    Raises:
        ValueError: the method or a parameter is unknown, or a parameter is not a finite number from 0 up.
    """
    settings = checked_parameters(method, parameters)
    if not values:
        return _without_enough(method, 0, 0)
    current = _finite(values[-1])
    if current is None:
        sentence = "The newest control metric is not a finite number."
        return Verdict(Status.BAD_METRIC, method, len(values), sentence)
    past = [number for number in map(_finite, values[:-1]) if number is not None]
    if len(past) + 1 < METHODS[method].minimum_values:
        return _without_enough(method, len(values), len(past) + 1, current)
    return METHODS[method].compare(past, current, len(values), settings)


def no_metric(snapshots: int, method: str = DEFAULT_METHOD) -> Verdict:
    """Give the verdict on a run that reported no number, so that nothing old is judged in its place."""
    return Verdict(Status.NO_METRIC, method, snapshots, "The run wrote no control metric.")


def checked_parameters(method: str, parameters: Mapping[str, float] | None = None) -> dict[str, float]:
    """Give every parameter of ``method``, with its default where ``parameters`` does not name it.

    Raises:
        ValueError: as for ``judge``.
    """
    if method not in METHODS:
        raise ValueError(f"Unknown method '{method}'. {_nearest(method, METHODS)}")
    settings = dict(METHODS[method].defaults)
    for name, value in (parameters or {}).items():
        if name not in settings:
            raise ValueError(f"Method '{method}' has no parameter '{name}'. {_nearest(name, settings)}")
        number = _finite(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        if number is None or number < 0:
            raise ValueError(f"Parameter '{name}' of method '{method}' must be a finite number from 0 up.")
        settings[name] = number
    return settings


def rule_version(method: str) -> int | None:
    """Give the version of the rule of ``method``, or None where there is no such method."""
    known = METHODS.get(method)
    return known.version if known else None


def _without_enough(method: str, snapshots: int, usable: int, current: float | None = None) -> Verdict:
    minimum = METHODS[method].minimum_values
    left_out = f"; {snapshots - usable} more hold no number" if snapshots > usable else ""
    sentence = f"Not enough snapshots to judge ({usable} of {minimum}{left_out})"
    return Verdict(Status.NOT_ENOUGH_DATA, method, snapshots, sentence, current=current)


def _finite(value: float | None) -> float | None:
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:  # An integer may be larger than every float.
        return None
    return number if math.isfinite(number) else None


def _nearest(name: str, known: Iterable[str]) -> str:
    names = list(known)
    matches = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean '{matches[0]}'?" if matches else f"There is: {', '.join(names)}."
