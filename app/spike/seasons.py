"""Seasons: which earlier point is of the same weekday, or of the same hour of the day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

_RECENT = 30
_SEASONS = ((timedelta(days=1), timedelta(days=7)), (timedelta(hours=1), timedelta(hours=24)))
"""How far points are apart, and after how long they are alike."""
_TOLERANCE = 0.2


def seasonal_lags(times: Sequence[datetime | None]) -> list[int | None]:
    """Give for each time how many places before it the time of a season ago is, None where there is none.

    Daily numbers are alike on the same weekday, hourly ones at the same hour; the last thirty gaps tell which they are.
    A point may be a fifth of the usual gap early or late.
    """
    known = [time for time in times if time is not None]
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(known[-_RECENT - 1 :])]
    step = timedelta(seconds=median(gaps) if len(gaps) >= 2 and len(known) == len(times) else 0.0)
    season = next((season for usual, season in _SEASONS if abs(step - usual) <= _TOLERANCE * usual), None)
    if season is None:
        return [None] * len(times)
    slots = [round((time - known[0]) / step) for time in known]
    places = {slot: place for place, slot in enumerate(slots)}
    steps = round(season / step)
    lags = (place - places.get(slot - steps, place) for place, slot in enumerate(slots))
    return [lag if lag > 0 else None for lag in lags]
