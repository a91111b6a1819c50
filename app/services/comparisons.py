"""Compare two snapshots of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from app.errors import NotFound
from app.models.snapshot import Snapshot
from app.repositories.registry import Registry
from app.services.questions import QuestionService
from app.services.snapshots import SnapshotService
from app.services.tool_rules import KEY_COLUMNS

KIND = "compare"
SCOPES = ["snapshot", "tree"]
FORMS = ["json", "text", "csv", "html"]
LIMITS = (0, 10_000)
_COLUMN_LENGTH = 255


def key_rule(columns: Sequence[str]) -> Iterator[str]:
    """Say what is wrong with the columns of a key."""
    if len(columns) > KEY_COLUMNS or len(set(columns)) < len(columns):
        yield f"Must be at most {KEY_COLUMNS} different columns."
    if any(len(column) > _COLUMN_LENGTH or "\0" in column for column in columns):
        yield f"Each column must have at most {_COLUMN_LENGTH} characters, and none of them may be NUL."


class ComparisonService:
    """Finds which snapshots are meant; the agent compares them."""

    def __init__(self, registry: Registry, snapshots: SnapshotService, questions: QuestionService) -> None:
        self._registry = registry
        self._snapshots = snapshots
        self._questions = questions

    def compare(
        self, name: str, old: str, new: str, *, key: Sequence[str], scope: str, form: str, limit: int
    ) -> dict[str, Any]:
        """Give what differs between the snapshots ``old`` and ``new`` of the clone ``name``.

        Without a ``key`` that of the data set's entry counts; where it has none, whole rows are compared.

        Raises:
            NotFound: there is no such clone or snapshot.
            Invalid: a reference has none of the forms.
            StillWorking: the agent is at work on it.
            BackendFailed: there is too much to compare.
        """
        before, after = self._snapshots.resolve(name, old), self._snapshots.resolve(name, new)
        columns = list(key or self._key_of(name))
        asked = {
            "clone": name,
            "old": _place(before),
            "new": _place(after),
            "key": columns,
            "scope": scope,
            "form": form,
            "limit": limit,
        }
        found = self._questions.ask(KIND, asked)
        return {**found, "old": _place(before), "new": _place(after), "key": columns, "scope": scope}

    def _key_of(self, name: str) -> Sequence[str]:
        try:
            return self._registry.get_dataset(name)[0].key
        except NotFound:
            # A tool with a raw address has a clone, and no data set.
            return ()


def _place(snapshot: Snapshot) -> dict[str, str]:
    return {"commit": snapshot.commit, "label": snapshot.label}
