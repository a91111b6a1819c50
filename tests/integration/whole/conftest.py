"""A product of its own for each test, with a fresh name for its node."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.integration.images import busybox_image
from tests.integration.whole.product import Product


@pytest.fixture
def product(docker_socket: str) -> Iterator[Product]:
    folder = Path(tempfile.mkdtemp(prefix="mao-recovery-"))
    folder.chmod(0o755)
    made = Product(folder, f"recovery-{secrets.token_hex(4)}", docker_socket)
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def image(docker_socket: str) -> str:
    return busybox_image()


@pytest.fixture
def engine(docker_socket: str) -> Iterator[Any]:
    client = docker.APIClient(docker_socket)
    yield client
    client.close()
