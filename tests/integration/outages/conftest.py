"""One site for all outages of a module: each test leaves it as well as it found it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.outages.site import Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    folder = Path(tempfile.mkdtemp(prefix="mao-outages-"))
    folder.chmod(0o755)
    made = Site(folder)
    yield made
    made.close()
    shutil.rmtree(folder, ignore_errors=True)
