"""Judge the control metric that a run wrote."""

from __future__ import annotations

from typing import Any

from app.errors import BackendFailed
from app.models.run import Run
from app.services.agent_context import AgentContext
from app.services.control_files import control_series
from app.services.requests import tool_of
from app.spike import Status, judge

CONTROL = "control"
"""The metric of ``control-*.csv``, as a tool's ``metrics`` names it."""


def judge_run(context: AgentContext, run: Run) -> dict[str, Any]:
    """Give the verdict on the newest control metric as the record keeps it.

    A run that wrote no new control file is ``no_metric``: it is never judged on old data.

    Raises:
        BackendFailed: the tool's ``metrics`` name a method or parameter that does not exist.
    """
    if run.clone is None or run.baseline_tree is None:
        return {"status": str(Status.NO_METRIC), "sentence": "The tool keeps no data.", "snapshots": 0}
    written = context.workdirs.changed_since(run.clone, run.baseline_tree)
    series = control_series(context.workdirs.path(run.clone), written)
    if series.current_text is None:
        sentence = "The run wrote no new control file."
        return {"status": str(Status.NO_METRIC), "sentence": sentence, "snapshots": series.snapshots}
    chosen = dict(tool_of(run).metrics.get(CONTROL) or {})
    method = str(chosen.pop("method", "rolling"))
    try:
        verdict = judge(series.values, method=method, parameters=chosen)
    except ValueError as error:
        raise BackendFailed(f"The tool's metrics entry cannot be used: {error}") from error
    return {**verdict.to_dict(), "snapshots": series.snapshots, "currentText": series.current_text}
