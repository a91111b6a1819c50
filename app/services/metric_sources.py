"""What there is to import: numbers in a clone's control files, and in the records of earlier runs."""

from __future__ import annotations

from app.clock import utc_now
from app.models.metric import CONTROL, PointSource
from app.repositories.metric_imports import ImportRepository
from app.services.agent_context import AgentContext
from app.services.control_files import control_files
from app.services.dated_names import order_key
from app.services.metric_choices import MEASURED
from app.services.metric_history import MOST_POINTS, Found, Traces
from app.services.reported_metrics import Reported, control_point
from app.services.sort_keys import key_of_time, time_of_name


def in_files(context: AgentContext, tool: str, clone: str, end: float) -> Found:
    """Give the control files at the top of a clone; the time of one without a date is that of its newest commit.

    Raises:
        BackendFailed: they cannot be read, or not until ``end``.
    """
    folder, now = context.workdirs.path(clone), utc_now()
    names = sorted(control_files(folder), key=order_key)[-MOST_POINTS:]
    undated = [name for name in names if time_of_name(name) is None]
    written = Traces.of(context.workdirs.history(clone), tool, end).controls if undated else {}
    times = {name: written[name].committed_at if name in written else now for name in names}
    return {CONTROL: [control_point(folder, name, times[name], PointSource.FILE) for name in names]}


def in_runs(context: AgentContext, tool: str, clone: str, _: float) -> Found:
    """Give what was measured of the earlier good runs of a tool in a clone."""
    with context.database.reading_transaction() as session:
        runs = ImportRepository(session).measured_runs(tool, clone, MOST_POINTS)
    found: Found = {}
    for run in runs:
        label, key = f"run-{run.run_id}", key_of_time(run.ended_at, run.run_id)
        for metric, value in run.metrics.items():
            if metric in MEASURED and isinstance(value, int | float):
                point = Reported(label, key, run.ended_at, float(value), str(value), run_id=run.run_id)
                found.setdefault(metric, []).append(point)
    return found
