"""What a git command that talks to a remote is given beyond the fixed environment: the one address, and the keys.

No secret is in it. Git is told where they are, and asks for them itself, so none is ever an argument, a variable, a
part of a URL, or written into a clone.
"""

from __future__ import annotations

import base64
import os
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from app.errors import BackendFailed
from app.repositories.addresses import Address, literal
from app.repositories.git_addresses import looked_up, require_allowed
from app.repositories.git_urls import Host, host_of, is_folder
from app.settings import Git

_DATA = "data_unavailable"
_SSH_PORT = 22
_SSH = (
    # The agent's user may have a configuration, which could lead elsewhere.
    *("ssh", "-F", "/dev/null"),
    *("-oBatchMode=yes", "-oStrictHostKeyChecking=yes", "-oUpdateHostKeys=no", "-oCheckHostIP=no"),
    *("-oConnectTimeout=15", "-oServerAliveInterval=15", "-oServerAliveCountMax=3"),
    *("-oControlMaster=no", "-oControlPath=none", "-oForwardAgent=no", "-oForwardX11=no", "-oClearAllForwardings=yes"),
    *("-oPermitLocalCommand=no", "-oProxyCommand=none", "-oCanonicalizeHostname=no"),
)


@dataclass(frozen=True)
class Access:
    """Configuration, as pairs of which later ones add to earlier ones, and variables for one command."""

    config: tuple[tuple[str, str], ...] = ()
    variables: dict[str, str] = field(default_factory=dict)


def access_to(url: str, settings: Git) -> Access:
    """Look at the host of ``url`` and give what git needs to reach it, there and nowhere else.

    The name is looked up here once. Git gets the addresses that were looked at, so a name server that changes its
    answer gains nothing.

    Raises:
        RemoteDown: the name is not known.
        BackendFailed: the address has no known shape, the host is too near to this node, or a file of credentials
            cannot be used.
    """
    host = host_of(url)
    if host is None:
        if settings.allow_local and is_folder(url):
            return Access()
        # It was checked when it was registered. Should that ever miss one, git does not hear of it all the same.
        raise BackendFailed("The address of the git repository is of a kind that is not allowed.", cause=_DATA)
    addresses = looked_up(host.name, host.port, url)
    if not settings.allow_local:
        require_allowed(addresses, url)
    return _over_ssh(host, addresses[0], settings) if host.scheme == "ssh" else _over_http(host, addresses, settings)


def secrets_of(settings: Git) -> list[str]:
    """Give what is secret in the file of credentials, in each form in which a server could send it back."""
    if not settings.credentials_file:
        return []
    try:
        text = Path(settings.credentials_file).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    # The longest first, so that no part of one is left where another was taken out of it.
    return sorted({form for line in text.splitlines() for form in _forms(line)}, key=len, reverse=True)


def _forms(line: str) -> Iterator[str]:
    login = line.partition("://")[2].rpartition("@")[0]
    user, _, password = login.partition(":")
    if password:
        yield from (password, unquote(password))
        yield base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _over_http(host: Host, addresses: list[Address], settings: Git) -> Access:
    pairs = []
    if literal(host.name) is None:
        shown = ",".join(f"[{address}]" if address.version == 6 else str(address) for address in addresses)
        pairs.append(("http.curloptResolve", f"{host.name.lower()}:{host.port}:{shown}"))
    if settings.credentials_file:
        _require_private(settings.credentials_file, "credentials_file")
        # Git would also write to the file: it removes what a server has refused. One bad answer must not do that.
        store = f"git credential-store --file={shlex.quote(settings.credentials_file)} get"
        pairs.append(("credential.helper", f'!get() {{ test "$1" = get && {store}; }}; get'))
    if settings.credential_helper:
        _require_program(settings.credential_helper)
        pairs.append(("credential.helper", f"!{shlex.quote(settings.credential_helper)}"))
    return Access(config=tuple(pairs))


def _over_ssh(host: Host, address: Address, settings: Git) -> Access:
    name = host.name.removeprefix("[").removesuffix("]").lower()
    alias = name if host.port == _SSH_PORT else f"[{name}]:{host.port}"
    command = [*_SSH, f"-oHostName={address}", f"-oHostKeyAlias={alias}"]
    if settings.ssh_key_file:
        _require_private(settings.ssh_key_file, "ssh_key_file")
        command += ["-oIdentitiesOnly=yes", "-oIdentityAgent=none", "-i", settings.ssh_key_file]
    if settings.known_hosts_file:
        _require_readable(settings.known_hosts_file, "known_hosts_file")
        command += [f'-oUserKnownHostsFile="{settings.known_hosts_file}"', "-oGlobalKnownHostsFile=/dev/null"]
    return Access(variables={"GIT_SSH_COMMAND": shlex.join(command), "GIT_SSH_VARIANT": "ssh"})


def _require_private(name: str, setting: str) -> None:
    status = _require_readable(name, setting)
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unusable(setting, "others may read or change it; it must have the mode 0600")


def _require_readable(name: str, setting: str) -> os.stat_result:
    path = Path(name)
    try:
        status = path.stat()
    except OSError as error:
        raise _unusable(setting, (error.strerror or "it is not there").lower()) from error
    if not stat.S_ISREG(status.st_mode):
        raise _unusable(setting, "it is not a file")
    if not os.access(path, os.R_OK):
        raise _unusable(setting, "the agent's user may not read it")
    return status


def _require_program(name: str) -> None:
    if not Path(name).is_file() or not os.access(name, os.X_OK):
        raise _unusable("credential_helper", "it is not a program that the agent's user may run")


def _unusable(setting: str, reason: str) -> BackendFailed:
    return BackendFailed(
        f"The file that git.{setting} names cannot be used: {reason}.",
        cause=_DATA,
        hint="The operator of this node can put it right.",
    )
