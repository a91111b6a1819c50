"""The way that the users of the first version know, from end to end: once by commands, once through the menu.

A tool is registered by its git link, installed, asked for its help and run with arguments. What it collects is pushed
as ``sync <date>``, retrieved by hub, day and operator, and compared.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.git_server import GitServer, Origin, git
from tests.integration.terminal import CTRL_D, Terminal
from tests.integration.whole.product import CHECKOUT, Product

pytestmark = [pytest.mark.docker, pytest.mark.long]

MAOCTL = [sys.executable, str(CHECKOUT / "cli" / "maoctl.py")]
MENU = "Your choice:"
DEFINITION = """\
Version: 0.2
Name: {name}
Description: Counts the visitors of a museum.
Data:
  Local: data
  Repo: {{Name: {name}, Remote: {remote}}}
Installer: {{Command: sh, Script: install.sh}}
Commands:
  - Name: count
    Description: Writes how many visitors there were.
    Command: sh
    Script: count.sh
    Arguments:
      - {{Name: museum, Description: Which museum.}}
      - {{Name: visitors, Description: How many there were.}}
  - Name: close
    Description: Writes that there were none.
    Command: sh
    Script: close.sh
"""
SCRIPTS = {
    "install.sh": "echo ready >ready\n",
    "count.sh": """\
