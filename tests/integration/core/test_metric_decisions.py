"""Decisions about metrics: what they change, what they tell, and that they can be taken back."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from app.clock import utc_now
from app.errors import Invalid, NotFound, WrongState
from app.models.run import Run
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.memory_kv import MemoryKv
from app.repositories.metric_decisions import MetricDecisionRepository
from app.repositories.metrics import SeriesName
from app.repositories.registry import Registry
from app.services.deciding import accept_run
from app.services.incidents import tell_unmuted
from app.services.metric_decisions import DecisionView, MetricDecisionService
from app.services.metric_series import SeriesChange
from app.spike import Standing
from tests.integration.core.anomalous_runs import DROP, OK, SPIKE, History, worst


class Person:
    """Somebody who decides about the tool of a history."""

    def __init__(self, database: Database, identity: Identity) -> None:
        self.service = MetricDecisionService(database, Registry(MemoryKv()))
        self._identity = identity

    def decides(self, kind: str, tool: str = "spike", **values: Any) -> DecisionView:
        return self.service.decide(self._identity, tool, {"kind": kind, "why": "seen it", **values})

    def undoes(self, view: DecisionView) -> DecisionView:
        return self.service.undo(self._identity, "spike", view.decision.id, "mistaken")


@pytest.fixture
def history(database: Database) -> History:
    return History(database)


@pytest.fixture
def olga(database: Database, owner: Identity) -> Person:
    return Person(database, owner)


def test_accepting_makes_a_level_of_the_newest_stretch_and_closes_the_incident(history: History, olga: Person) -> None:
    for verdict in (OK, DROP, OK, DROP, DROP):
        history.run(worst(verdict))
    view = olga.decides("accept")
    assert [(point.before, point.after) for point in view.points] == [("flagged", "level"), ("flagged", "counted")]
    assert history.standings() == ["counted", "flagged", "counted", "level", "counted"]
    assert history.incidents()[0].closed_because == "accepted"
    assert history.told()[-1] == ("recovered", "Accepted by olga after 2 anomalous runs (control): seen it")


def test_an_incident_goes_on_with_the_metrics_that_were_not_accepted(history: History, olga: Person) -> None:
    history.run(worst(DROP, rows=SPIKE))
    olga.decides("accept", metric="rows")
    [incident] = history.incidents()
    assert (incident.closed_at, incident.metrics) == (None, {"control": "drop"})
    olga.decides("accept", metric="control")
    assert history.incidents()[0].closed_because == "accepted"


def test_an_incident_of_a_method_that_flags_nothing_can_be_accepted_too(history: History, olga: Person) -> None:
    history.run(worst(DROP), standing="counted")
    assert olga.decides("accept").points == []
    assert history.incidents()[0].closed_because == "accepted"


def test_accepting_an_older_run_leaves_todays_incident_open(history: History, olga: Person) -> None:
    old = history.run(worst(DROP))
    history.run(worst(OK))
    history.run(worst(DROP))
    olga.decides("accept", run_id=old)
    assert history.standings() == ["level", "counted", "flagged"]
    assert history.incidents()[0].closed_at is None


def test_rejecting_takes_out_what_the_newest_run_reported(history: History, olga: Person) -> None:
    history.run(worst(OK, rows=OK))
    history.run(worst(OK, rows=OK))
    view = olga.decides("reject")
    assert {(point.point.metric, point.after) for point in view.points} == {
        ("control", "excluded"),
        ("rows", "excluded"),
    }
    assert history.standings() == history.standings("rows") == ["counted", "excluded"]


def test_rejecting_since_a_run_takes_out_all_that_follow(history: History, olga: Person) -> None:
    runs = [history.run(worst(OK, rows=OK)) for _ in range(3)]
    olga.decides("reject", since=runs[1], metric="rows")
    assert history.standings("rows") == ["counted", "excluded", "excluded"]
    assert history.standings() == ["counted"] * 3


def test_rejecting_takes_out_the_level_that_the_newest_run_has_just_begun(history: History, olga: Person) -> None:
    history.run(worst(OK))
    first, second = history.run(worst(DROP)), history.run(worst(DROP))
    stand(history, first, "level")
    stand(history, second, "counted")
    history.run(worst(OK | {"current": 415.0}))
    undo = olga.decides("reject")
    assert history.standings() == ["counted", "excluded", "excluded", "excluded"]
    olga.undoes(undo)
    olga.decides("accept", run_id=history.run(worst(DROP)))
    history.run(worst(OK))
    olga.decides("reject")
    assert history.standings() == ["counted", "level", "counted", "counted", "level", "excluded"]


def test_rejecting_is_about_the_newest_run_whatever_was_imported_since(history: History, olga: Person) -> None:
    old = history.run(None)
    new = history.run(worst(OK))
    history.note(old, worst(OK))
    assert [point.point.run_id for point in olga.decides("reject").points] == [new]


def test_points_are_decided_about_by_their_labels_imported_ones_too(history: History, olga: Person) -> None:
    labels = [f"control-2026-03-0{day}.csv" for day in range(1, 4)]
    history.imports(*labels)
    with pytest.raises(WrongState, match="No run has reported") as raised:
        olga.decides("reject")
    assert "--point LABEL" in str(raised.value.hint)
    view = olga.decides("reject", metric="control", points=labels[1:])
    assert [point.point.label for point in view.points] == labels[1:]
    assert history.standings() == ["counted", "excluded", "excluded"]
    olga.decides("accept", metric="control", points=labels[2:])
    assert history.standings() == ["counted", "excluded", "counted"]


def test_only_points_that_stand_otherwise_are_shown(history: History, olga: Person) -> None:
    first, second = history.run(worst(OK)), history.run(worst(DROP))
    view = olga.decides("accept", since=first)
    assert [point.point.run_id for point in view.points] == [second]
    assert [len(view.points) for view in olga.service.list_of("spike")] == [1]
    again = olga.decides("reject", run_id=first)
    assert again.decision.id == view.decision.id + 1


def test_a_refused_decision_takes_no_number(history: History, olga: Person) -> None:
    run_id = history.run(worst(OK))
    first = olga.decides("reject")
    for _ in range(3):
        with pytest.raises(WrongState):
            olga.decides("reject", run_id=run_id)
    assert olga.decides("accept", run_id=run_id).decision.id == first.decision.id + 1


def stand(history: History, run_id: int, standing: str) -> None:
    """Let the points of a run stand so, as a verdict that makes a new level of them does."""
    with history.database.transaction() as session:
        for point in MetricDecisionRepository(session).of_runs("spike", None, run_id, run_id, 10):
            point.standing = standing


def test_undoing_leaves_what_the_other_decisions_say_in_their_order(history: History, olga: Person) -> None:
    run_id = history.run(worst(DROP))
    first = olga.decides("accept", run_id=run_id)
    second = olga.decides("reject", run_id=run_id)
    third = olga.decides("accept", run_id=run_id)
    assert history.standings() == ["level"]
    olga.undoes(first)
    assert history.standings() == ["level"], "the third still says so"
    olga.undoes(third)
    assert history.standings() == ["excluded"], "the second still says so"
    [point] = olga.undoes(second).points
    assert (point.before, point.after, point.point.standing) == ("level", "excluded", "flagged")
    kept = olga.service.list_of("spike")
    assert [(view.decision.undone_by, view.decision.undone_why) for view in kept] == [("olga", "mistaken")] * 3


def test_what_verdicts_made_of_a_point_after_an_undone_decision_comes_back(history: History, olga: Person) -> None:
    run_id = history.run(worst(DROP))
    olga.undoes(olga.decides("reject"))
    with history.database.transaction() as session:
        [point] = MetricDecisionRepository(session).of_runs("spike", None, run_id, run_id, 10)
        point.standing = "level"
    olga.undoes(olga.decides("reject"))
    assert history.standings() == ["level"]


def test_a_run_that_was_judged_before_a_decision_does_not_overrule_it(history: History, olga: Person) -> None:
    history.run(worst(DROP))
    [point] = olga.decides("reject").points
    taken_over = SeriesChange(SeriesName("data", "spike", "control"), standings={point.point.id: Standing.LEVEL})
    with history.database.transaction() as session:
        taken_over.store(session)
    assert history.standings() == ["excluded"]


def test_a_decision_is_undone_once(history: History, olga: Person) -> None:
    history.run(worst(DROP))
    view = olga.decides("accept")
    olga.undoes(view)
    with pytest.raises(WrongState, match="undone already, by olga"):
        olga.undoes(view)
    with pytest.raises(NotFound, match="no decision 99 about 'spike'"):
        olga.service.undo(Identity("olga", "g", frozenset()), "spike", 99, "x")


def test_of_ten_who_accept_at_once_one_does(history: History, olga: Person) -> None:
    history.run(worst(DROP))
    outcomes: list[str] = []

    def accept() -> None:
        try:
            olga.decides("accept")
            outcomes.append("done")
        except WrongState:
            outcomes.append("refused")

    threads = [threading.Thread(target=accept) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done"] + ["refused"] * 9
    assert history.kinds() == ["spike", "recovered"]


def test_a_muted_tool_is_told_of_when_the_mute_is_over(history: History, olga: Person) -> None:
    history.run(worst(OK))
    mute = olga.decides("mute", until=utc_now() + timedelta(days=30))
    history.now = utc_now()
    history.run(worst(DROP))
    tell(history)
    assert (history.incidents()[0].told_at, history.told()) == (None, [])
    olga.undoes(mute)
    tell(history)
    tell(history)
    assert history.told() == [("spike", "control: 412 where 890 to 930 was expected.")]
    history.run(worst(OK))
    history.run(worst(DROP))
    assert history.kinds() == ["spike", "recovered", "spike"]
    assert history.values()[0] == history.values()[2] == worst(DROP), "the same as without a mute"


def test_what_is_over_before_the_mute_is_told_to_nobody(history: History, olga: Person) -> None:
    history.run(worst(OK))
    olga.decides("mute", until=utc_now() + timedelta(days=30))
    history.now = utc_now()
    history.run(worst(DROP))
    history.run(worst(OK))
    tell(history, days=40)
    assert (history.incidents()[0].closed_because, history.told()) == ("recovered", [])


def tell(history: History, days: int = 0) -> None:
    """Do what the agent's tick does."""
    with history.database.transaction() as session:
        tell_unmuted(session, "spike", history.now + timedelta(days=days))


