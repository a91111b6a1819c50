"""Runs from their start to their last transaction open and close incidents, whatever is killed on the way."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.models.metric import Incident, MetricDecision, MetricPoint
from app.models.notification import Notification
from app.models.run import Run
from app.models.token import Identity
from app.services import quarantine_work, recording, supervision
from app.services.publishing_later import work_on_decisions
from app.services.quarantines import QuarantineService
from tests.integration.core.publishing_site import Killed, Site, kill_at

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
OWNERS = {"supervision": supervision, "recording": recording}


def spike(site: Site, *, is_killed: bool = False) -> Run:
    site.backend.value = 5000
    run = site.run_through_a_kill(on_spike="quarantine") if is_killed else site.run(on_spike="quarantine")
    site.backend.value = 900
    return run


def incidents(site: Site) -> list[tuple[int | None, int | None, str | None]]:
    """Give by which run each incident was opened, by which it was closed, and why."""
    with site.world.database.transaction() as session:
        found = session.scalars(select(Incident).order_by(Incident.id))
        return [(one.opened_by_run, one.closed_by_run, one.closed_because) for one in found]


def told(site: Site) -> list[tuple[str, int | None]]:
    with site.world.database.transaction() as session:
        rows = session.scalars(select(Notification).order_by(Notification.created_at))
        return [(row.kind, row.run_id) for row in rows]


def standings(site: Site, run: Run) -> dict[str, str]:
    with site.world.database.transaction() as session:
        rows = session.scalars(select(MetricPoint).where(MetricPoint.run_id == run.id))
        return {row.metric: row.standing for row in rows}


@pytest.mark.parametrize(
    ("owner_of", "name", "is_after"),
    [("supervision", "record_final", False), ("recording", "note_run", False), ("recording", "note_run", True)],
)
def test_a_kill_around_the_last_transaction_tells_each_incident_once(
    site: Site, monkeypatch: pytest.MonkeyPatch, owner_of: str, name: str, is_after: bool
) -> None:
    site.run()
    kill_at(monkeypatch, OWNERS[owner_of], name, is_after=is_after)
    run = spike(site, is_killed=True)
    assert (incidents(site), told(site)) == ([(run.id, None, None)], [("spike", run.id)])
    good = site.run()
    assert incidents(site) == [(run.id, good.id, "recovered")]
    assert told(site) == [("spike", run.id), ("recovered", good.id)]


@pytest.mark.parametrize("is_after", [False, True])
def test_a_promotion_accepts_the_points_of_its_run_once(
    site: Site, owner: Identity, monkeypatch: pytest.MonkeyPatch, is_after: bool
) -> None:
    site.run()
    run = spike(site)
    assert standings(site, run)["control"] == "flagged"
    QuarantineService(site.world.database).promote(owner, run.id)
    kill_at(monkeypatch, quarantine_work, "accept_run", is_after=is_after)
    with pytest.raises(Killed):
        work_on_decisions(site.context)
    assert standings(site, run)["control"] == "flagged"
    work_on_decisions(site.context)
    work_on_decisions(site.context)
    with site.world.database.transaction() as session:
        [decision] = session.scalars(select(MetricDecision))
    assert (decision.kind, decision.why, decision.actor) == ("accept", "promoted", "olga")
    assert standings(site, run)["control"] == "level"
    assert incidents(site) == [(run.id, None, "accepted")]


@pytest.mark.parametrize("is_after", [False, True])
def test_discarding_the_files_of_a_run_rejects_its_points_once(
    site: Site, owner: Identity, monkeypatch: pytest.MonkeyPatch, is_after: bool
) -> None:
    site.run()
    run = spike(site)
    QuarantineService(site.world.database).discard(owner, run.id)
    kill_at(monkeypatch, quarantine_work, "reject_run", is_after=is_after)
    with pytest.raises(Killed):
        work_on_decisions(site.context)
    assert standings(site, run)["control"] == "flagged"
    work_on_decisions(site.context)
    work_on_decisions(site.context)
    with site.world.database.transaction() as session:
        [decision] = session.scalars(select(MetricDecision))
    assert (decision.kind, decision.why, decision.actor) == ("reject", "discarded", "olga")
    assert set(standings(site, run).values()) == {"excluded"}
    assert incidents(site) == [(run.id, None, None)]


def test_a_tool_that_stops_writing_its_control_file_is_told_of_and_its_data_kept(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        site.run(on_spike="quarantine")
    monkeypatch.setattr(site.backend, "has_control", False)
    lost = [site.run(on_spike="quarantine") for _ in range(2)]
    assert [(run.status, run.quarantine_state) for run in lost] == [("SUCCEEDED", None)] * 2
    assert incidents(site) == [(lost[0].id, None, None)]
    monkeypatch.setattr(site.backend, "has_control", True)
    good = site.run(on_spike="quarantine")
    assert incidents(site) == [(lost[0].id, good.id, "recovered")]
    assert sentences(site)[0] == "control: The run wrote no control metric; the three runs before did."


def test_numbers_that_come_back_are_told_of_as_no_new_level(site: Site) -> None:
    for value in (900, 900, 900, 900, 400, 400, 900):
        site.backend.value = value
        site.run()
    assert {because for _, _, because in incidents(site)} <= {"recovered"}
    assert not [sentence for sentence in sentences(site) if sentence.startswith("New level")]


def sentences(site: Site) -> list[str]:
    with site.world.database.transaction() as session:
        return list(session.scalars(select(Notification.summary).order_by(Notification.created_at)))
