"""Installers that nobody should write: they fail, they are ended, and they learn and change nothing outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import NotFound
from app.services.installations_work import work_on_installations
from tests.integration.definitions.site import SCRIPTS, Site, definition
from tests.integration.git_server import processes_that_name

PASSWORD = "mao-test-never-shown"


def install(site: Site, script: str) -> str:
    """Install a tool with this installer, and give what was said of it and what it printed."""
    site.repository({"mao.yml": definition(), **SCRIPTS, "install.sh": script})
    site.register()
    row = site.install()
    return f"{row.state} {row.message}\n{row.log}"


def test_an_installer_that_fails_says_how_and_shows_its_last_words(site: Site) -> None:
    said = install(site, "seq 1 100000; echo the end; exit 7\n")
    assert said.startswith("FAILED The installer ended with exit code 7.\n")
    assert said.endswith("\nthe end\n")
    assert len(said) < 20_000


def test_no_secret_of_ours_is_in_its_environment(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAO_POSTGRES_PASSWORD", PASSWORD)
    said = install(site, "env; cat /proc/$PPID/environ /proc/1/environ 2>&1 | tr '\\0' '\\n'; exit 1\n")
    assert PASSWORD not in said
    ours = {line.partition("=")[0] for line in said.splitlines() if line.startswith("MAO_")}
    assert ours == {"MAO_TOOL", "MAO_COMMIT"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give an installer another user")
def test_as_root_an_installer_is_nobody_and_writes_in_its_own_folder_only(site: Site, tmp_path: Path) -> None:
    places = [tmp_path / "outside", site.settings.working_environment.toolsdir / "x", Path("/etc/mao-test-outside")]
    agent = f"cat /proc/{os.getpid()}/environ && echo read"
    script = "".join(f"touch {place} && echo wrote; " for place in places) + f"{agent}; id -u; touch made; exit 1\n"
    said = install(site, script)
    assert "wrote" not in said and "\nread" not in said
    assert said.endswith("65534\n")
    assert not [place for place in places if place.exists()]


def test_an_installer_that_nests_folders_without_end_is_told_so_and_leaves_nothing(site: Site) -> None:
    nest = "import os\nfor _ in range(3000): os.mkdir('d'); os.chdir('d')"
    said = install(site, f'python3 -c "{nest}"\n')
    assert said.startswith("FAILED The installer left folders in folders that are too deep for this machine.\n")
    assert not (site.settings.working_environment.toolsdir / "visitors").exists()


def test_folders_that_an_installer_closed_are_opened_again(site: Site) -> None:
    said = install(site, "mkdir -p closed/in; echo x > closed/in/file; chmod 000 closed/in/file closed/in closed\n")
    assert said.startswith("READY")
    row = site.services.installations.get("visitors")
    closed = site.settings.working_environment.toolsdir / "visitors" / str(row.current) / "code/closed"
    modes = [path.stat().st_mode & 0o777 for path in (closed, closed / "in", closed / "in/file")]
    assert modes == [0o755, 0o755, 0o644]


def test_an_installer_that_hangs_is_ended_with_all_that_it_started(make_site: Callable[..., Site]) -> None:
    site = make_site(install_seconds=2)
    said = install(site, "sleep 98765 & trap '' TERM; while :; do sleep 98765; done\n")
    assert said.startswith("FAILED The installer took more than 2 seconds.")
    assert processes_that_name("98765") == []


def test_an_installer_that_writes_without_end_is_ended(make_site: Callable[..., Site]) -> None:
    site = make_site(install_bytes=20 * 2**20)
    said = install(site, "while :; do dd if=/dev/zero of=big-$((n=n+1)) bs=1M count=1 2>/dev/null; done\n")
    assert said.startswith("FAILED The installer wrote more than 20971520 bytes.")
    assert not (site.settings.working_environment.toolsdir / "visitors").exists()


def test_an_installer_that_forks_without_end_runs_out_of_processes(make_site: Callable[..., Site]) -> None:
    site = make_site(pids=20, install_seconds=20)
    said = install(site, "while :; do sleep 87654 & done\n")
    assert said.startswith("FAILED The installer ended with exit code")
    assert "fork" in said.lower()
    assert processes_that_name("87654") == []


@pytest.mark.parametrize("left", ["ln -sf /etc/passwd bin/count.sh", "rm bin/count.sh", "rm -r data; ln -s /etc data"])
def test_an_installer_that_puts_a_link_where_we_look_is_refused(site: Site, left: str) -> None:
    assert install(site, f"{left}\n").startswith("FAILED The installer has")


def test_what_an_installer_leaves_is_ours_afterwards_and_links_are_not_followed(site: Site, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    target.chmod(0o600)
    said = install(site, f"ln -s {target} out; touch free bound; chmod 4777 free; chmod 0 bound; mkfifo pipe\n")
    assert said == "READY \n"
    code = next(site.settings.working_environment.toolsdir.glob("visitors/*/code"))
    modes = {path.name: path.lstat().st_mode & 0o7777 for path in code.iterdir()}
    assert (modes["free"], modes["bound"], "pipe" in modes) == (0o755, 0o644, False)
    assert (target.stat().st_mode & 0o777, (code / "out").is_symlink()) == (0o600, True)


def test_an_installation_that_is_called_off_is_ended_and_removed(site: Site) -> None:
    site.repository({"mao.yml": definition(), **SCRIPTS, "install.sh": "echo begun; sleep 76543\n"})
    site.register()
    agent = site.install_in_background()
    site.until(lambda: site.services.installations.get("visitors").log == "begun\n")
    site.services.installations.request_removal("visitors")
    agent.join(30)
    assert processes_that_name("76543") == []
    work_on_installations(site.context)
    with pytest.raises(NotFound):
        site.services.installations.get("visitors")
    assert not (site.settings.working_environment.toolsdir / "visitors").exists()


def test_an_installer_whose_agent_was_killed_is_swept_away_and_begun_anew(site: Site) -> None:
    site.repository({"mao.yml": definition(), **SCRIPTS, "install.sh": "echo begun; [ -e /proc/1 ] && sleep 65432\n"})
    site.register()
    agent, killed = site.install_in_background(), site.context
    site.until(lambda: site.services.installations.get("visitors").log == "begun\n")
    first = site.services.installations.get("visitors").number
    # A killed agent does nothing any more; this one is told so late that its installer is there when the next begins.
    assert site.sweep() == 0
    site.begin()
    assert site.sweep() == 1
    assert processes_that_name("65432") == []
    killed.lost.set()
    agent.join(30)
    site.repository_of("visitors").push({"install.sh": SCRIPTS["install.sh"]})
    work_on_installations(site.context)
    row = site.services.installations.get("visitors")
    assert (row.state, row.message) == ("READY", "")
    assert row.number != first
