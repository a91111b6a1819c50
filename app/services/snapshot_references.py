"""Which snapshot somebody means who says ``latest``, a day, ``run:17``, a commit or ``commit:label``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date

from app.errors import Invalid, NotFound
from app.models.snapshot import Snapshot
from app.repositories.snapshots import SnapshotRepository

REFERENCE_LENGTH = 200
FORMS = "latest, previous, a day such as 2026-01-31, run:17, a commit (7 digits at least), or commit:label"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_RUN = re.compile(r"run:([0-9]{1,18})", re.ASCII)
_COMMIT = re.compile(r"([0-9a-f]{7,64})(?::((?:[0-9]{4}-[0-9]{2}-[0-9]{2})?))?", re.ASCII)
_NEWEST = {"latest": 0, "previous": 1}
_SHORT = 12
_NAMED = 3


@dataclass(frozen=True)
class Reference:
    """A reference in its parts; exactly one of ``places``, ``day``, ``run`` and ``commit`` is not None.

    ``places`` counts from the newest snapshot; ``label`` goes with a commit.
    """

    text: str
    places: int | None = None
    day: date | None = None
    run: int | None = None
    commit: str | None = None
    label: str | None = None

    @property
    def is_lasting(self) -> bool:
        """Whether it means the same whatever comes later."""
        return self.run is not None or self.commit is not None

    def find(self, snapshots: SnapshotRepository, clone: str) -> Snapshot | None:
        """Give the snapshot of ``clone`` that is meant, or None.

        Raises:
            Invalid: several commits begin so.
        """
        if self.places is not None:
            return snapshots.find(clone, skip=self.places)
        if self.day is not None:
            return snapshots.of_day(clone, self.day)
        if self.run is not None:
            return snapshots.of_run(clone, self.run)
        commits = snapshots.commits_like(clone, self.commit or "", 2)
        if len(commits) > 1:
            message = f"More than one commit of '{clone}' begins with {self.commit}."
            raise Invalid(message, fields={"snapshot": ["Must name one commit."]}, hint="Give more of its digits.")
        return snapshots.of_commit(clone, commits[0], self.label) if commits else None


def parse(text: str) -> Reference:
    """Read a reference.

    Raises:
        Invalid: it has none of the forms.
    """
    if text in _NEWEST:
        return Reference(text, places=_NEWEST[text])
    if found := _RUN.fullmatch(text):
        return Reference(text, run=int(found[1]))
    if found := _COMMIT.fullmatch(text):
        return Reference(text, commit=found[1], label=found[2])
    try:
        return Reference(text, day=date.fromisoformat(text if _DAY.fullmatch(text) else ""))
    except ValueError:
        rule = f"Must be {FORMS}."
        raise Invalid(f"'{text[:40]}' does not name a snapshot.", fields={"snapshot": [rule]}) from None


def missing(meant: Reference, snapshots: SnapshotRepository, clone: str) -> NotFound:
    """Give the error for a reference that means no snapshot, which names the nearest ones."""
    newest = snapshots.find(clone)
    if newest is None:
        return NotFound(f"The data set '{clone}' has no snapshots.")
    if meant.places is not None:
        return NotFound(f"The data set '{clone}' has one snapshot only.", hint=f"It is {_name(newest)}.")
    hint = f"The newest is {_name(newest)}."
    if meant.day is not None:
        near = [day.isoformat() for day in snapshots.days_around(clone, meant.day)]
        hint = f"The nearest are of {' and '.join(near)}."
    elif meant.run is not None and (runs := snapshots.runs_around(clone, meant.run)):
        hint = f"The nearest are {' and '.join(f'run:{run}' for run in runs)}."
    elif meant.commit is not None and (commits := snapshots.commits_like(clone, meant.commit, 1)):
        labels = snapshots.labels(clone, commits[0], _NAMED)
        hint = f"This commit has {', '.join(f'{commits[0][:_SHORT]}:{label}' for label in labels)}."
    return NotFound(f"The data set '{clone}' has no snapshot '{meant.text[:80]}'.", hint=hint)


def _name(snapshot: Snapshot) -> str:
    label = f":{snapshot.label}" if snapshot.label else ""
    return f"{snapshot.commit[:_SHORT]}{label} of {snapshot.dated_on.isoformat()}"
