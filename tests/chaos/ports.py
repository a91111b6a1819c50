"""Ports of the loopback interface; the network is ours alone, so they are simply counted."""

from __future__ import annotations

import itertools

# Below those that the kernel gives to connections that go out, which could take a dead server's port.
_numbers = itertools.count(20_000)


def free_port() -> int:
    """Give a port that was not given before."""
    return next(_numbers)
