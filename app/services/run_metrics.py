"""What is measured of every good run without asking: numbers by name, beside the metric that its tool reports."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Sequence
from contextlib import suppress

from app.errors import MaoError, NotFound, Superseded
from app.models.names import NAME_PATTERN
from app.models.run import Run
from app.repositories.clone_history import ChangedFile, History
from app.services.agent_context import AgentContext
from app.services.requests import tool_of
from app.services.table_changes import table_changes

log = logging.getLogger(__name__)
_READING_SECONDS = 30.0


def measured(context: AgentContext, run: Run, output_tree: str | None) -> dict[str, float]:
    """Measure what a run added or changed between its ``baseline_tree`` and ``output_tree``.

    What cannot be measured, or not within the limits, is absent. Nothing here fails a run.
    """
    if run.clone is None or run.baseline_tree is None or not output_tree:
        return {}
    metrics: dict[str, float] = {}
    try:
        history = context.workdirs.history(run.clone)
        files = history.changes_between(run.baseline_tree, output_tree)
        metrics["files"] = float(len(files))
        metrics |= _totals(history, files)
        metrics |= table_changes(history, run.baseline_tree, files, _key(context, run))
    except Superseded:
        raise
    except MaoError as error:
        log.info("Not everything could be measured of run %s: %s", run.id, error.message)
    except Exception:
        log.exception("Run %s could not be measured.", run.id)
    return metrics


def _totals(history: History, files: Sequence[ChangedFile]) -> dict[str, float]:
    """Count rows and bytes of all that was written; what is no text has no rows."""
    end = time.monotonic() + _READING_SECONDS
    copies: dict[str, int] = {}
    for file in files:
        copies[file.blob] = copies.get(file.blob, 0) + 1
    rows = size = 0
    with history.contents() as contents:
        for blob, facts in contents.facts(copies):
            rows += (facts.rows or 0) * copies[blob]
            size += (facts.size_bytes or 0) * copies[blob]
            if time.monotonic() > end:
                return {}
    return {"rows": float(rows), "bytes": float(size)}


def _key(context: AgentContext, run: Run) -> Sequence[str]:
    """Give the columns by which the rows of the run's data set are told apart; none: whole rows."""
    name = tool_of(run).data_repo
    if re.fullmatch(NAME_PATTERN, name):
        with suppress(NotFound):
            return context.registry.get_dataset(name)[0].key
    return ()
