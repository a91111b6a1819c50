"""Definition tools on a node without a container engine: installed, updated, removed, and never half visible."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from app.errors import BackendFailed, Conflict, Invalid, NotFound, WrongState
from app.models.clone import CloneState
from app.models.installation import Installation
from app.repositories.installations import InstallationRepository
from app.services.installations_work import work_on_installations
from tests.integration.definitions.site import COUNT, OLGA, SCRIPTS, SHOW, Site, definition, newest


def folders(site: Site, name: str = "visitors") -> list[str]:
    folder = site.settings.working_environment.toolsdir / name
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def code(site: Site, row: Installation) -> Path:
    return site.settings.working_environment.toolsdir / row.name / str(row.current) / "code"


def test_a_tool_is_installed_and_what_it_can_do_is_known(site: Site) -> None:
    origin = site.repository()
    data = site.git.origin("visitors-data")
    data.push({"README": "data"})
    site.register(data_repo=site.git.url("visitors-data"))
    row = site.install()
    assert (row.state, row.message, row.how, row.is_usable) == ("READY", "", "process", True)
    assert (row.commit, row.code_url) == (newest(origin), site.git.url("visitors"))
    assert row.installed_at is not None
    found, commit = site.services.installations.help("visitors")
    assert (commit, [command.usage for command in found.commands]) == (row.commit, ["count YEAR NUMBER"])
    assert site.services.clones.get("visitors").state == CloneState.REQUESTED
    assert folders(site) == [str(row.current)]
    assert not (code(site, row) / ".git").exists()
    installer = 65534 if os.geteuid() == 0 else os.geteuid()
    assert (code(site, row) / "made/by").read_text() == f"installed by {installer}\n"
    assert {path.stat().st_uid for path in code(site, row).rglob("*")} == {os.geteuid()}


def test_a_dry_run_says_what_would_happen_and_changes_nothing(site: Site) -> None:
    site.repository()
    site.register()
    found = site.answered(lambda: site.services.installations.check("visitors"))
    assert found["how"] == "process"
    assert [step.split()[0] for step in found["steps"]] == ["Fetch", "Run", "Offer"]
    with pytest.raises(NotFound):
        site.services.installations.get("visitors")
    assert not [path for path in site.settings.working_environment.toolsdir.iterdir() if path.name != ".home"]


def test_an_update_takes_the_place_of_what_was_there_only_when_it_is_ready(site: Site) -> None:
    origin = site.repository()
    site.register()
    first = site.install()
    origin.push({"install.sh": "echo no room; exit 3\n", "mao.yml": definition(commands=COUNT + SHOW)})
    failed = site.install()
    assert (failed.state, failed.message) == ("READY", "The installer ended with exit code 3.")
    assert (failed.commit, failed.current, failed.log) == (first.commit, first.current, "no room\n")
    assert folders(site) == [str(first.current)]
    newest = origin.push({"install.sh": SCRIPTS["install.sh"]})
    second = site.install()
    assert (second.commit, second.message) == (newest, "")
    assert [command.name for command in site.services.installations.help("visitors")[0].commands] == ["count", "show"]
    assert folders(site) == [str(second.current)] != [str(first.current)]


def test_a_commit_or_a_branch_is_installed_where_it_is_asked_for(site: Site) -> None:
    origin = site.repository()
    old = origin.push({}, "old")
    origin.push({}, "new")
    site.register()
    assert site.install(commit=old).commit == old
    refused = site.install(branch="nosuch")
    assert (refused.state, refused.commit) == ("READY", old)
    assert refused.message == f"The git repository {site.git.url('visitors')} has no branch 'nosuch'."
    unknown = site.install(commit="0" * 40)
    assert unknown.message.endswith(f"has no commit {'0' * 40} on any of its branches.")
    assert site.install(branch="main").commit == newest(origin) != old
    with pytest.raises(Invalid, match="not a commit"):
        site.install(commit="abc")


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README": "no definition"}, "has no mao.yml"),
        ({"mao.yml": definition("other"), **SCRIPTS}, "mao.yml:2:7: Name: must be 'visitors'"),
        ({"mao.yml": definition()}, "Script: 'install.sh' is no file of the repository."),
        ({"mao.yml": definition(local="bin/count.sh"), **SCRIPTS}, "Data.Local: 'bin/count.sh' is a file"),
        ({"mao.yml": "a: &a 1\n"}, "Anchors"),
    ],
)
def test_a_repository_that_is_no_definition_tool_says_what_is_wrong(
    site: Site, files: dict[str, str | bytes], said: str
) -> None:
    site.repository(files)
    site.register()
    row = site.install()
    assert (row.state, row.is_usable) == ("FAILED", False)
    assert said in row.message
    assert folders(site) == []
    with pytest.raises(NotFound, match="FAILED and cannot be used"):
        site.services.installations.help("visitors")


def test_a_script_that_is_a_link_is_refused(site: Site) -> None:
    origin = site.repository()
    (origin.desk / "install.sh").unlink()
    (origin.desk / "install.sh").symlink_to("/etc/passwd")
    origin.push({})
    site.register()
    assert "'install.sh' is a link, which is not followed." in site.install().message


def test_a_git_server_that_refuses_is_told(site: Site) -> None:
    site.register()
    row = site.install()
    assert row.state == "FAILED"
    assert site.git.url("visitors") in row.message


def test_an_interrupted_installation_is_begun_anew_and_leaves_nothing_half_made(site: Site) -> None:
    site.repository()
    site.register()
    site.services.installations.request("visitors")
    with site.parts.database.transaction() as session:
        begun = InstallationRepository(session).begin("visitors")
    assert begun is not None
    number = begun.number
    half = site.settings.working_environment.toolsdir / "visitors" / str(number) / "code"
    half.mkdir(parents=True)
    look = site.settings.working_environment.toolsdir / f".look-{site.context.epoch}-x"
    look.mkdir()
    with pytest.raises(NotFound):
        site.services.installations.help("visitors")
    site.begin()
    work_on_installations(site.context)
    row = site.services.installations.get("visitors")
    assert (row.state, folders(site)) == ("READY", [str(row.current)])
    assert row.current != number
    assert not look.exists()


def test_a_wish_that_changes_while_another_tool_is_installed_is_done_as_it_is_then(site: Site) -> None:
    go = site.settings.working_environment.toolsdir.with_name("go")
    slow = f"echo begun; until [ -e {go} ]; do sleep 0.1; done\n"
    site.repository({"mao.yml": definition("slow"), **SCRIPTS, "install.sh": slow}, "slow")
    site.register("slow")
    origin = site.repository()
    old, new = newest(origin), origin.push({"mao.yml": definition(commands=COUNT + SHOW)})
    site.register()
    site.services.installations.request("slow")
    agent = site.install_in_background(commit=old)
    site.until(lambda: site.services.installations.get("slow").log == "begun\n")
    site.services.installations.request("visitors", commit=new)
    go.touch()
    agent.join(60)
    row = site.services.installations.get("visitors")
    assert (row.state, row.commit, row.wanted_commit) == ("READY", new, new)


def test_an_attempt_that_was_replaced_changes_nothing(site: Site) -> None:
    site.repository()
    site.register()
    site.services.installations.request("visitors")
    with site.parts.database.transaction() as session:
        begun = InstallationRepository(session).begin("visitors")
    assert begun is not None
    old = begun.number or 0
    site.begin()
    work_on_installations(site.context)
    before = site.services.installations.get("visitors")
    with site.parts.database.transaction() as session:
        assert not InstallationRepository(session).change("visitors", old, current=old, message="mine")
    assert site.services.installations.get("visitors").current == before.current


def test_an_uninstalled_tool_leaves_nothing_and_its_entry_stays(site: Site) -> None:
    site.repository()
    site.register()
    site.install()
    site.services.installations.request_removal("visitors")
    with pytest.raises(WrongState):
        site.services.installations.request("visitors")
    with pytest.raises(NotFound):
        site.services.installations.help("visitors")
    work_on_installations(site.context)
    with pytest.raises(NotFound):
        site.services.installations.get("visitors")
    assert not (site.settings.working_environment.toolsdir / "visitors").exists()
    assert site.services.tools.get("visitors")[0].name == "visitors"


def test_the_entry_of_a_tool_stays_as_long_as_the_tool_is_installed(site: Site) -> None:
    site.repository()
    site.register()
    site.install()
    with pytest.raises(WrongState, match="is installed on this node") as refused:
        site.services.tools.remove(OLGA, "visitors")
    assert refused.value.hint == "Uninstall it first with: maoctl tool uninstall visitors"
    assert site.services.tools.get("visitors")[0].name == "visitors"
    site.services.installations.request_removal("visitors")
    site.install_nothing()
    site.services.tools.remove(OLGA, "visitors")
    with pytest.raises(NotFound):
        site.services.tools.get("visitors")


def test_a_tool_with_a_run_that_is_not_over_stays_installed(site: Site) -> None:
    site.repository()
    site.register()
    site.install()
    wishes = {"command_name": "count", "arguments": ["2026", "7"]}
    run_id = site.services.submissions.submit(OLGA, "visitors", wishes)
    with pytest.raises(Conflict, match=f"Run {run_id} of the tool 'visitors' is not over"):
        site.services.installations.request_removal("visitors")
    site.services.runs.stop(OLGA, run_id)
    assert site.services.installations.request_removal("visitors").state == "REMOVING"


def test_a_tool_without_an_image_needs_a_node_that_allows_processes(make_site: Callable[..., Site]) -> None:
    site = make_site(allow_process_backend=False)
    site.repository()
    site.register()
    with pytest.raises(Invalid, match="needs the process backend, which this node does not allow") as refused:
        site.services.installations.request("visitors")
    assert "allow_process_backend" in (refused.value.hint or "")


def test_the_definition_at_an_address_is_shown_and_not_kept(site: Site) -> None:
    origin = site.repository()
    url = site.git.url("visitors")
    found = site.answered(lambda: site.services.installations.definition(url, "main"))
    assert found["commit"] == newest(origin)
    assert (found["definition"]["name"], found["url"]) == ("visitors", url)
    with pytest.raises(Invalid, match=r"has no mao\.yml"):
        site.git.origin("bare").push({"a": "b"})
        site.answered(lambda: site.services.installations.definition(site.git.url("bare"), ""))
    left = [path.name for path in site.settings.working_environment.toolsdir.iterdir()]
    assert left == [".home"]


def test_a_name_that_no_tool_has_is_told_from_a_tool_that_is_not_installed(site: Site) -> None:
    site.register()
    here = site.services.installations
    for question in (here.get, here.help, here.request_removal):
        with pytest.raises(NotFound, match="'visitors' is not installed"):
            question("visitors")
    for question in (here.get, here.help, here.request_removal, here.request):
        with pytest.raises(NotFound, match="There is no tool 'visitor'") as refused:
            question("visitor")
        assert refused.value.hint == "Did you mean 'visitors'?"


def test_a_definition_that_was_changed_at_the_remote_is_shown_as_it_is_now(site: Site) -> None:
    origin = site.repository()
    site.register()
    looks = (
        lambda: site.services.installations.definition(site.git.url("visitors")),
        lambda: site.services.installations.check("visitors"),
    )
    before = [site.answered(look)["commit"] for look in looks]
    now = origin.push({"mao.yml": definition(commands=COUNT + SHOW)})
    with site.parts.database.transaction() as session:
        session.execute(text("update questions set answered_at = answered_at - interval '10 seconds'"))
    found = [site.answered(look) for look in looks]
    assert [answer["commit"] for answer in found] == [now, now] != before
    assert [len(answer["definition"]["commands"]) for answer in found] == [2, 2]


@pytest.mark.parametrize("url", ["http://git.nosuch.invalid/x.git", "http://127.0.0.1:1/x.git"])
def test_a_look_at_a_server_that_is_not_there_is_a_refusal_and_no_outage(site: Site, url: str) -> None:
    site.register(code_repo=url)
    for look in (
        lambda: site.services.installations.definition(url),
        lambda: site.services.installations.check("visitors"),
    ):
        with pytest.raises(BackendFailed, match="The git server of") as refused:
            site.answered(look)
        assert refused.value.hint
