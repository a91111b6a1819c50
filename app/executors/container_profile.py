"""From a request to the configuration of its container: pure, so that every profile can be read and tested as a value.

===========  ========================================================================================================
standard     the data set's owner as user, no capabilities, no new privileges, a bridge of our own, fresh /tmp and /home
strict       the same with a read-only root file system and without a network
legacy       root with the engine's default capabilities, for images that need them; the node's operator allows it
===========  ========================================================================================================

All three have limits on memory, processors and processes, an init process and no restart policy. None is ever
privileged, shares a namespace with the host, gets a device, the engine's socket or a mount beside its data folder.
"""

from __future__ import annotations

from typing import Any

from app.errors import BackendFailed
from app.executors.base import Profile, RunRequest

DATA_FOLDER = "/usr/src/app/data"
NOBODY = (65534, 65534)
LABEL_INSTALLATION = "mao.installation"
LABEL_NODE = "mao.node"
LABEL_RUN = "mao.run"
LABEL_ATTEMPT = "mao.attempt"
LABEL_TOOL = "mao.tool"
_NO_NETWORK = "none"
_MEBIBYTE = 2**20


def container_config(
    request: RunRequest, *, owner: tuple[int, int], bridge_network: str, log_bytes: int, allow_legacy: bool
) -> dict[str, Any]:
    """Give the body of the engine's "create container" call.

    ``owner`` is the user and group of the data folder (``NOBODY`` where there is none), ``bridge_network`` the name of
    our own network, ``log_bytes`` how much output the engine keeps at least.

    Raises:
        BackendFailed: the legacy profile is not allowed here, or the network is not one that a tool may have.
    """
    if request.profile is Profile.LEGACY and not allow_legacy:
        raise BackendFailed(
            "The tool asks for the legacy profile, which this node does not allow.",
            hint="The node's operator can set allow_legacy in the section DOCKER.",
        )
    is_legacy = request.profile is Profile.LEGACY
    config: dict[str, Any] = {
        "Image": request.image_id or request.image,
        "User": request.user or ("0:0" if is_legacy else f"{owner[0]}:{owner[1]}"),
        "Env": _environment(request.env if is_legacy else {"HOME": "/tmp", **request.env}),  # noqa: S108
        "Labels": labels_of(request),
        "HostConfig": _host_config(request, _network_of(request, bridge_network), log_bytes),
    }
    if request.command:
        config["Cmd"] = list(request.command)
    return config


def labels_of(request: RunRequest) -> dict[str, str]:
    """Give the labels that tell this attempt's container from every other one."""
    return {
        LABEL_INSTALLATION: request.installation,
        LABEL_NODE: request.node,
        LABEL_RUN: str(request.run_id),
        LABEL_ATTEMPT: str(request.attempt),
        LABEL_TOOL: request.tool,
    }


def needs_bridge(config: dict[str, Any]) -> bool:
    """Tell whether a container with this configuration joins our own network."""
    return bool(config["HostConfig"]["NetworkMode"] != _NO_NETWORK)


def _network_of(request: RunRequest, bridge_network: str) -> str:
    if request.network not in ("", _NO_NETWORK):
        raise BackendFailed(
            f"A tool cannot be put on the network '{request.network}'.",
            hint="Leave the tool's network empty, or write 'none' for a tool that needs no network.",
        )
    return _NO_NETWORK if request.network or request.profile is Profile.STRICT else bridge_network


def _environment(values: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in values.items()]


def _host_config(request: RunRequest, network: str, log_bytes: int) -> dict[str, Any]:
    memory_bytes = request.limits.memory_mb * _MEBIBYTE
    host: dict[str, Any] = {
        "Init": True,
        "Memory": memory_bytes,
        # Equal to the memory limit: no swap on top of it.
        "MemorySwap": memory_bytes,
        "NanoCpus": round(request.limits.cpus * 1e9),
        "PidsLimit": request.limits.pids,
        "NetworkMode": network,
        "RestartPolicy": {"Name": "no"},
        "LogConfig": _log_config(log_bytes),
        "Mounts": _mounts(request),
    }
    if request.profile is not Profile.LEGACY:
        host["CapDrop"] = ["ALL"]
        host["SecurityOpt"] = ["no-new-privileges"]
        host["Tmpfs"] = _scratch(request.limits.memory_mb)
        host["ReadonlyRootfs"] = request.profile is Profile.STRICT
    return host


def _log_config(log_bytes: int) -> dict[str, Any]:
    # Unlike the default driver, "local" gives bytes back as they were printed, and its files are rotated. Two files,
    # because a single one is emptied when it is full.
    options = {"max-size": str(log_bytes), "max-file": "2", "compress": "false"}
    return {"Type": "local", "Config": options}


def _mounts(request: RunRequest) -> list[dict[str, Any]]:
    if request.data_dir is None:
        return []
    # A mount, not a "bind": the engine would create the folder of a missing bind, as root.
    return [{"Type": "bind", "Source": request.data_dir, "Target": DATA_FOLDER, "ReadOnly": False}]


def _scratch(memory_mb: int) -> dict[str, str]:
    # These files count as memory of the container, so one folder may take half of it. Programs may be executed there,
    # because packages unpack their libraries into /tmp.
    options = f"rw,exec,nosuid,nodev,mode=1777,size={max(1, memory_mb // 2)}m"
    return {"/tmp": options, "/home": options}  # noqa: S108
