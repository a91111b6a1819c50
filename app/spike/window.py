"""The end of a series as ``adaptive`` sees it: accepted numbers on a scale of their own, and what they let expect.

The scale is logarithmic for large numbers and linear near zero. Everything is divided by the largest number first, so
that none is too large or too small for a float and a change of units changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import asinh, hypot, sinh, sqrt
from statistics import median

from app.spike.points import Point, Standing
from app.spike.seasons import seasonal_lags

LEVEL_BEFORE = "the level before the last step"
LOOKBACK = 100
"""How many points before the newest are looked at, whether they count or not."""
_STEPS = 30
"""How many accepted steps make the usual error."""
_SOFTEN = 0.4
"""Below this share of the median size of the numbers the scale is linear, above it logarithmic."""
_SOFTEN_ZEROS = 0.02
"""The same, as a share of the largest number, where more than half of the numbers are next to nothing."""
_LARGEST = 700.0
_LEAST_TOP = 1e-290
_MOST = 1e12
"""Beyond so many times the largest accepted number it makes no difference how large a number is."""
_EARLY = 5
_EARLY_PRIOR = (0.15, 0.7)
_PRIOR = (0.0275, 0.35)
"""Steps of 2.75 % are expected of a series of which nothing is known; that weighs as a third of a step that was seen.

Before five numbers count, steps of 15 % are, with twice that weight.
"""
_RESOLUTION = 0.7
"""The smallest step ever seen is at least this share of a usual error: counts move by whole numbers."""
_NO_STEP = 1e-12
_SEASON_SHARE = 0.8
_SEASON_ALONE = 0.4
_SEASON_MINIMUM = 7
"""A season is believed when seven numbers could be compared with it, and where it errs by a fifth less than the others.

