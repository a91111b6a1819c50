"""From a request to the configuration of its container: pure, so that every profile can be read and tested as a value.

===========  ========================================================================================================
standard     the data set's owner as user, no capabilities, no new privileges, a bridge of our own, fresh /tmp and /home
strict       the same with a read-only root file system and without a network
legacy       root with the engine's default capabilities, for images that need them; the node's operator allows it
===========  ========================================================================================================

All three have limits on memory, processors and processes, an init process and no restart policy. None is ever
privileged, shares a namespace with the host, gets a device, the engine's socket or a mount beside its data folder, the
files that were uploaded to its run, its secrets and the code of an installed tool, these three read-only. An installer
has the code and nothing else, and may write to it.
"""

from __future__ import annotations

from typing import Any

from app.errors import BackendFailed
from app.executors.base import RunRequest
from app.models.tool import Profile

DATA_FOLDER = "/usr/src/app/data"
FILES_FOLDER = "/usr/src/app/files"
CODE_FOLDER = "/usr/src/app/tool"
SECRETS_FOLDER = "/run/secrets"
NOBODY = (65534, 65534)
LABEL_INSTALLATION = "mao.installation"
LABEL_NODE = "mao.node"
LABEL_RUN = "mao.run"
LABEL_ATTEMPT = "mao.attempt"
LABEL_TOOL = "mao.tool"
_NO_NETWORK = "none"
_MEBIBYTE = 2**20


def container_config(
    request: RunRequest,
    *,
    owner: tuple[int, int],
    bridge_network: str,
    log_bytes: int,
    allow_legacy: bool,
    secrets: str | None = None,
) -> dict[str, Any]:
    """Give the body of the engine's "create container" call.

    ``owner`` is the user and group of the data folder (``NOBODY`` where there is none), ``bridge_network`` the name of
    our own network, ``log_bytes`` how much output the engine keeps at least, ``secrets`` the folder of this machine in
    which the run's secrets have been laid out.

    Raises:
        BackendFailed: the legacy profile is not allowed here, or the network is not one that a tool may have.
    """
    if request.profile is Profile.LEGACY and not allow_legacy:
        raise BackendFailed(
            "The tool asks for the legacy profile, which this node does not allow.",
            hint="The node's operator can set allow_legacy in the section DOCKER.",
        )
    is_legacy = request.profile is Profile.LEGACY
    mounts = _mounts(request, secrets)
    return {
        "Image": request.image_id or request.image,
        "User": user_of(request, owner),
        "Env": _environment(_variables(request) if is_legacy else {"HOME": "/tmp", **_variables(request)}),  # noqa: S108
        "Labels": labels_of(request),
        "HostConfig": _host_config(request, _network_of(request, bridge_network), log_bytes, mounts),
        **_program(request),
    }


def _program(request: RunRequest) -> dict[str, Any]:
    """Give what runs: the image's own command, one in its place, or a script of installed code."""
    if request.code is None:
        return {"Cmd": list(request.command)} if request.command else {}
    interpreter, script, *arguments = request.command
    # With an entry point of its own, the image would be given our words as the arguments of that.
    return {"Entrypoint": [interpreter, f"{CODE_FOLDER}/{script}"], "Cmd": arguments, "WorkingDir": CODE_FOLDER}


def _variables(request: RunRequest) -> dict[str, str]:
    has_data = request.code is not None and request.data_dir is not None
    return {**request.env, "MAO_DATA_DIR": DATA_FOLDER} if has_data else request.env


def user_of(request: RunRequest, owner: tuple[int, int]) -> str:
    """Give the user, as a rule with a group, that the container runs as."""
    if request.user:
        return request.user
    return "0:0" if request.profile is Profile.LEGACY else f"{owner[0]}:{owner[1]}"


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


def _host_config(request: RunRequest, network: str, log_bytes: int, mounts: list[dict[str, Any]]) -> dict[str, Any]:
    memory_bytes = request.limits.memory_mb * _MEBIBYTE
    host: dict[str, Any] = {
        "Init": True,
        "Memory": memory_bytes,
        # Equal to the memory limit: no swap on top of it.
        "MemorySwap": memory_bytes,
        "NanoCpus": round(request.limits.cpus * 1e9),
        "PidsLimit": request.limits.pids,
        "NetworkMode": network,
        # An engine can be set up to share these two by default.
        "IpcMode": "private",
        "CgroupnsMode": "private",
        "RestartPolicy": {"Name": "no"},
        "LogConfig": _log_config(log_bytes),
        "Mounts": mounts,
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


def _mounts(request: RunRequest, secrets: str | None) -> list[dict[str, Any]]:
    data = [_mount(request.data_dir, DATA_FOLDER, is_read_only=False)] if request.data_dir else []
    files = [_mount(path, f"{FILES_FOLDER}/{name}") for name, path in sorted(request.files.items())]
    return [*_code_mounts(request), *data, *files, *([_mount(secrets, SECRETS_FOLDER)] if secrets else [])]


def _code_mounts(request: RunRequest) -> list[dict[str, Any]]:
    """Give the mount of the code, and one of the data where the script expects it."""
    if request.code is None:
        return []
    code = _mount(request.code.folder, CODE_FOLDER, is_read_only=not request.code.is_writable)
    if not (request.code.data_place and request.data_dir):
        return [code]
    return [code, _mount(request.data_dir, f"{CODE_FOLDER}/{request.code.data_place}", is_read_only=False)]


def _mount(source: str, target: str, *, is_read_only: bool = True) -> dict[str, Any]:
    # A mount, not a "bind": the engine would create the folder of a missing bind, as root.
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": is_read_only}


def _scratch(memory_mb: int) -> dict[str, str]:
    # These files count as memory of the container, so one folder may take half of it. Programs may be executed there,
    # because packages unpack their libraries into /tmp.
    options = f"rw,exec,nosuid,nodev,mode=1777,size={max(1, memory_mb // 2)}m"
    return {"/tmp": options, "/home": options}  # noqa: S108
