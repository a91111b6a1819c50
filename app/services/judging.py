"""Judge the control metric that a run wrote."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.models.run import Run
from app.services.agent_context import AgentContext
from app.services.control_files import control_series, judge_series
from app.services.requests import tool_of
from app.spike import DEFAULT_METHOD, Status, Verdict, checked_parameters, rule_version

CONTROL = "control"
"""The metric of ``control-*.csv``, as a tool's ``metrics`` names it."""


@dataclass(frozen=True)
class Judgement:
    """The verdict as the record keeps it, and the current metric as its file has it."""

    verdict: dict[str, Any]
    control_text: str | None = None

    @property
    def is_spike(self) -> bool:
        """Tell whether the newest value is anomalous."""
        return bool(self.verdict["status"] == Status.SPIKE)


def judge_run(context: AgentContext, run: Run, written: Sequence[str]) -> Judgement | None:
    """Judge the newest control metric by the files that the run wrote; None for a tool that keeps no data.

    A run that wrote no new control file is ``no_metric``, never judged on old data. What is wrong with the tool's
    choice of a method is said in the verdict: it is no reason to refuse the data.
    """
    if run.clone is None:
        return None
    method, parameters = _chosen(run)
    series = control_series(context.workdirs.path(run.clone), written)
    try:
        verdict = judge_series(series, method, parameters)
    except ValueError as error:
        sentence = f"The tool's metrics entry cannot be used: {error}"
        verdict = Verdict(Status.BAD_METRIC, method, series.snapshots, sentence)
    return Judgement(verdict.to_dict(), series.current_text)


def detector_of(run: Run) -> dict[str, Any]:
    """Give the rule that ``judge_run`` judges a run by: method, every parameter, and the version of the rule.

    Of a choice that cannot be used, the parameters are given as they were chosen.
    """
    method, parameters = _chosen(run)
    with suppress(ValueError):
        parameters = checked_parameters(method, parameters)
    return {"method": method, "parameters": parameters, "ruleVersion": rule_version(method)}


def _chosen(run: Run) -> tuple[str, dict[str, Any]]:
    chosen = tool_of(run).metrics.get(CONTROL) or {}
    parameters = {**chosen} if isinstance(chosen, dict) else {"metrics": chosen}
    return str(parameters.pop("method", DEFAULT_METHOD)), parameters
