"""Incidents of data: when they open, what they tell, and when they are over."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from app.models.metric import Incident
from app.repositories.database import Database
from app.repositories.metrics import MetricRepository
from tests.integration.core.anomalous_runs import DROP, NO_METRIC, OK, SPIKE, History, worst


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
    history.run(worst(OK))
    [incident] = history.incidents()
    assert incident.closed_because == "new_level"
    assert history.told()[1] == ("recovered", "New level after 2 anomalous runs: control from 910 to 412.")


def test_tools_have_incidents_apart(history: History) -> None:
    history.run(worst(DROP))
    with history.database.transaction() as session:
        other = {"tool": "other", "kind": "data", "status": "drop", "summary": "", "metrics": {"control": "drop"}}
        session.add(Incident(**other, opened_at=history.now - timedelta(days=1)))
    history.run(worst(OK))
    assert [(one.tool, one.closed_because) for one in history.incidents()] == [("other", None), ("spike", "recovered")]
