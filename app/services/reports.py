"""The report of a finished run: an object for programs and the same as text for people.

The labels, their order and their spacing are what readers and scripts know; a good run's text ends with
``No data anomalies detected``, every other one with a line that says what to do.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.models.run import Cause, RunStatus
from app.services.judged_lines import judged_lines
from app.spike import Status

LAST_LINES = 20
LINE_LENGTH = 500

_ESCAPE_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# Beside the control characters: half surrogates, which no encoder takes, and what breaks or turns around a line.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")

_ENDINGS = {
    RunStatus.FAILED: "Run failed",
    RunStatus.ABORTED: "Run stopped",
    RunStatus.IN_DOUBT: "Run in doubt",
}
_RUN_AGAIN = "run it again with 'maoctl tool run {again}'"
_REPLAY_AGAIN = "replay run {replayed} again with 'maoctl run replay {replayed}'"
_READ_OUTPUT = "read the whole output with 'maoctl run output {run}'"
_ADVICE = {
    Cause.OK: f"{_READ_OUTPUT}.",
    Cause.TOOL_ERROR: f"{_READ_OUTPUT}, mend the tool, then {_RUN_AGAIN}.",
    Cause.TIMEOUT: f"raise timeout_seconds in the tool's entry or let the tool do less, then {_RUN_AGAIN}.",
    Cause.OOM: f"raise memory_mb in the tool's entry or let the tool use less, then {_RUN_AGAIN}.",
    Cause.CANCELLED: f"{_RUN_AGAIN} when it should run.",
    Cause.IMAGE_MISSING: "check the image in the tool's entry with 'maoctl tool get {tool}' "
    f"and that this node may pull it, then {_RUN_AGAIN}.",
    Cause.DATA_UNAVAILABLE: f"check the tool's data_repo and that this node can reach it, then {_RUN_AGAIN}.",
    Cause.BACKEND_ERROR: f"check the container engine of the node, then {_RUN_AGAIN}.",
    Cause.LOST: f"{_READ_OUTPUT} and look at the data directory before you {_RUN_AGAIN}.",
}


@dataclass(frozen=True, kw_only=True)
class ReportFacts:
    """What is known of a run that is final.

    ``data_dir`` is empty for a tool that keeps no data. ``cron`` is the crontab text of a scheduled run. ``message``
    says in one sentence why the run is what it is. ``verdict`` is a ``Verdict.to_dict()``, None where nothing was
    judged; ``control_text`` is the current metric as its file has it. ``last_lines`` are the end of the tool's output.
    ``quarantine`` is the branch that holds the files of a run whose files were kept out of the data. ``replay_of`` is
    the run that this one repeats, in a folder of its own that nobody else's data are in. ``command_name`` is the
    command of a definition tool that it ran, with ``arguments``.
    """

    run_id: int
    tool: str
    image: str
    status: str
    cause: str
    data_dir: str = ""
    cron: str | None = None
    message: str = ""
    exit_code: int | None = None
    verdict: dict[str, Any] | None = None
    control_text: str | None = None
    last_lines: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    quarantine: str | None = None
    output_commit: str | None = None
    replay_of: int | None = None
    command_name: str | None = None
    arguments: Sequence[str] = ()


def build_report(facts: ReportFacts) -> dict[str, Any]:
    """Build the report, JSON-ready; ``text`` is the whole of it for people, lines joined by line feeds."""
    verdict = _shown_verdict(facts)
    return {
        "runId": facts.run_id,
        "toolImage": facts.image,
        "toolName": facts.tool,
        "dataDirectory": facts.data_dir,
        "message": _scheduler_message(facts),
        "verdict": verdict["status"] if verdict else None,
        "spike": verdict,
        "status": facts.status,
        "cause": facts.cause,
        "reason": facts.message,
        "exitCode": facts.exit_code,
        "lastLines": _last_lines(facts),
        "warnings": [_clean(warning) for warning in facts.warnings],
        "quarantine": facts.quarantine,
        "outputCommit": facts.output_commit,
        "text": "\n".join(_clean(line) for line in [*_head(facts), *_body(facts, verdict)]),
    }


def _shown_verdict(facts: ReportFacts) -> dict[str, Any] | None:
    """Give the verdict unless the run failed; a run that failed *because of* a spike still shows it."""
    is_shown = facts.verdict and (facts.status == RunStatus.SUCCEEDED or Status(facts.verdict["status"]).is_anomaly)
    return facts.verdict if is_shown else None


def _scheduler_message(facts: ReportFacts) -> dict[str, Any]:
    cron = facts.cron or False
    return {"container": facts.image, "tool": facts.tool, "dataset": facts.data_dir, "cron": cron}


def _head(facts: ReportFacts) -> list[str]:
    image = f"Tool image: {facts.image}"
    data = _data_directory(facts)
    message = json.dumps(_scheduler_message(facts), ensure_ascii=False)
    return [
        "Report:",
        image,
        data,
        f"Message to scheduler: {message}",
        "Scheduler output:",
        image,
        f"Name of tool: {facts.tool}",
        data,
    ]


def _data_directory(facts: ReportFacts) -> str:
    return f"Data directory: {facts.data_dir or 'none'}"


def _body(facts: ReportFacts, verdict: dict[str, Any] | None) -> list[str]:
    notes = [f"Warning: {warning}" for warning in facts.warnings]
    if facts.quarantine:
        notes.append(
            f"Files of this run are not in the data but on its branch {facts.quarantine}; decide with "
            f"'maoctl dataset promote {facts.run_id}' or 'maoctl dataset discard {facts.run_id}'"
        )
    if facts.status != RunStatus.SUCCEEDED:
        notes = [_ending(facts), *notes]
    if facts.replay_of is not None and facts.status == RunStatus.SUCCEEDED:
        return [*notes, _comparing(facts.replay_of, facts.run_id)]
    if verdict:
        return [*notes, "Spike detector output:", _data_directory(facts), *_judged(facts, verdict)]
    if facts.status == RunStatus.SUCCEEDED:
        return [*notes, "No data to judge; " + _READ_OUTPUT.format(run=facts.run_id)]
    return [*notes, *_evidence(facts), "What to do: " + _advice(facts)]


def _comparing(replayed: int, run_id: int) -> str:
    return f"Replay of run {replayed}; compare the two with 'maoctl run verify {replayed} --replay {run_id}'"


def _ending(facts: ReportFacts) -> str:
    ending = _ENDINGS[RunStatus(facts.status)]
    return f"{ending}: {facts.message}" if facts.message else ending


def _evidence(facts: ReportFacts) -> list[str]:
    lines = [] if facts.exit_code is None else [f"Exit code: {facts.exit_code}"]
    if last_lines := _last_lines(facts):
        # Indented, so that no line of a tool can pass for one of ours.
        lines += ["End of the tool's output:", *(f"  {line}" for line in last_lines)]
    return lines


def _advice(facts: ReportFacts) -> str:
    advice = _ADVICE[Cause(facts.cause)]
    if facts.replay_of is not None:
        advice = advice.replace(_RUN_AGAIN, _REPLAY_AGAIN)
    return advice.format(run=facts.run_id, tool=facts.tool, again=_again(facts), replayed=facts.replay_of)


def _again(facts: ReportFacts) -> str:
    """Give the words that run the tool again: with its command, where it has commands, and what that was given."""
    if facts.command_name is None:
        return facts.tool
    named = shlex.join([facts.tool, "--command", facts.command_name])
    whole = f"{named} -- {shlex.join(facts.arguments)}" if facts.arguments else named
    return whole if len(whole) <= LINE_LENGTH and whole.isprintable() else named


def _judged(facts: ReportFacts, verdict: dict[str, Any]) -> list[str]:
    return judged_lines(verdict, run_id=facts.run_id, control_text=facts.control_text, again=_again(facts))


def _clean(text: str) -> str:
    """Make one printable line: what a terminal shows of it, without colours and control characters."""
    # Progress bars write over their line; what follows the last carriage return is what was left to see.
    shown = text.rstrip("\r\n").rpartition("\r")[2]
    return _UNPRINTABLE.sub("", _ESCAPE_SEQUENCE.sub("", shown).replace("\t", " "))


def _last_lines(facts: ReportFacts) -> list[str]:
    lines = [_clean(line) for line in facts.last_lines[-LAST_LINES:]]
    return [line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 1] + "…" for line in lines]
