"""Unit tests open no socket: a test that needs one belongs in ``tests/integration``."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> None:
    """Forbid sockets in every unit test; the fixture of pytest-socket does the work."""