def test_promoting_a_run_accepts_its_points(history: History, olga: Person) -> None:
    run_id = history.run(worst(DROP))
    with history.database.transaction() as session:
        accept_run(session, session.get_one(Run, run_id), "olga", utc_now())
    [view] = olga.service.list_of("spike")
    assert (view.decision.kind, view.decision.why, view.decision.actor) == ("accept", "promoted", "olga")
    assert (history.standings(), history.kinds()) == (["level"], ["spike", "recovered"])


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "mute"}, "until"),
        ({"kind": "mute", "until": -1}, "until"),
        ({"kind": "mute", "until": 367}, "until"),
        ({"kind": "mute", "until": 1, "metric": "control"}, "metric"),
        ({"kind": "mute", "until": 1, "run_id": 1}, "runId"),
        ({"kind": "accept", "until": 1}, "until"),
        ({"kind": "accept", "run_id": 1, "since": 1}, "since"),
        ({"kind": "accept", "run_id": 1, "metric": "control", "points": ["x"]}, "since"),
        ({"kind": "accept", "points": ["x"]}, "metric"),
        ({"kind": "accept", "metric": "control", "points": ["x"]}, "points"),
        ({"kind": "mute", "until": 1, "points": ["x"]}, "points"),
        ({"kind": "accept", "metric": "contro"}, "metric"),
        ({"kind": "reject", "run_id": 999}, "runId"),
        ({"kind": "reject", "since": 999}, "since"),
        ({"kind": "accept", "why": "  "}, "why"),
    ],
)
def test_a_decision_that_makes_no_sense_is_refused(
    history: History, olga: Person, values: dict[str, Any], field: str
) -> None:
    history.run(worst(DROP))
    if "until" in values:
        values = {**values, "until": utc_now() + timedelta(days=values["until"])}
    with pytest.raises(Invalid) as raised:
        olga.decides(**values)
    assert list(raised.value.fields) == [field]
    assert (olga.service.list_of("spike"), history.standings()) == ([], ["flagged"])


def test_what_would_change_nothing_is_refused(history: History, olga: Person) -> None:
    run_id = history.run(worst(OK))
    with pytest.raises(WrongState, match="Nothing would change"):
        olga.decides("accept")
    olga.decides("reject", run_id=run_id)
    with pytest.raises(WrongState, match="Nothing would change"):
        olga.decides("reject", run_id=run_id)


def test_a_tool_that_nobody_knows_has_no_decisions(olga: Person) -> None:
    for ask in (lambda: olga.service.list_of("nosuch"), lambda: olga.decides("accept", tool="nosuch")):
        with pytest.raises(NotFound, match="nosuch"):
            ask()
