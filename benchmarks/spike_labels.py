"""What a person with the whole series before them would say of each number: how much it varies there, and whether it is
an oddity of its own. Made from both sides of each number, so no detector may see it.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from benchmarks.spike_series import Mask, Series, Values

_NEIGHBOURS = (1, 2, 3)
_WEEKS = (7, 14)
_LONG_ENOUGH_FOR_WEEKS = 40
_AROUND = 30
"""So many numbers on each side say how much a number varies."""
_NORMAL_CONSISTENCY = 1.4826
_ODD = 6
"""A number or a step is an oddity from so many times the usual variation on."""
_SHARPEST = 4
"""A change of level counts as one where the number itself jumps by so many times the usual variation."""
_LEVEL = 4
"""So many numbers make a level."""
_SMALLEST_PART = 0.003
_SMALLEST_COUNT = 0.7
_SMALLEST = 1e-9


@dataclass(frozen=True)
class Labels:
    """For each number of a series: its usual variation there, and whether nature itself is ambiguous there."""

    variation: Values
    is_ambiguous: Mask


def label(series: Series) -> Labels:
    """Compare each number with the medians of its neighbours and, in daily series, of the same weekday."""
    level = _median_at(series.values, _NEIGHBOURS)
    distances = [np.abs(series.values - level)]
    if series.is_daily and len(series.values) > _LONG_ENOUGH_FOR_WEEKS:
        distances.append(np.abs(series.values - _median_at(series.values, _WEEKS)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        nearest = np.nanmin(distances, axis=0)
        variations = np.array([_NORMAL_CONSISTENCY * _median_around(distance) for distance in distances])
        calmest = np.nanmin(variations, axis=0)
    variation = np.maximum(calmest, _smallest_variation(series, level))
    return Labels(variation, (nearest > _ODD * variation) | _begins_a_level(series.values, variation))


def _smallest_variation(series: Series, level: Values) -> Values:
    smallest = np.maximum(_SMALLEST_PART * np.abs(level), _SMALLEST)
    return np.maximum(smallest, _SMALLEST_COUNT) if series.is_whole else smallest


def _median_at(values: Values, distances: tuple[int, ...]) -> Values:
    """Give for each number the median of those so far before and after it, without itself."""
    others = np.full((2 * len(distances), len(values)), np.nan)
    for row, distance in enumerate(distances):
        others[2 * row, distance:] = values[:-distance]
        others[2 * row + 1, :-distance] = values[distance:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        median: Values = np.nanmedian(others, axis=0)
    return median


def _median_around(values: Values) -> Values:
    padded = np.pad(values, _AROUND, constant_values=np.nan)
    median: Values = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 2 * _AROUND + 1), axis=1)
    return median


def _begins_a_level(values: Values, variation: Values) -> Mask:
    begins = np.zeros(len(values), dtype=np.bool_)
    for place in range(2, len(values) - 2):
        before = np.median(values[max(0, place - _LEVEL) : place])
        after = np.median(values[place : place + _LEVEL])
        begins[place] = (
            abs(after - before) > _ODD * variation[place]
            and abs(values[place] - values[place - 1]) > _SHARPEST * variation[place]
        )
    return begins
