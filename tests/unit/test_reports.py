"""The report of a run: the labels and their order are what people and scripts know."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.models.run import Cause, RunStatus
from app.services.reports import ReportFacts, build_report
from app.spike import Status, judge, no_metric

FOLDER = "/srv/mao/data/spike"
OK_REPORT = """\
Report:
Tool image: panosece/spike:latest
Data directory: /srv/mao/data/spike
Message to scheduler: {"container": "panosece/spike:latest", "tool": "spike", "dataset": "/srv/mao/data/spike", "cron": false}
Scheduler output:
Tool image: panosece/spike:latest
Name of tool: spike
Data directory: /srv/mao/data/spike
Spike detector output:
Data directory: /srv/mao/data/spike
Number of data snapshots: 9
Current rolling average of control metric: 900.0
Value of control metric in current snapshot: 900
Difference:0.0
Gain:0.0%
Expected range: 846 to 954, by the mean of the two snapshots before
No data anomalies detected"""  # noqa: E501 (The text is compared to the letter.)

FAILED: dict[str, Any] = {"status": RunStatus.FAILED, "cause": Cause.TOOL_ERROR, "exit_code": 3, "verdict": None}


def _facts(**changes: Any) -> ReportFacts:
    facts: dict[str, Any] = {
        "run_id": 12,
        "tool": "spike",
        "image": "panosece/spike:latest",
        "status": RunStatus.SUCCEEDED,
        "cause": Cause.OK,
        "data_dir": FOLDER,
        "message": "The tool ended with exit code 0.",
        "exit_code": 0,
        "verdict": judge([900.0] * 9, "rolling").to_dict(),
        "control_text": "900",
    }
    return ReportFacts(**{**facts, **changes})


def _lines(**changes: Any) -> list[str]:
    text: str = build_report(_facts(**changes))["text"]
    return text.split("\n")


def _section(**changes: Any) -> list[str]:
    """Give the lines behind the first eight, which every report has."""
    lines = _lines(**changes)
    assert lines[:8] == OK_REPORT.split("\n")[:8]
    return lines[8:]


def test_the_text_of_a_good_run_is_this_to_the_letter() -> None:
    assert build_report(_facts())["text"] == OK_REPORT


def test_the_object_has_the_same_facts_for_programs() -> None:
    report = build_report(_facts(output_commit="abc", warnings=["Low on disk."]))
    del report["text"]
    assert report == {
        "runId": 12,
        "toolImage": "panosece/spike:latest",
        "toolName": "spike",
        "dataDirectory": FOLDER,
        "message": {"container": "panosece/spike:latest", "tool": "spike", "dataset": FOLDER, "cron": False},
        "verdict": "ok",
        "spike": judge([900.0] * 9, "rolling").to_dict(),
        "status": "SUCCEEDED",
        "cause": "ok",
        "reason": "The tool ended with exit code 0.",
        "exitCode": 0,
        "lastLines": [],
        "warnings": ["Low on disk."],
        "quarantine": None,
        "outputCommit": "abc",
    }


def test_a_scheduled_run_names_its_crontab() -> None:
    report = build_report(_facts(cron="0 0 * * 0"))
    assert report["message"]["cron"] == "0 0 * * 0"
    assert '"cron": "0 0 * * 0"}' in report["text"]


def test_the_value_is_shown_as_its_file_has_it() -> None:
    assert "Value of control metric in current snapshot: 9.00e2" in _lines(control_text="9.00e2")
    assert "Value of control metric in current snapshot: 900.0" in _lines(control_text=None)


def test_a_small_loss_has_its_sign_and_four_decimals() -> None:
    verdict = judge([300.0, 300.0, 299.0], "rolling").to_dict()
    assert _section(verdict=verdict, control_text="299")[-6:] == [
        "Current rolling average of control metric: 300.0",
        "Value of control metric in current snapshot: 299",
        "Difference:-1.0",
        "Gain:-0.3333%",
        "Expected range: 282 to 318, by the mean of the two snapshots before",
        "No data anomalies detected",
    ]


def test_a_loss_too_small_to_show_is_not_a_negative_zero() -> None:
    verdict = judge([1e9, 1e9, 999_999_999.99], "rolling").to_dict()
    assert "Gain:0.0%" in _lines(verdict=verdict)


def test_a_spike_shows_the_figures_and_what_was_expected() -> None:
    verdict = judge([900.0, 900.0, 1000.0], "rolling").to_dict()
    assert _section(verdict=verdict, control_text="1000") == [
        "Spike detector output:",
        f"Data directory: {FOLDER}",
        "Number of data snapshots: 3",
        "Current rolling average of control metric: 900.0",
        "Value of control metric in current snapshot: 1000",
        "Difference:100.0",
        "Gain:11.1111%",
        "Expected range: 846 to 954, by the mean of the two snapshots before",
        "Data anomaly detected: expected a value from 846 to 954; check the data of run 12 before you use it",
    ]


def test_an_anomaly_of_another_metric_is_shown_beside_the_control_metric() -> None:
    control, rows = judge([900.0] * 3, "rolling").to_dict(), judge([50.0, 50.0, 20.0], "rolling").to_dict()
    verdict = {**rows, "metric": "rows", "metrics": {"control": control, "rows": rows}}
    lines = _section(verdict=verdict)
    assert "Current rolling average of control metric: 900.0" in lines
    assert lines[-2:] == [
        "Metric rows: 20 is 60 % below 50, the mean of the two snapshots before; more than 6 % is a spike.",
        "Data anomaly detected in rows: expected a value from 47 to 53; check the data of run 12 before you use it",
    ]


def test_the_first_numbers_that_count_have_no_expected_range() -> None:
    verdict = judge([0.0, 0.0, 5.0], "adaptive").to_dict()
    assert "Expected value: none yet, too few numbers count" in _lines(verdict=verdict)


def test_a_spike_around_zero_has_no_gain() -> None:
    verdict = judge([0.0, 0.0, 5.0], "rolling").to_dict()
    assert "Gain:not defined" in _lines(verdict=verdict)


def test_a_spike_beyond_all_floats_is_still_a_report() -> None:
    verdict = judge([-1.7e308, -1.7e308, 1.7e308], "rolling").to_dict()
    lines = _lines(verdict=verdict)
    assert "Difference:too large to write" in lines
    assert "expected a value near -1.7e+308" in lines[-1]


def test_too_few_snapshots_are_counted_and_more_are_asked_for() -> None:
    verdict = judge([900.0, 900.0], "rolling").to_dict()
    assert _section(verdict=verdict) == [
        "Spike detector output:",
        f"Data directory: {FOLDER}",
        "Number of data snapshots: 2",
        "Not enough snapshots to judge (2 of 3)",
        "Run the tool again to add a snapshot: 'maoctl tool run spike'",
    ]


def test_a_tool_without_a_control_file_is_told_what_to_write() -> None:
    assert _section(verdict=no_metric(7).to_dict(), control_text=None)[2:] == [
        "Number of data snapshots: 7",
        "Tool wrote no control metric",
        "Let the tool write a number as the first cell of control-<date>.csv at the top of its data directory",
    ]


def test_a_bad_metric_is_shown_as_it_is() -> None:
    verdict = judge([900.0, 900.0, None], "rolling").to_dict()
    assert _section(verdict=verdict, control_text="many")[2:] == [
        "Number of data snapshots: 3",
        "Value of control metric in current snapshot: many",
        "The newest control metric is not a finite number.",
        "Let the tool write a plain number, such as 900 or 3.5",
    ]


def test_a_failed_tool_shows_its_exit_code_and_last_lines_and_no_spike_section() -> None:
    changes = {
        **FAILED,
        "message": "The tool ended with exit code 3.",
        "verdict": judge([900.0] * 3, "rolling").to_dict(),
    }
    report = build_report(_facts(**changes, last_lines=["Fetching", "No data anomalies detected"]))
    assert report["text"].split("\n")[8:] == [
        "Run failed: The tool ended with exit code 3.",
        "Exit code: 3",
        "End of the tool's output:",
        "  Fetching",
        "  No data anomalies detected",
        "What to do: read the whole output with 'maoctl run output 12', mend the tool, "
        "then run it again with 'maoctl tool run spike'.",
    ]
    assert (report["spike"], report["verdict"]) == (None, None)
    assert report["lastLines"] == ["Fetching", "No data anomalies detected"]


def test_only_the_last_twenty_lines_are_shown() -> None:
    report = build_report(_facts(**FAILED, last_lines=[f"line {number}" for number in range(30)]))
    assert report["lastLines"] == [f"line {number}" for number in range(10, 30)]
    assert "  line 9" not in report["text"].split("\n")


def test_a_run_that_fails_because_of_a_spike_shows_the_spike() -> None:
    verdict = judge([900.0, 900.0, 1000.0], "rolling").to_dict()
    section = _section(**{**FAILED, "exit_code": 0, "message": "A spike was found.", "verdict": verdict})
    assert section[:2] == ["Run failed: A spike was found.", "Spike detector output:"]
    assert section[-1].startswith("Data anomaly detected: expected a value from 846 to 954")


@pytest.mark.parametrize(
    ("status", "cause", "first", "last"),
    [
        (RunStatus.ABORTED, Cause.CANCELLED, "Run stopped: why", "run it again with 'maoctl tool run spike'"),
        (RunStatus.FAILED, Cause.TIMEOUT, "Run failed: why", "raise timeout_seconds in the tool's entry"),
        (RunStatus.FAILED, Cause.OOM, "Run failed: why", "raise memory_mb in the tool's entry"),
        (RunStatus.FAILED, Cause.IMAGE_MISSING, "Run failed: why", "check the image in the tool's entry"),
        (RunStatus.FAILED, Cause.DATA_UNAVAILABLE, "Run failed: why", "check the tool's data_repo"),
        (RunStatus.FAILED, Cause.BACKEND_ERROR, "Run failed: why", "check the container engine"),
        (RunStatus.IN_DOUBT, Cause.LOST, "Run in doubt: why", "look at the data directory before you run it again"),
    ],
)
def test_every_bad_ending_says_why_and_what_to_do(status: RunStatus, cause: Cause, first: str, last: str) -> None:
    section = _section(status=status, cause=cause, message="why", exit_code=None, verdict=None)
    assert section[0] == first
    assert section[-1].startswith("What to do: ")
    assert last in section[-1]
    assert len(section) == 2


@pytest.mark.parametrize("cause", Cause)
@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.ABORTED, RunStatus.IN_DOUBT])
def test_no_pair_of_state_and_cause_is_without_an_answer(status: RunStatus, cause: Cause) -> None:
    last = _lines(status=status, cause=cause, verdict=None)[-1]
    assert last.startswith("What to do: ")
    assert "{" not in last


@pytest.mark.parametrize("status", Status)
def test_every_verdict_has_a_section_that_ends_with_advice_or_the_good_news(status: Status) -> None:
    verdict = {**judge([900.0] * 3, "rolling").to_dict(), "status": status.value}
    last = _lines(verdict=verdict)[-1]
    words = ("No data anomalies detected", "check the data", "Run the tool again", "Let the tool write")
    assert any(word in last for word in words)


def test_a_tool_that_keeps_no_data_has_a_report_without_a_spike_section() -> None:
    lines = _lines(data_dir="", verdict=None, control_text=None)
    assert lines[2] == lines[7] == "Data directory: none"
    assert lines[8:] == ["No data to judge; read the whole output with 'maoctl run output 12'"]
    assert '"dataset": ""' in lines[3]


def test_warnings_and_the_branch_of_kept_files_come_before_the_spike_section() -> None:
    section = _section(warnings=["A process was killed."], quarantine="quarantine/12")
    assert section[:3] == [
        "Warning: A process was killed.",
        "Files of this run are not in the data but on its branch quarantine/12; decide with "
        "'maoctl dataset promote 12' or 'maoctl dataset discard 12'",
        "Spike detector output:",
    ]
    assert section[-1] == "No data anomalies detected"


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://x\x1b\\link", "link"),
        ("nul\x00bell\x07\x9b", "nulbell"),
        ("10 %\r50 %\r100 %\r\n", "100 %"),
        ("a\tb", "a b"),
        ("a\nReport:\u2028b", "aReport:b"),
        ("\u202eabc\ud800", "abc"),
        ("Zürich – 東京 ✓", "Zürich – 東京 ✓"),
        ("x" * 600, "x" * 499 + "…"),
    ],
)
def test_what_a_tool_printed_is_shown_without_control_characters(line: str, shown: str) -> None:
    report = build_report(_facts(**FAILED, last_lines=[line]))
    assert report["lastLines"] == [shown]
    assert f"  {shown}" in report["text"].split("\n")


def test_no_other_text_from_outside_brings_control_characters_either() -> None:
    changes = {"message": "a\x1b[2Jb\n", "warnings": ["c\x00d"], "quarantine": "e\x07f"}
    for report in (
        build_report(_facts(**changes, control_text="9\x1b[m")),
        build_report(_facts(**{**FAILED, **changes})),
    ):
        assert all(character.isprintable() or character == "\n" for character in report["text"])
        assert report["warnings"] == ["cd"]


def test_the_report_is_ready_for_json() -> None:
    report = build_report(_facts(verdict=judge([0.0, 0.0, 1e308], "rolling").to_dict()))
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_a_replay_names_the_run_that_it_repeats_and_how_the_two_are_compared() -> None:
    good = _lines(run_id=15, replay_of=12, data_dir="", verdict=None)
    assert good[-1] == "Replay of run 12; compare the two with 'maoctl run verify 12 --replay 15'"
    lost = _lines(run_id=15, replay_of=12, data_dir="", **{**FAILED, "exit_code": None, "cause": Cause.BACKEND_ERROR})
    again = "replay run 12 again with 'maoctl run replay 12'."
    assert lost[-1] == f"What to do: check the container engine of the node, then {again}"


def test_a_run_of_a_definition_tool_is_told_to_be_run_again_with_its_command() -> None:
    named = {"command_name": "count", "arguments": ["two words", "-1"]}
    again = "'maoctl tool run spike --command count -- 'two words' -1'"
    assert _lines(**FAILED, **named)[-1].endswith(f"then run it again with {again}.")
    few = judge([900.0, 900.0], "rolling").to_dict()
    assert _lines(verdict=few, **named)[-1] == f"Run the tool again to add a snapshot: {again}"
    for arguments in ([], ["x" * 1000], ["a\rb"]):
        last = _lines(**FAILED, command_name="count", arguments=arguments)[-1]
        assert last.endswith("then run it again with 'maoctl tool run spike --command count'.")
