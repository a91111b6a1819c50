"""From what a commit brought to the rows of its snapshots. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from app.models.names import NAME_PATTERN
from app.repositories.clone_history import BlobFacts, Change, ChangedFile
from app.services.control_files import is_control_file, metric_of
from app.services.dated_names import date_of, order_key

_SUBJECT_LENGTH = 200
_TEXT_LENGTH = 300


def by_label(files: Iterable[ChangedFile]) -> dict[str, list[ChangedFile]]:
    """Give the snapshots of one commit: label -> files.

    Where the names have one date it is the label of all the files. Where they have several, each date is a snapshot of
    its own, and files without a date are one without a label. No files are one snapshot, too, which is empty.
    """
    days = {file: date_of(file.path) for file in files}
    labels = {day.isoformat() for day in days.values() if day is not None}
    if len(labels) <= 1:
        return {next(iter(labels), ""): list(days)}
    parts: dict[str, list[ChangedFile]] = {}
    for file, day in days.items():
        parts.setdefault(day.isoformat() if day else "", []).append(file)
    return parts


def snapshot_rows(change: Change, facts: Mapping[str, BlobFacts]) -> list[dict[str, Any]]:
    """Give the columns of a commit's snapshots, without clone and position."""
    common = {
        "commit": change.commit,
        "committed_at": change.committed_at,
        "subject": change.subject[:_SUBJECT_LENGTH],
        **_claims(change.trailers),
    }
    return [{**common, **_measured(change, label, files, facts)} for label, files in by_label(change.files).items()]


def _measured(
    change: Change, label: str, files: Sequence[ChangedFile], facts: Mapping[str, BlobFacts]
) -> dict[str, Any]:
    own = [facts[file.blob] for file in files]
    rows = [fact.rows for fact in own if fact.rows is not None]
    sizes = [fact.size_bytes for fact in own if fact.size_bytes is not None]
    return {
        "label": label,
        "dated_on": date_of(label) or change.committed_at.date(),
        "files": len(files),
        "rows": sum(rows) if rows else None,
        "bytes": sum(sizes) if sizes else None,
        "control_metric": _control_metric(files, facts),
    }


def _control_metric(files: Sequence[ChangedFile], facts: Mapping[str, BlobFacts]) -> float | None:
    controls = [file for file in files if is_control_file(file.path)]
    newest = max(controls, key=lambda file: order_key(file.path), default=None)
    head = facts[newest.blob].head if newest else None
    return metric_of(head).value if head is not None else None


def _claims(trailers: Mapping[str, str]) -> dict[str, Any]:
    """Give what a commit says of itself. Anybody may write that, so it makes no snapshot a run's."""
    by = trailers.get("Mao-Node", "")
    return {
        "node": by if re.fullmatch(NAME_PATTERN, by) else None,
        "tool": trailers.get("Mao-Tool", "")[:_TEXT_LENGTH] or None,
        "image": trailers.get("Mao-Image", "")[:_TEXT_LENGTH] or None,
    }