Where it errs by less than two fifths of them, they have no say: between weekdays and weekends they explain anything.
"""
_BIG_STEP = 3.0
_RECOVERY = 3
"""The level before a step of more than three usual errors is a forecast for three accepted numbers more."""
_DRIFT_SLACK = 1.25
_DRIFT_CLIP = 2.0
_DRIFT_STEPS = 15
_DRIFT_SKIP = 4


@dataclass(frozen=True)
class Forecast:
    """What is expected, on the scale; the usual error of expecting so, how many steps it is known by, and a name."""

    value: float
    error: float
    steps: int
    what: str


class Window:
    """The accepted numbers near the end of ``past``, and ``current``, the number that is to be judged."""

    def __init__(self, past: Sequence[Point], newest: Point) -> None:
        current = newest.value or 0.0
        self._points = [*past[-LOOKBACK:], newest]
        counted = [place for place, point in enumerate(self._points[:-1]) if point.is_counted]
        self._places = counted[-_STEPS - 1 :]
        largest = max((abs(self._points[place].value or 0.0) for place in self._places), default=0.0)
        self.top = max(largest or abs(current) or 1.0, _LEAST_TOP)
        numbers = [self._number(place) for place in self._places]
        self.current = self._number(len(self._points) - 1)
        self.level = median(map(abs, numbers)) if numbers else 0.0
        self.bend = _SOFTEN * self.level if self.level > _NO_STEP else _SOFTEN_ZEROS
        self.smallest = min(map(abs, numbers), default=0.0)
        self.is_positive = min([*numbers, self.current]) >= 0
        self._levels = self._steps_to_levels(counted)
        self.scaled = [self._scaled_at(place) for place in self._places]
        self.now = asinh(self.current / self.bend)
        self._steps = [later - earlier for earlier, later in pairwise(self.scaled)]
        self.is_early = len(numbers) < _EARLY
        self._prior = _EARLY_PRIOR if self.is_early else _PRIOR
        self.step_error = _usual_error(self._steps, self._prior)
        changes = [abs(later - earlier) for earlier, later in pairwise(numbers)]
        self.smallest_step = min((change for change in changes if change > _NO_STEP), default=0.0)
        self.repeats = sum(change <= _NO_STEP for change in changes) / max(1, len(changes))

    def __len__(self) -> int:
        """Count the accepted numbers."""
        return len(self.scaled)

    def unscaled(self, value: float) -> float:
        """Give the number for a value on the scale, in units of ``top``."""
        return self.bend * sinh(max(-_LARGEST, min(_LARGEST, value)))

    def forecasts(self) -> list[Forecast]:
        """Give every forecast of the number that is to be judged."""
        found = [Forecast(self.scaled[-1], self.step_error, len(self._steps), "the last number")]
        if not self.is_early:
            found.append(self._mean_of_four())
        best = min(forecast.error for forecast in found)
        for season in self._season(best):
            found = [season] if season.error < _SEASON_ALONE * best else [*found, season]
        found += self._before_a_big_step()
        return [self._resolved(forecast) for forecast in found]

    def flagged_before(self) -> float | None:
        """Give the point right before the newest, on the scale, where it was flagged; else None."""
        if len(self._points) < 2 or self._points[-2].is_counted:
            return None
        return self._scaled_at(len(self._points) - 2)

    def drift(self) -> float:
        """Add up what of the last errors is beyond the slack, in usual errors; below zero where the numbers fall.

        The unit is the usual error of the time before the last four steps, so that a drift does not hide itself.
        """
        steps = [*self._steps, self.now - self.scaled[-1]]
        count = len(self._steps)
        unit = _usual_error(steps[: max(min(count, _DRIFT_SKIP), count - _DRIFT_SKIP)], self._prior)
        up = down = 0.0
        for step in steps[-_DRIFT_STEPS - 1 :]:
            clipped = min(_DRIFT_CLIP, max(-_DRIFT_CLIP, step / unit))
            up = max(0.0, up + clipped - _DRIFT_SLACK)
            down = max(0.0, down - clipped - _DRIFT_SLACK)
        return up if up >= down else -down

    def _steps_to_levels(self, counted: Sequence[int]) -> list[tuple[int, float]]:
        """Give where new levels begin, and how far each is from the number before it, on the scale."""
        pairs = [pair for pair in pairwise(counted) if self._points[pair[1]].standing is Standing.LEVEL]
        return [(place, self._unmoved(place) - self._unmoved(before)) for before, place in pairs]

    def _number(self, place: int) -> float:
        value = self._points[place].value or 0.0
        return min(_MOST, max(-_MOST, value / self.top))

    def _scaled_at(self, place: int) -> float:
        """Give a number on the scale, moved as far as the levels have moved since: the step to one is no error."""
        return self._unmoved(place) + sum(step for begin, step in self._levels if begin > place)

    def _unmoved(self, place: int) -> float:
        return asinh(self._number(place) / self.bend)

    def _mean_of_four(self) -> Forecast:
        means = [sum(self.scaled[end - 4 : end]) / 4 for end in range(4, len(self) + 1)]
        errors = [value - mean for value, mean in zip(self.scaled[4:], means, strict=False)]
        return Forecast(means[-1], _usual_error(errors, self._prior), len(errors), "the mean of the last four")

    def _season(self, best_error: float) -> Iterator[Forecast]:
        lags = seasonal_lags([point.at for point in self._points])
        errors = [
            self._unmoved(place) - self._unmoved(place - lag)
            for place in self._places
            if (lag := lags[place]) and self._points[place - lag].is_counted
        ]
        lag, error = lags[-1], _usual_error(errors, self._prior)
        place = len(self._points) - 1 - (lag or 0)
        if (
            lag
            and self._points[place].is_counted
            and len(errors) >= _SEASON_MINIMUM
            and error < _SEASON_SHARE * best_error
        ):
            yield Forecast(self._unmoved(place), error, len(errors), "the number of a season before")

    def _before_a_big_step(self) -> Iterator[Forecast]:
        for index in range(max(1, len(self) - _RECOVERY), len(self)):
            if abs(self.scaled[index] - self.scaled[index - 1]) > _BIG_STEP * self.step_error:
                yield Forecast(self.scaled[index - 1], self.step_error, len(self) - 1, LEVEL_BEFORE)
        recent = self._places[-_RECOVERY:]
        for begin, step in self._levels:
            if begin in recent:
                later = sum(other for place, other in self._levels if place > begin)
                value = self._unmoved(begin) - step + later
                yield Forecast(value, self.step_error, len(self) - 1, LEVEL_BEFORE)

    def _resolved(self, forecast: Forecast) -> Forecast:
        slope = hypot(self.bend, self.unscaled(forecast.value))
        error = sqrt(forecast.error**2 + (_RESOLUTION * self.smallest_step / slope) ** 2)
        return Forecast(forecast.value, error, forecast.steps, forecast.what)


def _usual_error(errors: Sequence[float], prior: tuple[float, float]) -> float:
    """Give the root mean square of errors, with the error that is expected beforehand and its weight."""
    expected, weight = prior
    return sqrt((sum(error * error for error in errors) + weight * expected**2) / (len(errors) + weight))
