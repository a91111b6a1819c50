"""A node of its own for each test, in a folder that every user may enter, as an instance is."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app.settings import Settings
from tests.integration.definitions.site import Site
from tests.integration.git_server import GitServer


@pytest.fixture
def open_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mao-definitions-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def git_server(open_folder: Path) -> Iterator[GitServer]:
    with GitServer(open_folder / "origins") as server:
        yield server


@pytest.fixture
def make_site(settings: Settings, open_folder: Path, git_server: GitServer) -> Iterator[Callable[..., Site]]:
    """Make a node; ``limits`` are settings of that section."""
    made: list[Site] = []

    def make(*, allow_process_backend: bool = True, **limits: int) -> Site:
        places = {name: open_folder / name for name in ("importdir", "toolsdir", "filesdir", "secretsdir")}
        environment = replace(settings.working_environment, allow_process_backend=allow_process_backend, **places)
        here = replace(
            settings,
            instance=open_folder / "instance",
            working_environment=environment,
            limits=replace(settings.limits, **limits),
        )
        made.append(Site(here, git_server))
        return made[-1]

    yield make
    for site in made:
        site.end()


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site()
