"""The agent's side of verifying a run: what it wrote, against what is there now and against a replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.compare import Options
from app.compare.apart import Bounds, NotCompared, compare_apart
from app.compare.result import shown_path
from app.errors import BackendFailed
from app.repositories.clone_evidence import MOST_FILES, Change, Tampering, Traces
from app.services.agent_context import AgentContext
from app.services.blob_sources import BlobSources, blob_sources

MOST_BYTES = 512 * 2**20
MOST_DIFFERENCES = 200
_SECONDS = 30.0
_ANSWER_BYTES = 4 * 2**20
_TRACES = ("before", "after", "commit", "replayed", "is_kept_out")


def verify(context: AgentContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer what became of the files of a run.

    The body has the ``clone``, the fields of ``Traces``, and the columns of the ``key`` by which rows are told apart.

    Raises:
        NotFound: the node has no such clone any more.
        BackendFailed: the clone does not have the run's data any more.
    """
    evidence = context.workdirs.evidence(body["clone"], Traces(**{name: body[name] for name in _TRACES}))
    replayed = None if evidence.replayed is None else evidence.replayed[:MOST_FILES]
    return {
        "written": evidence.written,
        "changed": [_tampering(found) for found in evidence.changed],
        "damaged": [shown_path(path) for path in evidence.damaged],
        "too_large": [shown_path(path) for path in evidence.too_large],
        "replayed": None if replayed is None else [_difference(change) for change in replayed],
        "changed_rows": _rows(context, body, [found.change for found in evidence.changed]),
        "replayed_rows": _rows(context, body, replayed or []),
    }


def _tampering(found: Tampering) -> dict[str, Any]:
    return {
        "path": shown_path(found.change.path),
        "is_missing": not found.change.new,
        "is_uncommitted": found.is_uncommitted,
        "commit": found.commit,
        "run": found.run,
        "node": found.node,
    }


def _difference(change: Change) -> dict[str, Any]:
    kind = "missing" if not change.new else "added" if not change.old else "changed"
    return {"path": shown_path(change.path), "change": kind}


def _rows(context: AgentContext, body: Mapping[str, Any], changes: Sequence[Change]) -> list[dict[str, Any]]:
    """Give which rows and cells of the files differ; nothing where that is too much to be found out."""
    both = [change for change in changes if change.old and change.new]
    if not both:
        return []
    history = context.workdirs.history(body["clone"])
    blobs = [blob for change in both for blob in (change.old, change.new)]
    try:
        with blob_sources(history, blobs, MOST_BYTES) as sources:
            return _compared(both, sources, tuple(body["key"]))
    except (BackendFailed, NotCompared):
        # That the files differ is known already, and that is what was asked.
        return []


def _compared(changes: Sequence[Change], sources: BlobSources, key: tuple[str, ...]) -> list[dict[str, Any]]:
    pairs = [(sources.source(change.path, change.old), sources.source(change.path, change.new)) for change in changes]
    bounds = Bounds(seconds=_SECONDS, answer_bytes=_ANSWER_BYTES)
    options = Options(key, limit=MOST_DIFFERENCES)
    answer = compare_apart(pairs, options, bounds=bounds, descriptors=(sources.descriptor,))
    files: list[dict[str, Any]] = answer["files"]
    return files
