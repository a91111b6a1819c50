"""The engine and the network that tests of the docker backend use."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from app.executors import firewall
from app.executors.bridge import bridge_for
from tests.integration import images
from tests.integration.executors.docker_tests import NETWORK


@pytest.fixture(scope="module")
def engine() -> Any:
    images.busybox_image()
    return images.client()


@pytest.fixture(scope="module")
def network(engine: Any) -> Iterator[str]:
    """The name of a network of our own that is taken down again, with its packet filter rules."""
    yield NETWORK
    for found in engine.networks(names=[NETWORK]):
        engine.remove_network(found["Id"])
    for rule in firewall.rules_for(bridge_for(NETWORK)):
        while subprocess.run(["iptables", "-w", "-D", *rule], capture_output=True, check=False).returncode == 0:
            pass
