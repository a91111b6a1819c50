"""The network that tools share: what the engine is told when it makes it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from app.errors import BackendFailed

LABEL_NETWORK = "mao.network"
_BRIDGE_NAME = "com.docker.network.bridge.name"
_LONGEST_SUFFIX = 12


def bridge_for(network: str) -> str:
    """Give the name of the host's interface for ``network``; the kernel allows 15 characters."""
    is_short = len(network) <= _LONGEST_SUFFIX
    return f"br-{network if is_short else hashlib.sha256(network.encode()).hexdigest()[:_LONGEST_SUFFIX]}"


def network_options(network: str, mtu: int) -> dict[str, Any]:
    """Give the arguments that make ``network``; an ``mtu`` of 0 leaves the engine's own.

    The interface has a name of ours, so that packet filter rules can name it, and no container reaches another.
    """
    options = {_BRIDGE_NAME: bridge_for(network), "com.docker.network.bridge.enable_icc": "false"}
    if mtu:
        options["com.docker.network.driver.mtu"] = str(mtu)
    return {"driver": "bridge", "options": options, "check_duplicate": True, "labels": {LABEL_NETWORK: "tools"}}


def bridge_of(inspected: Mapping[str, Any]) -> str:
    """Give the interface of a network that we made.

    Raises:
        BackendFailed: somebody else made it, so nothing is known of what it lets through.
    """
    if LABEL_NETWORK not in (inspected.get("Labels") or {}):
        raise BackendFailed(
            f"The container engine has a network '{inspected['Name']}' that was not made for tools.",
            hint="Set another name as network in the section DOCKER.",
        )
    return str(inspected["Options"][_BRIDGE_NAME])
