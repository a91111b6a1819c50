"""A metric's series as it is judged: what PostgreSQL has of it, what is reported now, and the verdicts on that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from app.models.metric import CONTROL
from app.repositories.database import Session
from app.repositories.metrics import MetricRepository, NewPoint, SeriesName, StoredPoint
from app.services.answering import storable
from app.services.metric_choices import Choice
from app.services.reported_metrics import Reported
from app.spike import LONGEST_PAST, Point, Standing, Status, Verdict, judge, take_over


@dataclass
class SeriesChange:
    """What judging a series changes: points that are new, and the standings of stored ones, by their ids."""

    name: SeriesName
    points: list[NewPoint] = field(default_factory=list)
    standings: dict[int, Standing] = field(default_factory=dict)

    def store(self, session: Session) -> None:
        """Write it down; doing so twice changes nothing but which of two equal points is current."""
        metrics = MetricRepository(session)
        metrics.add(self.name, self.points)
        for standing in set(self.standings.values()):
            ids = [number for number, given in self.standings.items() if given == standing]
            # Only what is flagged is taken over; somebody may have decided about it since it was read.
            metrics.set_standing(ids, standing, only_from=Standing.FLAGGED)


@dataclass
class Judged:
    """The verdict on the newest number, and what is to be written down."""

    verdict: Verdict
    change: SeriesChange


def judge_reported(
    name: SeriesName,
    stored: Sequence[StoredPoint],
    reported: Iterable[Reported],
    choice: Choice,
    share: float = 1.0,
    *,
    is_kept_out: bool = False,
) -> Judged:
    """Judge every number that is ``reported``, each by what is before it, and give the verdict on the last of them.

    ``stored`` has the series so far, oldest first; one whose label is reported again is left out of the past. Both are
    put into one order. What is stored keeps its verdict; its standing changes where a new level is made of it. With
    ``is_kept_out`` nothing is: what was flagged is no data until a person has decided.

    Raises:
        ValueError: the method or a parameter is not what ``app.spike`` knows.
    """
    new = sorted(reported, key=lambda point: point.sort_key)
    labels = {point.label for point in new}
    rows: list[StoredPoint | Reported] = [point for point in stored if point.label not in labels]
    rows = sorted([*rows, *new], key=lambda row: row.sort_key)
    walk = _Walk(SeriesChange(name), choice, share, is_kept_out)
    verdicts = [verdict for row in rows if (verdict := walk.step(row)) is not None]
    return Judged(verdicts[-1], walk.change)


class _Walk:
    """Goes along a series; ``past`` and ``rows`` are equally long."""

    def __init__(self, change: SeriesChange, choice: Choice, share: float, is_kept_out: bool) -> None:
        self.change = change
        self._is_kept_out = is_kept_out
        self._choice = choice
        self._share = share
        self._past: list[Point] = []
        self._rows: list[StoredPoint | Reported] = []

    def step(self, row: StoredPoint | Reported) -> Verdict | None:
        """Take the next point; give the verdict on it where it has none yet."""
        verdict = None
        point = Point(row.value, row.measured_at)
        if isinstance(row, Reported):
            verdict = self._judged(row, point)
            self._take_over(verdict)
            self.change.points.append(_new_point(row, verdict))
            point = replace(point, standing=verdict.standing)
        else:
            is_out = self._is_kept_out and row.standing == Standing.FLAGGED
            point = replace(point, standing=Standing.EXCLUDED if is_out else Standing(row.standing))
        self._past.append(point)
        self._rows.append(row)
        return verdict

    def _judged(self, row: Reported, point: Point) -> Verdict:
        series = [*self._past[-LONGEST_PAST:], point]
        verdict = judge(series, self._choice.method, self._choice.parameters, share=self._share)
        verdict = replace(verdict, snapshots=len(self._past) + 1)
        if verdict.status is Status.BAD_METRIC:
            what = "control file" if self.change.name.metric == CONTROL else f"value of {self.change.name.metric}"
            return replace(verdict, sentence=f"The newest {what} {row.reason}.")
        return verdict

    def _take_over(self, verdict: Verdict) -> None:
        for index in take_over(self._past, verdict):
            row, standing = self._rows[index], self._past[index].standing or Standing.COUNTED
            if isinstance(row, StoredPoint):
                self.change.standings[row.id] = standing
            else:
                self._stand(row.label, standing)

    def _stand(self, label: str, standing: Standing) -> None:
        """Let a point that is not stored yet stand so: its own verdict stays as it was."""
        points = self.change.points
        index = next(index for index in reversed(range(len(points))) if points[index].label == label)
        points[index] = replace(points[index], standing=standing)


def _new_point(row: Reported, verdict: Verdict) -> NewPoint:
    return NewPoint(
        label=row.label,
        sort_key=row.sort_key,
        measured_at=row.measured_at,
        value=row.value,
        reported=str(storable(row.text)),
        judged=verdict.standing,
        standing=verdict.standing,
        status=verdict.status,
        verdict=storable(verdict.to_dict()),
        source=row.source,
        run_id=row.run_id,
    )
