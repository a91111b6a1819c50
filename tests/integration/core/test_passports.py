"""A passport tells what a run was started with, from the database alone, and no secret of it."""

from __future__ import annotations

import json
import subprocess
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import pytest
from sqlalchemy import create_engine, text

import migrations
from app import __version__
from app.models.run import FINAL
from app.models.tool import Tool
from app.repositories.database import Database, migrate
from app.repositories.workdirs import Workdirs
from app.services.crates import crate_of
from app.services.dispatching import Dispatcher
from app.services.passports import PassportService
from app.services.webhooks import webhook_id
from app.settings import Git
from tests.integration.core.test_lookups import OLGA
from tests.integration.core.world import Scripted, WatchedDatabase, World

MARKED = "marked-4711"


class Writing(Scripted):
    """A backend whose tools write one control file, named after their run."""

    def start(self, handle: str) -> None:
        request = self.things[handle].request
        if request.data_dir:
            Path(request.data_dir, f"control-{request.run_id}.csv").write_text("7\n")
        super().start(handle)


@pytest.fixture
def remote(tmp_path: Path) -> str:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "remote.git")], check=True)
    return f"file://{tmp_path / 'remote.git'}"


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Any:
    made = World(WatchedDatabase(database_url, pool_size=10), tmp_path / "instance")
    made.backend = Writing(made._before)
    made.configure(MAO_WORKING_ENVIRONMENT_USER="panos")
    yield made
    made.end()
    assert made.sins == []
    made.database.close()


def entry(remote: str = "", **changes: Any) -> dict[str, Any]:
    tool = Tool("spike", "olga", "img:1", remote, "", "", env={"PASSWORD": MARKED}, metrics={"control": {}})
    return {**tool.to_dict(), **changes}


def ran(world: World, tmp_path: Path, **columns: Any) -> dict[str, Any]:
    """Let a run take place, and give its passport."""
    context, _ = world.begin()
    context = replace(context, workdirs=Workdirs(Git(allow_local=True), tmp_path / "data"))
    dispatcher = Dispatcher(context, None)  # type: ignore[arg-type]
    run_id = world.add(**columns)
    until_over(world, dispatcher, run_id)
    context.lost.set()
    passport = PassportService(world.database).get(OLGA, run_id)
    assert MARKED not in repr(passport) + json.dumps(crate_of(passport))
    assert webhook_id(run_id, context.webhook_key) not in json.dumps(world.row(run_id).conditions)
    return passport


def until_over(world: World, dispatcher: Dispatcher, run_id: int) -> None:
    for _ in range(400):
        dispatcher.step()
        if world.row(run_id).status in FINAL:
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"Run {run_id} does not end.")


def test_what_is_known_at_the_start_only_is_noted_with_it(world: World, tmp_path: Path) -> None:
    parameters = {"env": {"TICKET": MARKED}, "command": ["run", "%%RUNID%%", "--hook=%%WEBHOOKID%%"]}
    passport = ran(world, tmp_path, tool_entry=entry(), parameters=parameters, has_runtime_variables=True)
    assert passport["image"] == {"name": "img:1", "digest": "sha256:2", "id": "sha256:1"}
    assert passport["place"] == {
        "node": "n",
        "operator": "panos",
        "version": __version__,
        "backend": "scripted",
        "engine_version": "1",
    }
    start = passport["started_with"]
    assert start["command"] == ["run", str(passport["run_id"]), "--hook=%%WEBHOOKID%%"]
    assert {"PASSWORD", "TICKET", "MAO_WEBHOOK_ID", "MAO_RUN_ID"} <= set(start["env"])
    assert start["limits"].keys() == {"memoryMb", "cpus", "pids", "timeoutSeconds"}
    assert (start["attempt"], start["files"], start["secrets"]) == (1, [], [])
    assert passport["tool"]["entry"]["env"] == ["PASSWORD"]
    assert passport["input"]["is_uncommitted"] is None
    assert (passport["output"]["size_bytes"], passport["output"]["is_cut"]) == (6, False)


def test_files_that_nobody_had_committed_are_noted(world: World, tmp_path: Path, remote: str) -> None:
    columns = {"tool_entry": entry(remote), "clone": "spike", "data_url": remote}
    first = ran(world, tmp_path, **columns, parameters={"publish": "none"})
    assert first["input"]["is_uncommitted"] is False
    assert first["result"] | {"tree": ""} == {**dict.fromkeys(first["result"]), "publish": "none", "tree": ""}
    second = ran(world, tmp_path, **columns)
    assert second["input"]["is_uncommitted"] is True
    assert second["input"]["tree"] != second["input"]["commit_tree"]
    third = ran(world, tmp_path, **columns)
    assert third["input"]["is_uncommitted"] is False
    assert third["input"]["commit"] == second["result"]["commit"]
    assert third["input"]["tree"] == third["input"]["commit_tree"] == second["result"]["tree"]


def test_what_judged_a_run_is_noted_with_every_parameter(world: World, tmp_path: Path, remote: str) -> None:
    passport = ran(world, tmp_path, tool_entry=entry(remote), clone="spike", data_url=remote)
    detector = passport["detector"]
    assert detector.pop("verdict")["status"] == "not_enough_data"
    assert detector == {
        "method": "adaptive",
        "parameters": {"threshold": 5.0, "minimum_percent": 2.0, "minimum_change": 0.0},
        "rule_version": 1,
        "version": __version__,
    }


def test_the_last_attempt_is_told_with_those_before(world: World, tmp_path: Path) -> None:
    world.backend.exit_code = 3
    passport = ran(world, tmp_path, tool_entry=entry(), parameters={"tool_retries": 1})
    assert passport["started_with"]["attempt"] == 2
    assert [(attempt.number, attempt.image_digest) for attempt in passport["attempts"]] == [(1, "sha256:2")]
    assert (passport["exit_code"], passport["cause"]) == (3, "tool_error")


OF_THE_SECOND_VERSION = """
    insert into runs (id, tool, tool_entry, status, cause, submitter, owner, backend, defined_at, started_at, ended_at,
                      image_digest, input_commit, output_commit, spike)
        values (7, 'spike', '{"name": "spike", "image": "img:1", "env": {"A": "marked-4711"}}', 'SUCCEEDED', 'ok', 'ci',
                'archive-group', 'docker', now(), now(), now(), 'sha256:2', 'abc', 'def', '{"method": "rolling"}');
    insert into run_output (run_id, start_byte, data) values (7, 0, 'hello'), (7, 100, 'end')
"""


def test_a_run_of_the_version_before_has_what_was_recorded_then(database_url: str, database: Database) -> None:
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    engine = create_engine(database_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        alembic.command.downgrade(config, "0002")
        connection.execute(text(OF_THE_SECOND_VERSION))
    engine.dispose()
    migrate(database_url)
    passport = PassportService(database).get(OLGA, 7)
    assert MARKED not in repr(passport) + json.dumps(crate_of(passport))
    assert passport["image"] == {"name": "img:1", "digest": "sha256:2", "id": None}
    assert (passport["input"]["commit"], passport["result"]["commit"]) == ("abc", "def")
    assert passport["detector"]["method"] == "rolling"
    known = {"profile": "standard", "locks": []}
    assert passport["started_with"] == {**dict.fromkeys(passport["started_with"]), **known}
    assert (passport["output"]["size_bytes"], passport["output"]["is_cut"]) == (8, True)
