"""Commands of installed definition tools as processes: with their arguments, their data and a Python of their own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from app.clock import utc_now
from app.errors import Invalid
from app.executors.base import RunRequest
from app.services.installations_work import tidy
from app.services.replays import ReplayService
from tests.integration.definitions.site import COUNT, OLGA, SCRIPTS, SHOW, Site, definition, newest

YEAR = {"command_name": "count", "arguments": ["2026", "7"]}


@pytest.fixture
def installed(site: Site) -> Site:
    """A node with a tool of two commands and a data set."""
    site.repository({"mao.yml": definition(commands=COUNT + SHOW), **SCRIPTS})
    site.git.origin("visitors-data").push({"README": "data"})
    site.register(data_repo=site.git.url("visitors-data"))
    site.install()
    return site


def test_a_command_gets_its_arguments_and_its_data(installed: Site) -> None:
    run = installed.run(**YEAR)
    assert run.status == "SUCCEEDED"
    assert installed.output(run.id) == "wrote 7 of 2026\n"
    assert run.definition_commit == installed.services.installations.get("visitors").commit
    assert run.parameters == YEAR
    assert (installed.settings.working_environment.importdir / "visitors/control-2026.csv").read_text() == "7\n"
    assert run.output_commit is not None


def test_a_script_finds_the_data_at_the_place_that_it_expects(installed: Site) -> None:
    run = installed.run(command_name="show")
    place, by, data, listed = installed.output(run.id).splitlines()
    assert place.endswith(f"/mao-{installed.settings.node}-{run.id}-1")
    assert by.startswith("installed by")
    assert data == str(installed.settings.working_environment.importdir / "visitors")
    assert listed == "README"
    assert (installed.settings.working_environment.importdir / "visitors/shown.txt").exists()
    code = installed.settings.working_environment.toolsdir / "visitors"
    assert not list(code.rglob("shown.txt"))


def test_another_run_of_it_has_the_same_command_unless_another_is_given(installed: Site) -> None:
    first = installed.run(**YEAR)
    again = installed.services.submissions.resubmit(OLGA, first.id, {})
    assert installed.final(again).parameters == YEAR
    other = installed.services.submissions.resubmit(OLGA, first.id, {"command_name": "show"})
    assert installed.row(other).parameters == {"command_name": "show"}
    plain = installed.services.submissions.resubmit(OLGA, first.id, {"command": ["echo", "plain"]})
    assert installed.row(plain).parameters == {"command": ["echo", "plain"]}
    assert installed.output(installed.final(plain).id) == "plain\n"


@pytest.mark.parametrize(
    ("wishes", "field", "rule"),
    [
        ({}, "commandName", "Must name one of several commands. It has: count, show."),
        ({"command_name": "coun"}, "commandName", "Did you mean 'count'?"),
        ({"command_name": "count"}, "arguments", "Must be 2 arguments, not 0. Usage: count YEAR NUMBER"),
        ({"command_name": "show", "arguments": ["x"]}, "arguments", "Must be 0 arguments, not 1. Usage: show"),
        ({**YEAR, "command": ["x"]}, "commandName", "Give either a command of the definition or one of your own."),
    ],
)
def test_what_does_not_fit_the_definition_is_refused_when_it_is_submitted(
    installed: Site, wishes: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(Invalid) as refused:
        installed.services.submissions.submit(OLGA, "visitors", wishes)
    assert refused.value.fields == {field: [rule]}
    with pytest.raises(Invalid):
        job = {"tool": "visitors", "schedule": "daily", "parameters": wishes}
        installed.services.jobs.schedule(OLGA, job)


def test_the_only_command_needs_no_name(site: Site) -> None:
    site.repository({"mao.yml": definition(commands=SHOW, installer=""), "bin/show.sh": "echo only\n"})
    site.register()
    site.install()
    run = site.run()
    assert (site.output(run.id), run.parameters) == ("only\n", {"command_name": "show"})


def test_a_tool_that_is_not_installed_says_how_to_install_it(site: Site) -> None:
    site.register()
    for wishes in ({}, {"command_name": "count"}):
        with pytest.raises(Invalid, match="not installed") as refused:
            site.services.submissions.submit(OLGA, "visitors", wishes)
        assert refused.value.hint == "Install it with: maoctl tool install visitors"


def test_a_tool_that_is_an_image_is_not_told_to_be_installed(site: Site) -> None:
    site.register("plain", image="plain:1", code_repo="")
    with pytest.raises(Invalid, match="is an image, and not a definition tool") as refused:
        site.services.submissions.submit(OLGA, "plain", {"command_name": "count"})
    assert refused.value.hint == "Give it a command of your own with: maoctl tool run plain -- COMMAND ARG..."


def test_arguments_need_no_command_where_there_is_only_one(installed: Site) -> None:
    with pytest.raises(Invalid, match="more than one command") as refused:
        installed.services.submissions.submit(OLGA, "visitors", {"arguments": ["2026", "7"]})
    assert refused.value.fields == {"commandName": ["Must name one of several commands. It has: count, show."]}
    installed.repository_of("visitors").push({"mao.yml": definition(commands=COUNT)})
    installed.install()
    assert installed.run(arguments=["2026", "7"]).parameters == YEAR


def test_a_job_runs_a_command_with_its_arguments(installed: Site) -> None:
    job = {"tool": "visitors", "at": utc_now() + timedelta(seconds=0.2), "parameters": YEAR}
    installed.services.jobs.schedule(OLGA, job)
    installed.until(lambda: installed.parts.firing.fire_due() is None)
    (fired,) = installed.services.runs.search(OLGA, {"job_id": "visitors"})
    run = installed.final(fired.id)
    assert (run.status, installed.output(run.id)) == ("SUCCEEDED", "wrote 7 of 2026\n")


def test_a_run_that_waited_while_its_command_went_away_fails_and_says_so(installed: Site) -> None:
    run_id = installed.services.submissions.submit(OLGA, "visitors", YEAR)
    installed.repository_of("visitors").push({"mao.yml": definition(commands=SHOW)})
    installed.install()
    run = installed.final(run_id)
    assert (run.status, run.cause) == ("FAILED", "backend_error")
    assert "has no command 'count'" in (run.message or "")


def test_code_that_was_replaced_stays_while_a_run_uses_it(installed: Site) -> None:
    origin = installed.repository_of("visitors")
    origin.push({"bin/show.sh": 'echo begun; while [ ! -e "$MAO_DATA_DIR/go" ]; do sleep 0.1; done; . bin/rest.sh\n'})
    origin.push({"bin/rest.sh": "echo the old rest\n"})
    old = installed.install()
    run_id = installed.services.submissions.submit(OLGA, "visitors", {"command_name": "show"})
    installed.until_running(run_id)
    origin.push({"bin/rest.sh": "echo the new rest\n"})
    new = installed.install()
    assert new.current != old.current
    (installed.settings.working_environment.importdir / "visitors/go").touch()
    run = installed.final(run_id)
    assert (installed.output(run_id), run.definition_commit) == ("begun\nthe old rest\n", old.commit)
    tidy(installed.context)
    left = (installed.settings.working_environment.toolsdir / "visitors").iterdir()
    assert [path.name for path in left] == [str(new.current)]


def test_a_further_attempt_runs_the_code_that_the_first_one_ran(make_site: Callable[..., Site]) -> None:
    site = make_site(retry_seconds=1)
    origin = site.repository({"mao.yml": definition(commands=SHOW), **SCRIPTS, "bin/show.sh": "echo old; exit 3\n"})
    site.register()
    old = site.install()
    run_id = site.services.submissions.submit(OLGA, "visitors", {"tool_retries": 1})
    site.dispatcher.step()
    site.until(lambda: site.row(run_id).tool_failures == 1)
    origin.push({"mao.yml": definition(), "bin/show.sh": "echo new\n"})
    new = site.install()
    assert new.commit != old.commit
    run = site.final(run_id)
    assert (run.attempt, run.definition_commit, site.output(run_id)) == (2, old.commit, "old\nold\n")
    tidy(site.context)
    left = (site.settings.working_environment.toolsdir / "visitors").iterdir()
    assert [path.name for path in left] == [str(new.current)]


def test_code_that_was_laid_out_by_an_agent_that_was_killed_is_the_code_of_the_record(
    installed: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = installed.services.installations.get("visitors")
    executor, killed = installed.parts.executors["process"], installed.context
    create = executor.create

    def create_and_die(request: RunRequest) -> str:
        create(request)
        killed.lost.set()
        raise RuntimeError("The agent is gone.")

    run_id = installed.services.submissions.submit(OLGA, "visitors", YEAR)
    with monkeypatch.context() as patched:
        patched.setattr(executor, "create", create_and_die)
        installed.clone()
        installed.dispatcher.step()
        assert killed.lost.wait(60)
    installed.begin()
    installed.repository_of("visitors").push({"bin/count.sh": "echo new\n"})
    assert installed.install().commit != old.commit
    installed.dispatcher.take_over()
    run = installed.final(run_id)
    assert (run.definition_commit, installed.output(run_id)) == (old.commit, "wrote 7 of 2026\n")


def test_a_replay_wants_the_commit_that_the_first_run_used(installed: Site) -> None:
    first = installed.run(**YEAR)
    replays = ReplayService(installed.parts.database)
    again = installed.final(replays.replay(OLGA, first.id))
    assert (again.status, again.definition_commit) == ("SUCCEEDED", first.definition_commit)
    installed.repository_of("visitors").push({}, "later")
    installed.install()
    other = installed.final(replays.replay(OLGA, first.id))
    assert other.status == "FAILED"
    assert f"tool install visitors --commit {first.definition_commit}" in (other.message or "")


@pytest.mark.long
def test_a_python_tool_gets_a_python_of_its_own(site: Site) -> None:
    commands = "  - {Name: where, Description: Says where., Command: python3, Script: where.py}\n"
    files = {
        "mao.yml": definition(commands=commands, installer="Installer: {Command: python3, Script: install.py}\n"),
        "install.py": "import pathlib, sysconfig\n"
        "pathlib.Path(sysconfig.get_path('purelib'), 'mao_made.py').write_text('by = \"the installer\"')\n",
        "where.py": "import sys, mao_made\nprint(sys.prefix, mao_made.by)\n",
    }
    origin = site.repository(dict(files))
    site.register()
    row = site.install()
    assert (row.message, row.commit) == ("", newest(origin))
    place = site.settings.working_environment.toolsdir / "visitors" / str(row.current)
    assert site.output(site.run().id) == f"{place}/environment the installer\n"


def test_secrets_are_withheld_from_a_run_whose_arguments_are_its_own(installed: Site) -> None:
    secrets = installed.settings.working_environment.secretsdir / "visitors"
    secrets.mkdir(parents=True, mode=0o700)
    (secrets / "key").write_text("hidden")
    (secrets / "key").chmod(0o600)
    run = installed.run(**YEAR)
    assert any("no secrets" in warning for warning in run.warnings)
    assert installed.run(command_name="show").warnings == []
