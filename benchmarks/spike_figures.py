"""What a detector's scores are worth: false alarms, events found, and the threshold at which false alarms are rare.

A row of alarms one right after the other is one alarm, for every detector. In ambiguous places an alarm is neither
right nor wrong.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.spike_events import Event, Stream
from benchmarks.spike_series import Mask, Values

PERMITTED_PART = 0.002
_RETURN = 5
"""So many numbers after an event it is looked whether its end raises an alarm too."""
_SETTLED = 3
"""A new level may raise alarms for so many numbers."""


@dataclass(frozen=True)
class Scored:
    """A detector's scores of the judged numbers of a stream, without its event and, where it has one, with it."""

    stream: Stream
    clean: Values
    altered: Values | None


@dataclass(frozen=True)
class Share:
    """So many of so many."""

    count: int = 0
    total: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(self.count + other.count, self.total + other.total)

    @property
    def value(self) -> float:
        """Give it as a number from 0 to 1; 0 where there is nothing to count."""
        return self.count / self.total if self.total else 0.0


@dataclass
class Figures:
    """What was counted at one threshold; ``found`` and ``echoes`` are of events, the others of decisions."""

    threshold: float
    false: Share = Share()
    false_before_events: int = 0
    found_any: Share = Share()
    found: Share = Share()
    echoes: int = 0
    false_by_history: dict[int, Share] = field(default_factory=lambda: defaultdict(Share))
    found_by_history: dict[int, Share] = field(default_factory=lambda: defaultdict(Share))
    found_by_kind: dict[str, Share] = field(default_factory=lambda: defaultdict(Share))

    @property
    def precision(self) -> float:
        """Give the part of the alarms that an event caused."""
        alarms = self.found_any.count + self.false.count + self.false_before_events
        return self.found_any.count / alarms if alarms else 0.0

    @property
    def f1(self) -> float:
        """Give the harmonic mean of the precision and the part of the detectable events that was found."""
        total = self.precision + self.found.value
        return 2 * self.precision * self.found.value / total if total else 0.0

    @property
    def echo(self) -> float:
        """Give how many alarms an event causes after it is over, or after the new level was to be accepted."""
        return self.echoes / self.found_any.total if self.found_any.total else 0.0


def count(scored: Sequence[Scored], threshold: float) -> Figures:
    """Count what happens where every score from ``threshold`` up is an alarm."""
    figures = Figures(threshold)
    for one in scored:
        _count_clean(figures, one)
        if one.altered is not None and one.stream.event is not None:
            _count_event(figures, one.stream, one.altered >= threshold, one.stream.event)
    return figures


def rare_alarm_threshold(scored: Sequence[Scored], permitted: float = PERMITTED_PART) -> float:
    """Give the lowest threshold with at most ``permitted`` false alarms a decision, searched by halving.

    False alarms do not grow rarer with every step of the threshold, because rows of alarms merge and part; so a step
    counts only together with the next one.
    """
    scores = np.array([one.clean for one in scored])
    judged = ~np.array([one.stream.is_ambiguous for one in scored])
    candidates = np.unique(scores[judged])
    candidates = candidates[candidates > 0]
    if not len(candidates):
        return 1.0

    def is_rare(place: int) -> bool:
        alarms = _onsets(scores >= candidates[min(place, len(candidates) - 1)]) & judged
        return bool(alarms.sum() / judged.sum() <= permitted)

    place = bisect_left(range(len(candidates)), True, key=lambda place: is_rare(place) and is_rare(place + 1))
    return float(candidates[place]) if place < len(candidates) else float(np.nextafter(candidates[-1], np.inf))


def _onsets(alarms: Mask) -> Mask:
    """Keep the first of each row of alarms; time is the last axis."""
    first = alarms.copy()
    first[..., 1:] &= ~alarms[..., :-1]
    return first


def _count_clean(figures: Figures, one: Scored) -> None:
    judged = ~one.stream.is_ambiguous
    alarms = _onsets(one.clean >= figures.threshold) & judged
    false = Share(int(alarms.sum()), int(judged.sum()))
    figures.false += false
    figures.false_by_history[one.stream.history] += false


def _count_event(figures: Figures, stream: Stream, alarms: Mask, event: Event) -> None:
    begins = event.offset
    is_found = bool(alarms[begins : begins + event.tolerance + 1].any())
    figures.found_any += Share(is_found, 1)
    before = _onsets(alarms)[:begins] & ~stream.is_ambiguous[:begins]
    figures.false_before_events += int(before.sum())
    figures.echoes += _echoes(alarms, event)
    # What no person would see counts neither for nor against a detector; a table still shows the length or the kind.
    share = Share(is_found, 1) if event.is_detectable else Share()
    figures.found += share
    figures.found_by_history[stream.history] += share
    figures.found_by_kind[event.kind] += share


def _echoes(alarms: Mask, event: Event) -> int:
    if event.kind == "trend":
        return 0
    over = event.offset + (_SETTLED if event.kind == "shift" else event.length)
    return int(alarms[over : over + _RETURN].sum())
