"""Put events into series: a history of a given length, then twenty numbers to judge, once clean and once with an event.

Each draw comes from a seed of its own, made of the name of the series, the length of the history and the repetition, so
that no stream depends on which others are built.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from benchmarks.spike_labels import Labels, label
from benchmarks.spike_series import Mask, Series, Values

HISTORIES = (5, 10, 30, 100, 500)
JUDGED = 20
"""So many numbers are judged after each history."""
REPETITIONS = 3
DETECTABLE = 3.0
"""An event is detectable where it changes a number by so many times its usual variation."""
_SPARE = 4
"""A series must be longer than a stream by so many numbers, so that there is a choice of places."""
_FIRST_OFFSET, _LAST_OFFSET = 2, JUDGED - 11
_RAMP = 10
"""A trend grows over so many numbers."""
_SMALLEST_LEVEL = 10
_SMALLEST_NUMBER = 5

Shape = tuple[Values, int]
"""What the numbers from the event on are multiplied by, and by how many numbers later than at once it may be found."""


@dataclass(frozen=True)
class Event:
    """An event from judged number ``offset`` on, over ``length`` numbers, to be found by ``offset + tolerance``.

    ``strength`` is the largest change of a number by then, in times of its usual variation.
    """

    kind: str
    offset: int
    length: int
    tolerance: int
    strength: float

    @property
    def is_detectable(self) -> bool:
        """Tell whether a person would see it."""
        return self.strength >= DETECTABLE


@dataclass(frozen=True)
class Stream:
    """``clean`` is ``history`` numbers and the judged ones after them; ``altered`` is the same with an event.

    ``is_ambiguous`` is of the judged numbers: where nature itself is odd, an alarm is neither right nor wrong.
    """

    series: str
    is_daily: bool
    history: int
    clean: Values
    is_ambiguous: Mask
    altered: Values | None = None
    event: Event | None = None


def streams(series: Iterable[Series], repetitions: int = REPETITIONS) -> Iterator[Stream]:
    """Build ``repetitions`` streams for each series and each length of history that it is long enough for."""
    for one in series:
        labels = label(one)
        for history in HISTORIES:
            if len(one.values) < history + JUDGED + _SPARE:
                continue
            for repetition in range(repetitions):
                yield _stream(one, labels, history, _chance(one.name, history, repetition))


def _chance(name: str, history: int, repetition: int) -> np.random.Generator:
    digest = hashlib.sha256(f"{name}|{history}|{repetition}".encode()).hexdigest()
    return np.random.default_rng(int(digest[:8], 16))


def _stream(series: Series, labels: Labels, history: int, chance: np.random.Generator) -> Stream:
    length = history + JUDGED
    start = int(chance.integers(0, len(series.values) - length + 1))
    part = slice(start, start + length)
    offset = int(chance.integers(_FIRST_OFFSET, _LAST_OFFSET + 1))
    kind = tuple(KINDS)[int(chance.integers(len(KINDS)))]
    clean, ambiguous = series.values[part], labels.is_ambiguous[part]
    stream = Stream(series.name, series.is_daily, history, clean, ambiguous[history:])
    place = history + offset
    if not (series.is_never_negative and _is_fit(clean, ambiguous, place)):
        return stream
    factors, tolerance = KINDS[kind](chance, JUDGED - offset)
    altered = clean.copy()
    changed = slice(place, place + len(factors))
    altered[changed] *= factors
    if series.is_whole:
        altered[changed] = np.round(altered[changed])
    in_time = slice(place, place + tolerance + 1)
    change = float(np.max(np.abs(altered[in_time] - clean[in_time])))
    if change == 0:
        return stream
    event = Event(kind, offset, len(factors), tolerance, change / float(labels.variation[part][place]))
    return Stream(series.name, series.is_daily, history, clean, stream.is_ambiguous, altered, event)


def _is_fit(clean: Values, ambiguous: Mask, place: int) -> bool:
    """Tell whether an event at ``place`` would be one: the numbers there are large enough, and ordinary."""
    level = np.median(clean[max(0, place - 8) : place + 8])
    is_ordinary = not ambiguous[place - 2 : place + 4].any()
    return bool(level > _SMALLEST_LEVEL and clean[place] > _SMALLEST_NUMBER and is_ordinary)


def _between(chance: np.random.Generator, low: float, high: float) -> float:
    """Draw a size so that each factor between two sizes is as likely as any other."""
    return float(np.exp(chance.uniform(np.log(low), np.log(high))))


def _up_or_down(chance: np.random.Generator, part_down: float) -> float:
    return 1.0 if chance.random() < 0.5 else -part_down


def _spike_up(chance: np.random.Generator, _: int) -> Shape:
    return np.array([1 + _between(chance, 0.1, 3)]), 0


def _spike_down(chance: np.random.Generator, _: int) -> Shape:
    return np.array([1 - _between(chance, 0.1, 0.9)]), 0


def _zero(chance: np.random.Generator, _: int) -> Shape:
    length = int(chance.integers(1, 3))
    return np.zeros(length), length - 1


def _partial(chance: np.random.Generator, _: int) -> Shape:
    lost = chance.uniform(0.06, 0.60)
    length = int(chance.integers(1, 4))
    return np.full(length, 1 - lost), length - 1


def _shift(chance: np.random.Generator, left: int) -> Shape:
    size = _between(chance, 0.06, 1.0) * _up_or_down(chance, 0.9)
    return np.full(left, 1 + size), 2


def _trend(chance: np.random.Generator, left: int) -> Shape:
    size = _between(chance, 0.1, 1.0) * _up_or_down(chance, 0.8)
    return 1 + size * np.minimum(np.arange(1, left + 1), _RAMP) / _RAMP, 9


KINDS: dict[str, Callable[[np.random.Generator, int], Shape]] = {
    "spike_up": _spike_up,
    "spike_down": _spike_down,
    "zero": _zero,
    "partial": _partial,
    "shift": _shift,
    "trend": _trend,
}
"""The events by name; the order is part of what the seeds draw."""
