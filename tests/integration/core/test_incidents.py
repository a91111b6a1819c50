"""Incidents of data: when they open, what they tell, and when they are over."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from app.errors import NotFound
from app.models.metric import Incident
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.memory_kv import MemoryKv
from app.repositories.metrics import MetricRepository
from app.repositories.registry import Registry
from app.services.incident_lists import IncidentService
from app.services.metric_decisions import MetricDecisionService
from tests.integration.core.anomalous_runs import BAD_METRIC, DROP, NO_METRIC, OK, SPIKE, History, worst


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


def test_an_incident_of_four_runs_is_told_twice(history: History) -> None:
    history.run(worst(OK))
    first = history.run(worst(DROP, rows=SPIKE, bytes=OK))
    for verdict in (worst(DROP), worst(SPIKE), worst(DROP)):
        history.run(verdict)
    last = history.run(worst(OK, rows=OK))
    history.run(worst(OK))
    [incident] = history.incidents()
    assert (incident.opened_by_run, incident.closed_by_run, incident.runs) == (first, last, 4)
    assert (incident.status, incident.closed_because) == ("drop", "recovered")
    assert incident.metrics == {"control": "drop", "rows": "spike"}
    assert history.told() == [
        ("spike", "control: 412 where 890 to 930 was expected; anomalous too: rows."),
        ("recovered", "control and rows as expected again, after 4 anomalous runs."),
    ]


def test_the_verdict_of_a_version_with_one_metric_is_that_of_control(history: History) -> None:
    history.run(DROP)
    history.run(OK)
    assert history.told() == [
        ("spike", "control: 412 where 890 to 930 was expected."),
        ("recovered", "control as expected again, after 1 anomalous run."),
    ]


def test_an_anomaly_after_an_incident_opens_another_one(history: History) -> None:
    for verdict in (DROP, OK, DROP, OK):
        history.run(worst(verdict))
    assert history.kinds() == ["spike", "recovered"] * 2
    assert [incident.closed_because for incident in history.incidents()] == ["recovered"] * 2


def test_a_run_that_was_not_judged_changes_nothing(history: History) -> None:
    history.run(worst(NO_METRIC))
    assert history.incidents() == []
    history.run(worst(DROP))
    for verdict in (None, worst(NO_METRIC, rows=OK), worst(NO_METRIC)):
        history.run(verdict)
    [incident] = history.incidents()
    assert (incident.closed_at, incident.runs, history.kinds()) == (None, 1, ["spike"])


def test_a_run_that_is_noted_again_changes_nothing(history: History) -> None:
    """The last transaction of a run may be repeated after a kill, also when others have followed."""
    opened, went_on = history.run(worst(DROP)), history.run(worst(DROP))
    history.note(opened, worst(DROP))
    history.note(went_on, worst(DROP))
    [incident] = history.incidents()
    assert incident.runs == 2
    closed = history.run(worst(OK))
    for run_id, verdict in ((closed, worst(OK)), (went_on, worst(DROP))):
        history.note(run_id, verdict)
    assert len(history.incidents()) == 1
    assert history.kinds() == ["spike", "recovered"]


def test_what_a_killed_transaction_has_noted_is_not_there(history: History) -> None:
    class Killed(Exception):
        pass

    def killed(*_: object) -> None:
        raise Killed

    run_id = history.run(None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("app.repositories.notifications.NotificationRepository.add", lambda *_, **__: killed())
        with pytest.raises(Killed):
            history.note(run_id, worst(DROP))
    assert (history.incidents(), history.told()) == ([], [])
    history.note(run_id, worst(DROP))
    assert (len(history.incidents()), history.kinds()) == (1, ["spike"])


def test_two_runs_that_end_at_once_open_one_incident(history: History) -> None:
    """As two agents would, or the runs of one tool in two clones."""
    runs = [history.run(None) for _ in range(8)]
    threads = [threading.Thread(target=history.note, args=[run_id, worst(DROP)]) for run_id in runs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [incident] = history.incidents()
    assert (incident.runs, history.kinds()) == (8, ["spike"])


def test_a_second_open_incident_cannot_be_stored(history: History) -> None:
    history.run(worst(DROP))
    twin = {"tool": "spike", "kind": "data", "status": "drop", "summary": "", "opened_at": history.now}
    with pytest.raises(Exception, match="uq_incidents_open") as raised, history.database.transaction() as session:
        session.add(Incident(**twin))
    assert isinstance(raised.value.__cause__, IntegrityError)


def test_three_of_five_runs_must_be_anomalous(history: History) -> None:
    history.entry["metrics"] = {"incidents": {"points": 3, "of": 5}}
    first = history.run(worst(DROP))
    for verdict in (OK, DROP, None, OK):
        history.run(worst(verdict) if verdict else None)
    assert history.incidents() == []
    opening = history.run(worst(DROP))
    [incident] = history.incidents()
    assert (incident.first_run, incident.opened_by_run, incident.runs) == (first, opening, 3)
    assert history.told() == [("spike", "control: 412 where 890 to 930 was expected (3 of the last 5 runs).")]
    history.run(worst(OK))
    history.run(worst(DROP))
    assert history.kinds() == ["spike", "recovered"], "those of an incident that is over count no more"


def test_an_anomaly_that_is_further_back_than_the_window_does_not_count(history: History) -> None:
    history.entry["metrics"] = {"incidents": {"points": 2, "of": 3}}
    for verdict in (DROP, OK, OK, DROP, OK, OK, DROP):
        history.run(worst(verdict))
    assert history.incidents() == []


def test_what_does_not_last_for_the_minutes_opens_nothing(history: History) -> None:
    history.entry["metrics"] = {"incidents": {"minutes": 120}}
    for verdict in (DROP, DROP, OK, DROP, DROP):
        history.run(worst(verdict))
    assert history.incidents() == []
    history.run(worst(DROP))
    assert history.incidents()[0].opened_at == history.now


def test_options_that_nobody_can_use_are_as_if_left_out(history: History) -> None:
    history.entry["metrics"] = {"incidents": {"points": "many"}}
    history.run(worst(DROP))
    assert history.kinds() == ["spike"]


def test_a_new_level_is_told_with_from_what_to_what(history: History) -> None:
    history.run(worst(OK))
    first = history.run(worst(DROP))
    history.run(worst(DROP))
    with history.database.transaction() as session:
        [point] = MetricRepository(session).of_run(first)
        MetricRepository(session).set_standing([point.id], "level")
    history.run(worst(OK | {"current": 415.0}))
    [incident] = history.incidents()
    assert incident.closed_because == "new_level"
    assert history.told()[1] == ("recovered", "New level after 2 anomalous runs: control from 910 to 412.")


@pytest.mark.parametrize("closing", [{"current": 900.0}, {"current": 415.0, "basis": "the level before, of 12 runs"}])
def test_a_level_that_is_left_again_is_no_new_one(history: History, closing: dict[str, Any]) -> None:
    history.run(worst(OK))
    first = history.run(worst(DROP))
    with history.database.transaction() as session:
        [point] = MetricRepository(session).of_run(first)
        MetricRepository(session).set_standing([point.id], "level")
    history.run(worst(OK | closing), standing="level")
    assert history.incidents()[0].closed_because == "recovered"
    assert history.told()[1] == ("recovered", "control as expected again, after 1 anomalous run.")


@pytest.mark.parametrize("second", [{"rows": OK}, {"rows": OK, "pages": NO_METRIC}, {"rows": OK, "pages": BAD_METRIC}])
def test_an_incident_goes_on_until_every_metric_of_it_was_reported(history: History, second: dict[str, Any]) -> None:
    history.run(worst(DROP, pages=SPIKE))
    history.run(worst(OK, **second))
    history.run(worst(OK, pages=OK | {"status": "not_enough_data"}))
    assert history.incidents()[0].closed_at is None
    last = history.run(worst(OK, pages=OK))
    assert (history.incidents()[0].closed_by_run, history.incidents()[0].runs) == (last, 1)


def test_what_is_judged_no_more_keeps_no_incident_open(history: History) -> None:
    history.run(worst(OK, rows=DROP))
    history.entry["metrics"] = {"rows": False}
    history.run(worst(OK))
    assert history.incidents()[0].closed_because == "unjudged"
    assert history.told()[1] == ("recovered", "Not judged any more, by the tool's entry: rows.")


def test_a_run_in_another_clone_closes_nothing(history: History) -> None:
    history.run(worst(DROP))
    history.run(worst(OK), clone="elsewhere")
    assert history.incidents()[0].closed_at is None
    history.run(worst(OK))
    assert history.incidents()[0].closed_because == "recovered"


@pytest.mark.parametrize(
    ("name", "verdict", "sentence"),
    [
        ("control", NO_METRIC, "control: The run wrote no control metric; the three runs before did."),
        (
            "control",
            BAD_METRIC,
            "control: The newest value is no number; the three runs before reported a good number.",
        ),
        ("pages", None, "pages: The run reported no pages; the three runs before did."),
    ],
)
def test_a_metric_that_stops_coming_is_told_of(
    history: History, name: str, verdict: dict[str, Any] | None, sentence: str
) -> None:
    good = {"status": "ok", "metric": "rows", "metrics": {"rows": OK, name: OK}}
    without = {"status": "ok", "metric": "rows", "metrics": {"rows": OK, **({name: verdict} if verdict else {})}}
    for _ in range(2):
        history.run(good)
    history.run(without)
    assert history.incidents() == [], "two runs in a row are too few"
    for _ in range(3):
        history.run(good)
    for _ in range(2):
        history.run(without)
    [incident] = history.incidents()
    status = verdict["status"] if verdict else "no_metric"
    assert (incident.status, incident.metrics, incident.runs, incident.closed_at) == (status, {name: status}, 2, None)
    history.run(good)
    assert history.told() == [("spike", sentence), ("recovered", f"{name} as expected again, after 2 anomalous runs.")]
    assert history.values()[0]["status"] == status


def test_a_measured_number_that_is_missing_is_told_to_nobody(history: History) -> None:
    for _ in range(3):
        history.run(worst(OK, rows=OK))
    history.run(worst(OK))
    assert history.incidents() == []


def test_lost_numbers_count_for_so_many_of_so_many_runs(history: History) -> None:
    history.entry["metrics"] = {"incidents": {"points": 3, "of": 4}}
    for verdict in (OK, OK, OK, NO_METRIC, NO_METRIC):
        history.run(worst(verdict))
    assert history.incidents() == []
    history.run(worst(NO_METRIC))
    assert history.told() == [
        ("spike", "control: The run wrote no control metric; earlier runs did (3 of the last 4 runs).")
    ]


def test_what_was_accepted_as_lost_opens_nothing_again(history: History, owner: Identity) -> None:
    for verdict in (OK, OK, OK, NO_METRIC):
        history.run(worst(verdict))
    service = MetricDecisionService(history.database, Registry(MemoryKv()))
    service.decide(owner, "spike", {"kind": "accept", "why": "it writes none any more"})
    for _ in range(2):
        history.run(worst(NO_METRIC))
    assert [one.closed_because for one in history.incidents()] == ["accepted"]


def test_runs_that_say_nothing_of_the_data_are_passed_over(history: History) -> None:
    history.entry["metrics"] = {"incidents": {"points": 2, "of": 2, "minutes": 120}}
    few = OK | {"status": "not_enough_data"}
    for verdict in (DROP, NO_METRIC, few, DROP):
        history.run(worst(verdict))
    assert history.kinds() == ["spike"]


def test_an_incident_that_becomes_worse_says_what_is_worst(history: History) -> None:
    history.run(worst(SPIKE))
    history.run(worst(DROP))
    history.run(worst(SPIKE))
    [incident] = history.incidents()
    assert (incident.status, incident.summary) == ("drop", "control: 412 where 890 to 930 was expected.")


def test_a_tool_that_nobody_knows_has_no_incidents(history: History) -> None:
    service = IncidentService(history.database, Registry(MemoryKv()))
    history.run(worst(OK))
    assert service.list(tool="spike") == service.list() == []
    history.run(worst(DROP))
    assert [one.tool for one in service.list(tool="spike")] == ["spike"]
    assert service.list(tool="spike", is_open=False) == []
    with pytest.raises(NotFound, match="nosuch"):
        service.list(tool="nosuch")


def test_tools_have_incidents_apart(history: History) -> None:
    history.run(worst(DROP))
    with history.database.transaction() as session:
        other = {"tool": "other", "kind": "data", "status": "drop", "summary": "", "metrics": {"control": "drop"}}
        session.add(Incident(**other, opened_at=history.now - timedelta(days=1)))
    history.run(worst(OK))
    assert [(one.tool, one.closed_because) for one in history.incidents()] == [("other", None), ("spike", "recovered")]
