"""The one form in which every detector is measured: it is given a history, then one number after the other.

A detector never holds a number that comes later, so it cannot look at one, and each step is what a run of the product
would wait for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.spike_events import Stream
from benchmarks.spike_figures import Scored
from benchmarks.spike_series import Values

Step = Callable[[float], float]
"""Gives the score of the next number, the higher the odder, and lets that number be part of the past."""
Begin = Callable[[Sequence[float], bool], Step]
"""Takes a history, and whether it is daily."""
Score = Callable[[Sequence[float], float, bool], float]
"""Gives the score of a number from all numbers before it and whether they are daily."""

_HIGHEST = 1e9
"""Stands for a score without a bound, so that all scores can be put in order."""


@dataclass(frozen=True)
class Detector:
    """A detector with its own ``threshold`` (a score from there up is an alarm) and how it was set up."""

    name: str
    begin: Begin
    threshold: float
    setting: str


def from_past(score: Score) -> Begin:
    """Make a detector of a function that needs nothing but the past: every number becomes part of it."""

    def begin(history: Sequence[float], is_daily: bool) -> Step:
        past = list(history)

        def step(value: float) -> float:
            result = score(past, value, is_daily)
            past.append(value)
            return result

        return step

    return begin


def score_streams(detector: Detector, streams: Iterable[Stream]) -> tuple[list[Scored], float]:
    """Score all judged numbers; give the scores, and the processor time of a decision in milliseconds.

    The time is that of the steps alone: the product does not judge the past again when a number comes.
    """
    clock = _Clock()
    scored = [_scored(detector, stream, clock) for stream in streams]
    return scored, clock.milliseconds


def _scored(detector: Detector, stream: Stream, clock: _Clock) -> Scored:
    scores = partial(_scores, detector, stream.history, stream.is_daily, clock)
    return Scored(stream, scores(stream.clean), None if stream.altered is None else scores(stream.altered))


def _scores(detector: Detector, history: int, is_daily: bool, clock: _Clock, values: Values) -> Values:
    numbers = [float(value) for value in values]
    step = detector.begin(numbers[:history], is_daily)
    began = time.process_time()
    scores = [step(value) for value in numbers[history:]]
    clock.add(time.process_time() - began, len(scores))
    finite: Values = np.nan_to_num(np.array(scores), nan=0.0, posinf=_HIGHEST)
    return finite


class _Clock:
    def __init__(self) -> None:
        self._seconds = 0.0
        self._steps = 0

    def add(self, seconds: float, steps: int) -> None:
        self._seconds += seconds
        self._steps += steps

    @property
    def milliseconds(self) -> float:
        return 1000 * self._seconds / max(self._steps, 1)
