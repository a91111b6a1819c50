"""``maoctl`` alone at a real terminal, over the real product."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.models.index import IndexEntry
from app.repositories.etcd import EtcdKv
from app.repositories.index import Index
from tests.integration.git_server import Origin
from tests.integration.terminal import CTRL_D, Terminal
from tests.integration.whole.product import CHECKOUT, Product

MENU = "Your choice:"
NO_ENGINE = "unix:///nonexistent/docker.sock"


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    """A product without containers, which are not needed here."""
    folder = Path(tempfile.mkdtemp(prefix="mao-launcher-"))
    made = Product(folder, f"launcher-{secrets.token_hex(4)}", NO_ENGINE)
    made.start_api()
    made.start_agent()
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def environment(product: Product) -> dict[str, str]:
    known = {"MAO_URL": product.url, "MAO_TOKEN": product.headers["X-Api-Token"], "HOME": str(product.folder)}
    return {**os.environ, **known}


@pytest.fixture
def launcher(environment: dict[str, str]) -> Iterator[Terminal]:
    made = Terminal([sys.executable, str(CHECKOUT / "cli" / "maoctl.py")], environment)
    yield made
    made.close()


@pytest.fixture
def published(product: Product, tmp_path: Path) -> dict[str, str]:
    """Two days of one data set in the index; give the commit of each."""
    origin, index = Origin(tmp_path / "helm.git"), Index(EtcdKv(product.settings.etcd))
    commits = {}
    for day in ("2026-03-01", "2026-03-02"):
        commits[day] = origin.push({"data.csv": f"{day}\n"})
        index.put(IndexEntry("helmhub", day, "panos", "helm", f"file://{origin.bare}", commits[day], 1))
    return commits


def test_a_day_is_retrieved_from_the_menu_and_again_by_the_command_that_it_showed(
    product: Product, launcher: Terminal, environment: dict[str, str], published: dict[str, str]
) -> None:
    launcher.answer(MENU, "retrieve")
    launcher.answer("Which hub?", "helmhub")
    launcher.answer("Which date?", "2026-03-01")
    launcher.answer("Which operator?", "")
    launcher.answer("Name of the clone", "spring")
    launcher.expect("$ maoctl ")
    command = shlex.split(launcher.expect("\n"))
    launcher.expect(f"is at commit {published['2026-03-01']} in ")
    folder = product.settings.working_environment.importdir / "spring"
    assert (folder / "data.csv").read_text() == "2026-03-01\n"
    launcher.expect(MENU)
    again = subprocess.run(
        [sys.executable, str(CHECKOUT / "cli" / "maoctl.py"), *command],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert published["2026-03-01"] in again.stdout
    launcher.press(CTRL_D)
    assert launcher.end() == 0


def test_keys_leave_steps_and_the_launcher_and_nothing_that_is_typed_makes_a_trace(launcher: Terminal) -> None:
    launcher.answer(MENU, "run")
    launcher.expect("No tool is registered yet.")
    launcher.answer(MENU, "register")
    launcher.expect("How?")
    launcher.interrupt("Ctrl-C leaves a step")
    launcher.answer(MENU, "register")
    launcher.answer("How?", "fields")
    launcher.expect("Name of the tool:")
    launcher.press(b"\xff\xfe \x1b[A\xc3\xa9\n")
    for question in ("Author:", "Image:", "Data:", "Code:", "Artefact:", "Command"):
        launcher.answer(question, "'it")
    launcher.answer("quotes come in pairs", "")
    launcher.answer("Hub:", "")
    launcher.answer("What becomes of the data", "commit")
    launcher.expect("name: Must be 1 to 63")
    launcher.expect(MENU)
    launcher.interrupt(MENU)
    launcher.press(CTRL_D)
    assert launcher.end() == 0
    assert "Traceback" not in launcher.seen
    assert "unexpected" not in launcher.seen
