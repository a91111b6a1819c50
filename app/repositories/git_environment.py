"""The environment that git runs in: built from nothing, so that neither this process nor a user's files steer it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from app.errors import BackendFailed
from app.repositories.git_access import Access
from app.settings import Git

_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_SLOW_BYTES_PER_SECOND = 1000
_SLOW_SECONDS = 60

_CONFIG = {
    # Nothing that comes with a repository may start a program.
    "core.hooksPath": "/dev/null",
    "core.fsmonitor": "false",
    "core.attributesFile": "/dev/null",
    "core.excludesFile": "/dev/null",
    "core.pager": "cat",
    "core.alternateRefsCommand": "true",
    "credential.helper": "",
    # A link in a repository arrives as a small text file, so it can lead nowhere.
    "core.symlinks": "false",
    "core.protectHFS": "true",
    "core.protectNTFS": "true",
    "transfer.fsckObjects": "true",
    # Old converters wrote these three; they are untidy, not dangerous, and common in long histories.
    "fetch.fsck.zeroPaddedFilemode": "ignore",
    "fetch.fsck.badTimezone": "ignore",
    "fetch.fsck.missingSpaceBeforeDate": "ignore",
    # The address that was registered and looked at is the address that is read.
    "http.followRedirects": "false",
    "http.proxy": "",
    "http.cookieFile": "",
    "http.saveCookies": "false",
    "http.sslVerify": "true",
    # A server may name other places to fetch from; none of them was looked at.
    "transfer.bundleURI": "false",
    "promisor.acceptFromServer": "none",
    "protocol.version": "2",
    # Data sets are read by this process only, and the container's user may own their files.
    "safe.directory": "*",
    # Work in the background would outlive the command and its time limit; Workdirs collects garbage itself.
    "gc.auto": "0",
    "gc.autoDetach": "false",
    "maintenance.auto": "false",
    "submodule.recurse": "false",
    "fetch.recurseSubmodules": "false",
    "diff.ignoreSubmodules": "all",
    # A copy of the index must be whole: it is where the state of a work tree is computed.
    "core.splitIndex": "false",
    "core.untrackedCache": "false",
    "core.autocrlf": "false",
    # What is recorded as committed must survive the loss of power.
    "core.fsync": "committed",
    "core.fsyncMethod": "batch",
    "commit.gpgSign": "false",
    "tag.gpgSign": "false",
    "merge.verifySignatures": "false",
    # As many threads as cores, each with a cache, would make the memory that is needed a matter of the machine.
    "pack.threads": "2",
    "pack.windowMemory": "256m",
}


def environment(settings: Git, home: Path, access: Access | None = None) -> dict[str, str]:
    """Give the whole environment of a git command; ``home`` is an empty folder.

    Without ``access`` the command reaches no remote, whatever it is told by the repository that it works in.

    Raises:
        BackendFailed: git is not installed.
    """
    program = shutil.which("git") or shutil.which("git", path=_SYSTEM_PATH)
    if program is None:
        raise BackendFailed("Git is not installed on this node.", hint="Install the package 'git'.")
    slow_seconds = max(1, min(_SLOW_SECONDS, settings.timeout_seconds))
    return {
        "PATH": f"{Path(program).parent}:{_SYSTEM_PATH}",
        "HOME": str(home),
        "LC_ALL": "C",
        "GIT_CEILING_DIRECTORIES": str(home.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_ALLOW_PROTOCOL": _protocols(settings) if access else "none",
        "GIT_PROTOCOL_FROM_USER": "0",
        "GIT_NO_LAZY_FETCH": "0" if access else "1",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "SSH_ASKPASS": "/bin/false",
        "GIT_EDITOR": "/bin/false",
        "GIT_PAGER": "cat",
        "GIT_SSH_COMMAND": "/bin/false",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_HTTP_LOW_SPEED_LIMIT": str(_SLOW_BYTES_PER_SECOND),
        "GIT_HTTP_LOW_SPEED_TIME": str(slow_seconds),
        "GIT_AUTHOR_NAME": settings.author_name,
        "GIT_AUTHOR_EMAIL": settings.author_email,
        "GIT_COMMITTER_NAME": settings.author_name,
        "GIT_COMMITTER_EMAIL": settings.author_email,
        **(access.variables if access else {}),
        **_numbered([*_CONFIG.items(), *(access.config if access else ())]),
    }


def _protocols(settings: Git) -> str:
    return "https:ssh:http:file" if settings.allow_local else "https:ssh"


def _numbered(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    numbered: dict[str, str] = {}
    for index, (key, value) in enumerate(pairs):
        numbered |= {f"GIT_CONFIG_KEY_{index}": key, f"GIT_CONFIG_VALUE_{index}": value}
    return {"GIT_CONFIG_COUNT": str(len(numbered) // 2), **numbered}
