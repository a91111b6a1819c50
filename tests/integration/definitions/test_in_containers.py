"""Definition tools of a node with a container engine: installed and run in containers of the entry's image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from app.executors.base import Executor
from tests.integration import images
from tests.integration.definitions.site import COUNT, SCRIPTS, SHOW, Site, definition

pytestmark = pytest.mark.docker
YEAR = {"command_name": "count", "arguments": ["2026", "7"]}
PASSWORD = "mao-test-never-shown"


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    images.busybox_image()
    made = make_site(allow_process_backend=False, install_seconds=6)
    assert "process" not in made.parts.executors
    return made


def register(site: Site, **values: Any) -> None:
    site.register(image=images.BUSYBOX, **{"network": "none", **values})


def test_a_tool_is_installed_run_updated_and_removed_in_containers(site: Site) -> None:
    origin = site.repository({"mao.yml": definition(commands=COUNT + SHOW), **SCRIPTS})
    site.git.origin("visitors-data").push({"README": "data"})
    register(site, data_repo=site.git.url("visitors-data"))
    row = site.install()
    assert (row.state, row.message, row.how) == ("READY", "", "container")
    run = site.run(**YEAR)
    assert (run.status, site.output(run.id), run.definition_commit) == ("SUCCEEDED", "wrote 7 of 2026\n", row.commit)
    shown = site.output(site.run(command_name="show").id).splitlines()
    assert shown[0] == "/usr/src/app/tool"
    assert shown[1].startswith("installed by ")
    assert shown[2:] == ["/usr/src/app/data", "README", "control-2026.csv"]
    assert (site.settings.working_environment.importdir / "visitors/shown.txt").exists()
    origin.push({"bin/count.sh": "touch bin/count.sh /usr/src/app/tool/x 2>&1; echo $?\n"})
    assert site.install().message == ""
    # The code that a run gets is read-only.
    assert site.output(site.run(**YEAR).id).endswith("\n1\n")
    site.services.installations.request_removal("visitors")
    site.install_nothing()
    assert not (site.settings.working_environment.toolsdir / "visitors").exists()


def test_a_run_with_a_command_of_its_own_sees_nothing_of_the_code(site: Site) -> None:
    site.repository()
    register(site)
    site.install()
    run = site.run(command=["sh", "-c", "ls /usr/src/app/tool 2>/dev/null || echo none"])
    assert site.output(run.id).endswith("none\n")
    assert run.definition_commit is None


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo some words; exit 7", "The installer ended with exit code 7."),
        ("sleep 1000", "The installer took more than 6 seconds."),
        ("while :; do sleep 1000 & done", "The installer "),
        ("tail /dev/zero", "The installer ran out of memory."),
    ],
)
def test_a_bad_installer_is_ended_and_leaves_no_container(site: Site, script: str, said: str) -> None:
    site.repository({"mao.yml": definition(), **SCRIPTS, "install.sh": f"{script}\n"})
    register(site, pids=20, memory_mb=32)
    row = site.install()
    assert (row.state, row.is_usable) == ("FAILED", False)
    assert row.message.startswith(said)
    engine: Executor = site.parts.executors["docker"]
    assert engine.leftovers(site.context.installation, site.settings.node) == []


def test_an_installer_in_a_container_learns_and_changes_nothing_outside(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAO_POSTGRES_PASSWORD", PASSWORD)
    script = "env; cat /proc/*/environ | tr '\\0' '\\n'; id -u; ls /usr/src/app /run /var/run/docker.sock; exit 1\n"
    site.repository({"mao.yml": definition(), **SCRIPTS, "install.sh": script})
    register(site)
    row = site.install()
    assert PASSWORD not in row.log
    assert {line.partition("=")[0] for line in row.log.splitlines() if line.startswith("MAO_")} == {
        "MAO_TOOL",
        "MAO_COMMIT",
    }
    assert "docker.sock: No such file" in row.log
    assert "\ntool\n" in row.log and "\ndata\n" not in row.log


def test_an_installer_whose_agent_is_gone_is_swept_away_and_one_at_work_is_not(site: Site) -> None:
    site.repository({"mao.yml": definition(), **SCRIPTS, "install.sh": "echo begun; sleep 5\n"})
    register(site)
    agent = site.install_in_background()
    site.until(lambda: site.services.installations.get("visitors").log == "begun\n")
    assert site.sweep() == 0
    site.begin()
    assert site.sweep() == 1
    agent.join(30)
    site.repository_of().push({"install.sh": "true\n"})
    site.install_nothing()
    assert site.services.installations.get("visitors").state == "READY"
