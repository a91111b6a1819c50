"""Snapshots of the index, and the names that clones of them get and keep from others."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.models.clone import Clone, CloneState
from app.models.index import IndexEntry
from app.models.run import FINAL
from app.models.token import Permission
from app.repositories.clones import CloneRepository
from app.repositories.etcd import EtcdKv
from app.repositories.index import Index
from app.repositories.workdirs import Workdirs
from app.services.agent_context import AgentContext
from app.services.clone_work import work_on_clones
from app.services.clones import CloneService
from app.services.dispatching import Dispatcher
from app.services.index import default_names
from app.settings import Git
from tests.integration.core.callers import Callers
from tests.integration.core.conftest import add_run
from tests.integration.core.world import World
from tests.integration.git_server import Origin

ENTRY = IndexEntry("helmhub", "2026-03-01", "panos", "helm", "https://git.example.org/helm.git", "c" * 40, 7)
PLACE = "/api/index/helmhub/2026-03-01/panos/helm/clone"
TOOL = {"author": "a", "image": "i", "code_repo": "", "artefact": ""}


@pytest.fixture
def index(kv: EtcdKv) -> Index:
    return Index(kv)


@pytest.fixture
def somebody(callers: Callers) -> FlaskClient:
    return callers.make("olga", list(Permission), "archive-group")


def _clones(callers: Callers) -> dict[str, tuple[str, str | None]]:
    with callers.database.transaction() as session:
        return {clone.name: (clone.state, clone.commit) for clone in CloneRepository(session).list()}


def _became(callers: Callers, name: str, state: CloneState) -> None:
    with callers.database.transaction() as session:
        CloneRepository(session).put(name, url=ENTRY.url, state=state)


def test_what_was_put_is_found_by_hub_day_and_operator(somebody: FlaskClient, index: Index) -> None:
    for operator in ("panos", "panos-b", "josef"):
        for date in ("2026-03-02", "2026-03-01"):
            index.put(replace(ENTRY, operator=operator, date=date))
    assert somebody.get("/api/index/hubs").get_json()["items"] == [{"hub": "helmhub"}]
    dates = somebody.get("/api/index/helmhub/dates").get_json()["items"]
    assert dates == [{"date": "2026-03-01"}, {"date": "2026-03-02"}]
    seen, cursor = [], ""
    while True:
        page = somebody.get(f"/api/index/helmhub/2026-03-01/operators?limit=1{cursor}").get_json()
        seen += [item["operator"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert sorted(seen) == ["josef", "panos", "panos-b"]
    assert page["items"][0]["commit"] == ENTRY.commit


@pytest.mark.parametrize(
    ("address", "status", "told"),
    [
        ("/api/index/helmhup/dates", 404, "Did you mean 'helmhub'?"),
        ("/api/index/museums/dates", 404, "What a run has just pushed is there within seconds."),
        ("/api/index/helmhub/2026-03-09/operators", 404, "2026-03-09"),
        ("/api/index/helmhub/yesterday/operators", 422, "is not a date"),
        ("/api/index/HELM/dates", 422, "is not a name"),
    ],
)
def test_what_is_not_there_is_named(somebody: FlaskClient, index: Index, address: str, status: int, told: str) -> None:
    index.put(ENTRY)
    answer = somebody.get(address)
    assert (answer.status_code, told in answer.get_data(as_text=True)) == (status, True)


def test_a_snapshot_is_asked_for_once_however_many_ask(callers: Callers, somebody: FlaskClient, index: Index) -> None:
    index.put(ENTRY)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: callers.services.index.retrieve(*PLACE.split("/")[3:7]), range(8)))
    assert {(clone.name, clone.commit) for clone in answers} == {("helm-2026-03-01", ENTRY.commit)}
    assert _clones(callers) == {"helm-2026-03-01": ("REQUESTED", ENTRY.commit)}


def test_one_that_could_not_be_made_is_tried_again_and_one_that_goes_is_not(
    callers: Callers, somebody: FlaskClient, index: Index
) -> None:
    index.put(ENTRY)
    somebody.post(PLACE)
    for state, status, becomes in (
        (CloneState.READY, 202, "READY"),
        (CloneState.FAILED, 202, "REQUESTED"),
        (CloneState.REMOVING, 409, "REMOVING"),
    ):
        _became(callers, "helm-2026-03-01", state)
        assert somebody.post(PLACE).status_code == status
        assert _clones(callers)["helm-2026-03-01"][0] == becomes


def _a_data_set(callers: Callers, somebody: FlaskClient) -> None:
    assert somebody.post("/api/datasets", json={"name": "helm-2026-03-01", "url": ENTRY.url}).status_code == 201


def _a_tool(callers: Callers, somebody: FlaskClient) -> None:
    entry = {**TOOL, "name": "helm-2026-03-01", "data_repo": ""}
    assert somebody.post("/api/tools", json=entry).status_code == 201


def _a_run(callers: Callers, somebody: FlaskClient) -> None:
    add_run(callers.database, clone="helm-2026-03-01")


def _another_snapshot(callers: Callers, somebody: FlaskClient) -> None:
    with callers.database.transaction() as session:
        known = {"url": ENTRY.url, "commit": "d" * 40, "state": CloneState.READY}
        CloneRepository(session).put("helm-2026-03-01", **known)


@pytest.mark.parametrize("take", [_a_data_set, _a_tool, _a_run, _another_snapshot])
def test_a_name_that_is_taken_gets_the_operator_and_one_that_was_wished_for_is_refused(
    callers: Callers, somebody: FlaskClient, index: Index, take: Callable[[Callers, FlaskClient], None]
) -> None:
    index.put(ENTRY)
    take(callers, somebody)
    assert somebody.post(PLACE).get_json()["name"] == "helm-2026-03-01-panos"
    refused = somebody.post(PLACE, json={"name": "helm-2026-03-01"})
    assert (refused.status_code, refused.get_json()["hint"]) == (409, "Give the clone another one: --as NAME")


def test_default_names_obey_the_rule_whatever_the_lengths() -> None:
    long = replace(ENTRY, dataset="d" * 63, operator="o" * 63)
    assert [len(name) for name in default_names(long)] == [63, 63]
    assert list(default_names(ENTRY)) == ["helm-2026-03-01", "helm-2026-03-01-panos"]


def test_the_name_of_a_snapshot_is_no_data_set_s_and_no_run_s(
    callers: Callers, somebody: FlaskClient, index: Index
) -> None:
    index.put(ENTRY)
    entry = {**TOOL, "name": "spring", "data_repo": "https://git.example.org/spring.git"}
    assert somebody.post(PLACE, json={"name": "spring"}).status_code == 202
    assert somebody.post("/api/tools", json=entry).status_code == 201
    for address, body in (
        ("/api/datasets", {"name": "spring", "url": ENTRY.url}),
        ("/api/tools/spring/runs", {}),
    ):
        refused = somebody.post(address, json=body)
        assert refused.status_code == 409
        assert "retrieved snapshot" in refused.get_json()["message"]
        assert "maoctl dataset remove-local spring" in refused.get_json()["hint"]


def test_a_snapshot_is_never_refreshed_though_another_node_registers_its_name(
    callers: Callers, somebody: FlaskClient, index: Index, kv: EtcdKv
) -> None:
    index.put(ENTRY)
    somebody.post(PLACE, json={"name": "spring"})
    _became(callers, "spring", CloneState.READY)
    kv.create("/mao/datasets/spring", '{"url": "https://git.example.org/other.git", "owner": "node-z"}')
    refused = somebody.post("/api/datasets/spring/clone")
    assert (refused.status_code, _clones(callers)) == (409, {"spring": ("READY", ENTRY.commit)})


@pytest.fixture
def agent(world: World, tmp_path: Path) -> AgentContext:
    context, _ = world.begin()
    return replace(context, workdirs=Workdirs(Git(allow_local=True), tmp_path / "data"))


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "helm.git")


def _asked_for(world: World, origin: Origin, commit: str) -> None:
    with world.database.transaction() as session:
        CloneRepository(session).put(
            "spring", url=f"file://{origin.bare}", commit=commit, state=CloneState.REQUESTED, message=""
        )


def _row(world: World) -> Clone | None:
    with world.database.transaction() as session:
        return CloneRepository(session).find("spring")


def test_the_clone_shows_exactly_the_commit_and_goes_when_nobody_wants_it(
    world: World, agent: AgentContext, origin: Origin
) -> None:
    then = origin.push({"data.csv": "1"})
    origin.push({"data.csv": "2", "more.csv": "3"})
    _asked_for(world, origin, then)
    for _ in range(2):
        work_on_clones(agent)
        row, folder = _row(world), agent.workdirs.path("spring")
        assert row is not None
        assert (row.state, row.head_commit, row.progress_percent) == ("READY", then, 100)
        assert [path.name for path in folder.iterdir() if path.name != ".git"] == ["data.csv"]
        assert (folder / "data.csv").read_text() == "1"
        # As after an agent that was killed before it could say that it was done.
        _asked_for(world, origin, then)
    work_on_clones(agent)
    CloneService(world.database).request_removal("spring")
    work_on_clones(agent)
    assert (_row(world), folder.exists()) == (None, False)


def test_a_commit_that_the_remote_does_not_have_is_said_and_leaves_nothing(
    world: World, agent: AgentContext, origin: Origin
) -> None:
    origin.push({"data.csv": "1"})
    _asked_for(world, origin, "d" * 40)
    work_on_clones(agent)
    row = _row(world)
    assert row is not None
    assert (row.state, "dddddddddddd" in row.message) == ("FAILED", True)
    assert not agent.workdirs.path("spring").exists()


def test_a_run_that_a_snapshot_came_before_fails_and_leaves_the_snapshot_as_it_is(
    world: World, agent: AgentContext, origin: Origin
) -> None:
    _asked_for(world, origin, then := origin.push({"data.csv": "1"}))
    work_on_clones(agent)
    origin.push({"data.csv": "2"})
    run_id = world.add(clone="spring", data_url=f"file://{origin.bare}")
    Dispatcher(agent, None).step()  # type: ignore[arg-type]
    run, row = world.until(run_id, *FINAL), _row(world)
    assert (run.status, run.cause) == ("FAILED", "data_unavailable")
    assert "belongs to a retrieved snapshot" in (run.message or "")
    assert row is not None
    assert (row.commit, row.state, agent.workdirs.head("spring")) == (then, "READY", then)


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        ({"commit": "--upload-pack=touch"}, 502),
        ({"commit": "main"}, 502),
        ({"url": "ext::sh -c touch%20x"}, 422),
        ({"url": "https://user:password@git.example.org/x"}, 422),
    ],
)
def test_what_another_member_wrote_is_not_believed(
    callers: Callers, somebody: FlaskClient, index: Index, wrong: dict[str, Any], status: int
) -> None:
    index.put(replace(ENTRY, **wrong))
    answer = somebody.post(PLACE)
    assert (answer.status_code, _clones(callers)) == (status, {})
    assert "Traceback" not in answer.get_data(as_text=True)