cat ready
printf 'museum,visitors\\n%s,%s\\n' "$1" "$2" >"$MAO_DATA_DIR/visitors.csv"
echo "$2" >"$MAO_DATA_DIR/control-$MAO_RUN_ID.csv"
echo "There were $2 in the $1."
""",
    "close.sh": 'echo 0 >"$MAO_DATA_DIR/control-$MAO_RUN_ID.csv"\n',
}


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[GitServer]:
    """A git server to which only those push who show its token."""
    with GitServer(tmp_path / "forge", tokens={"writer": {"read", "write"}}) as server:
        yield server


@pytest.fixture
def site(product: Product, forge: GitServer) -> Product:
    """The product of an operator who may push to the git server."""
    keys = product.folder / "git-credentials"
    keys.write_text(f"{forge.url('x').removesuffix('/x.git').replace('://', '://panos:writer@')}\n")
    keys.chmod(0o600)
    product.settings = replace(
        product.settings,
        git=replace(product.settings.git, credentials_file=str(keys)),
        working_environment=replace(product.settings.working_environment, user="panos"),
    )
    product.start_api()
    product.start_agent()
    return product


@pytest.fixture
def environment(site: Product) -> dict[str, str]:
    known = {"MAO_URL": site.url, "MAO_TOKEN": site.headers["X-Api-Token"], "HOME": str(site.folder)}
    return {**os.environ, **known, "COLUMNS": "200"}


def published(forge: GitServer, name: str) -> Origin:
    """Put the tool of that name on the git server, beside an empty repository for its data; give that."""
    data = forge.origin(f"{name}-data")
    forge.origin(name).push({"mao.yml": DEFINITION.format(name=name, remote=forge.url(f"{name}-data")), **SCRIPTS})
    return data


def maoctl(environment: dict[str, str], *arguments: str, status: int = 0) -> str:
    """Call a command without a terminal and give what it prints."""
    command = [*MAOCTL, *arguments]
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == status, f"{arguments}: {done.returncode} {done.stdout} {done.stderr}"
    return done.stdout


def subjects(data: Origin) -> list[str]:
    """Give the subjects of the commits on the server, the oldest first."""
    return git("log", "--reverse", "--format=%s", "--all", cwd=data.bare).splitlines()


def until_known(site: Product, name: str) -> None:
    """Wait until the agent has told of both runs: to the federation, and to who asks for snapshots."""

    def is_known() -> bool:
        runs = site.call("GET", f"/api/runs?tool={name}").json()["items"]
        days = site.call("GET", "/api/index/museums/dates").json().get("items", [])
        shown = [site.call("GET", f"/api/index/museums/{day['date']}/operators").json()["items"] for day in days]
        listed = site.call("GET", f"/api/datasets/{name}/snapshots").json()["items"]
        is_told = runs[0]["outputCommit"] in [item["commit"] for items in shown for item in items]
        return is_told and [item["runId"] for item in listed] == [run["id"] for run in runs]

    site.until(is_known, f"both runs of '{name}' are known")


def test_by_commands(site: Product, forge: GitServer, environment: dict[str, str], image: str) -> None:
    data = published(forge, "museum")
    options = ("--image", image, "--hub", "museums", "--publish", "push")
    maoctl(environment, "tool", "add", "--git", forge.url("museum"), *options)
    maoctl(environment, "tool", "install", "museum", "--wait")
    told = maoctl(environment, "tool", "help", "museum")
    assert "Writes how many visitors there were." in told
    for number, visitors in enumerate(("100", "102"), 1):
        report = maoctl(environment, "tool", "run", "museum", "--command", "count", "--", "louvre", visitors)
        assert report.startswith("Report:\n")
        assert f"Number of data snapshots: {number}\n" in report
        assert f"There were {visitors} in the louvre." in maoctl(environment, "run", "output", str(number))
    assert all(re.fullmatch(r"sync \d{4}-\d\d-\d\d", subject) for subject in subjects(data))
    assert len(subjects(data)) == 2
    until_known(site, "museum")
    place = ("--hub", "museums", "--date", "latest", "--operator", "panos")
    retrieved = maoctl(environment, "dataset", "retrieve", *place, "--as", "then")
    newest = git("rev-parse", "HEAD", cwd=data.bare)
    folder = site.settings.working_environment.importdir / "then"
    assert retrieved.endswith(f"is at commit {newest} in {folder}.\n")
    assert (folder / "visitors.csv").read_text() == "museum,visitors\nlouvre,102\n"
    compared = maoctl(environment, "dataset", "compare", "museum", "previous", "latest", "--key", "museum", status=9)
    assert 'key louvre: visitors: "100" -> "102"' in compared


def test_through_the_menu(site: Product, forge: GitServer, environment: dict[str, str], image: str) -> None:
    data = published(forge, "gallery")
    menu = Terminal(MAOCTL, environment)
    try:
        _walk(menu, site, forge, image)
    finally:
        menu.close()
    assert [subject[:5] for subject in subjects(data)] == ["sync ", "sync "]


def _walk(menu: Terminal, site: Product, forge: GitServer, image: str) -> None:
    menu.answer(MENU, "register")
    menu.answer("How?", "link")
    menu.answer("Git link of the tool:", forge.url("gallery"))
    menu.answer("Author", "Ada L.")
    menu.answer("Image", image)
    menu.answer("Hub", "museums")
    menu.answer("What becomes of the data", "push")
    menu.expect("is registered")
    menu.answer(MENU, "install")
    menu.answer("Which tool?", "gallery")
    menu.expect("is installed at commit")
    menu.answer(MENU, "help")
    menu.answer("Which tool?", "gallery")
    menu.expect("Writes how many visitors there were.")
    for visitors in ("100", "102"):
        menu.answer(MENU, "run")
        menu.answer("Which tool?", "gallery")
        menu.answer("Which command?", "count")
        menu.answer("Which museum.:", "uffizi")
        menu.answer("How many there were.:", visitors)
        menu.expect(f"$ maoctl tool run --command=count gallery -- uffizi {visitors}")
        menu.expect("Report:")
    until_known(site, "gallery")
    menu.answer(MENU, "retrieve")
    menu.answer("Which hub?", "museums")
    menu.answer("Which date?", "")
    menu.answer("Which operator?", "panos")
    menu.answer("Name of the clone", "then")
    menu.expect("is at commit")
    folder = site.settings.working_environment.importdir / "then"
    assert (folder / "visitors.csv").read_text() == "museum,visitors\nuffizi,102\n"
    menu.answer(MENU, "compare")
    menu.answer("Which data set?", "gallery")
    menu.answer("The newer one?", "")
    menu.answer("The older one?", "")
    menu.expect("Files: 0 identical, 2 changed")
    menu.answer(MENU, "runs")
    menu.answer("What of them?", "list")
    menu.expect("SUCCEEDED")
    menu.expect(MENU)
    menu.press(CTRL_D)
    assert menu.end() == 0
    assert "Traceback" not in menu.seen
