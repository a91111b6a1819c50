"""What is measured of every good run without asking: numbers by name, beside the metric that its tool reports."""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from app.errors import MaoError, NotFound, Superseded
from app.models.names import NAME_PATTERN
from app.models.run import Run
from app.repositories.clone_history import ChangedFile, History
from app.services.agent_context import AgentContext
from app.services.requests import tool_of
from app.services.table_changes import TooLarge, table_changes

log = logging.getLogger(__name__)
_SECONDS = 10.0
"""How long a run that is over may be held up by all measuring together."""


@dataclass(frozen=True)
class Measurement:
    """Numbers by name, and warnings that tell what could not be measured within the limits."""

    metrics: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def measured(context: AgentContext, run: Run, output_tree: str | None) -> Measurement:
    """Measure what a run added or changed between its ``baseline_tree`` and ``output_tree``.

    What cannot be measured, or not within the limits, is absent. Nothing here fails a run.
    """
    made, end = Measurement(), time.monotonic() + _SECONDS
    if run.clone is None or run.baseline_tree is None or not output_tree:
        return made
    try:
        history = context.workdirs.history(run.clone)
        files = history.changes_between(run.baseline_tree, output_tree)
        made.metrics["files"] = float(len(files))
        _count(history, files, made.metrics, end)
        made.metrics.update(table_changes(history, run.baseline_tree, files, _key(context, run), end))
    except Superseded:
        raise
    except (MaoError, TooLarge) as error:
        log.info("Not everything could be measured of run %s: %s", run.id, error)
        if isinstance(error, TooLarge) or time.monotonic() >= end:
            what = "Changed rows" if "rows" in made.metrics else "Rows"
            made.warnings.append(f"{what} were not counted: the files are too large.")
    except Exception:
        log.exception("Run %s could not be measured.", run.id)
    return made


def _count(history: History, files: Sequence[ChangedFile], metrics: dict[str, float], end: float) -> None:
    """Add bytes and rows of all that was written; what is no text has no rows, and sizes are known without reading."""
    copies = Counter(file.blob for file in files)
    metrics["bytes"] = float(sum((size or 0) * copies[blob] for blob, size in history.sizes(copies).items()))
    with history.contents(end=end) as contents:
        metrics["rows"] = float(sum((facts.rows or 0) * copies[blob] for blob, facts in contents.facts(copies)))


def _key(context: AgentContext, run: Run) -> Sequence[str]:
    """Give the columns by which the rows of the run's data set are told apart; none: whole rows."""
    name = tool_of(run).data_repo
    if re.fullmatch(NAME_PATTERN, name):
        with suppress(NotFound):
            return context.registry.get_dataset(name)[0].key
    return ()
