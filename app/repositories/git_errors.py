"""What git's complaints mean. Pure: text in, an error of ours out.

Git has no error codes, so its words are read, always in English (the door sets ``LC_ALL``). The order of the table
matters: git often adds "the remote end hung up unexpectedly" to a complaint that names the true cause.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.errors import BackendFailed, MaoError, RemoteDown, WrongState

_DATA = "data_unavailable"
_MAX_LINE = 160

_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|File too large|Read-only file system")
_IN_THE_WAY = re.compile(r"would be overwritten by|would lose untracked files")
_IN_USE = re.compile(r"\.lock': File exists|unable to lock|cannot lock ref")

# pattern, what to say, cure
_ANSWERS: Sequence[tuple[re.Pattern[str], str, str | None]] = (
    (
        re.compile(r"fsck|index-pack failed|unpack-objects (?:failed|error)|[Ii]nvalid path|hasDot|fullPathname"),
        "holds objects that git refuses as broken or dangerous",
        "Ask the repository's owner to run 'git fsck'.",
    ),
    (re.compile(r"Remote branch .* not found"), "has no such branch", "Check the branch of the entry."),
    (
        re.compile(r"Host key verification failed"),
        "belongs to a host whose key this node does not know",
        "Log in to the host once with ssh, as the user of the agent.",
    ),
    (
        re.compile(r"certificate|SSL: |gnutls_handshake|TLS handshake"),
        "could not be trusted: its server's certificate was refused",
        "Check the host's name and its certificate.",
    ),
    (
        re.compile(
            r"could not read (?:Username|Password)|Authentication failed|terminal prompts disabled|Access denied"
            r"|returned error: 40[13]|HTTP 40[13]|Permission denied \(|Permission to .* denied|askpass"
        ),
        "asks for a password or token; credentials are not configured",
        "Use a repository that can be read without, or one over ssh with a key of the agent's user.",
    ),
    (
        re.compile(r"returned error: 30[0-9]|HTTP 30[0-9]|[Rr]edirect"),
        "has moved: its server answers with a redirect, and redirects are not followed",
        "Register the address that it redirects to (often the same one with '.git' at the end).",
    ),
    (
        re.compile(
            r"not found|returned error: 4(?:04|10)|does not appear to be a git repository|does not exist"
            r"|not valid: is this a git repository|dubious ownership|repository .* access denied"
        ),
        "does not exist, or may not be seen by this node",
        "Check the address of the entry.",
    ),
    (
        re.compile(r"cannot run ssh"),
        "cannot be reached, because ssh is not installed on this node",
        "Install the package 'openssh-client', or use https.",
    ),
    (re.compile(r"transport '.*' not allowed"), "has an address of a kind that is not allowed", None),
)

_TEMPORARY = re.compile(
    r"Could not resolve|Failed to connect|Connection (?:refused|timed out|reset|closed)|Couldn't connect"
    r"|[Oo]peration (?:too slow|timed out)|early EOF|RPC failed|unexpected disconnect|hung up|Empty reply"
    r"|returned error: (?:5\d\d|429|408)|unreachable|No route to host|kex_exchange|Temporary failure"
    r"|connect to host|remote did not send all|protocol error|bad line length|recv failure|Recv failure"
)


def translated(stderr: str, remote: str, secrets: Sequence[str] = ()) -> MaoError:
    """Give the error for a git command that failed.

    ``remote`` is the address that the command talked to, or empty for a local one; ``secrets`` are texts (our own
    folders, say) that must not be repeated.
    """
    line = telling_line(stderr, secrets)
    if _DISK_FULL.search(stderr):
        return BackendFailed(f"The disk of this node does not take the data: {line}", hint="Free some space.")
    if _IN_THE_WAY.search(stderr):
        return WrongState("Local files stand in the way of newer ones.", hint="Commit or remove the local files.")
    if remote:
        return _of_remote(stderr, line, remote)
    if _IN_USE.search(stderr):
        return WrongState("Another git command is at work in this clone.", hint="Wait for it, then try again.")
    return BackendFailed(f"Git refused to work in the local clone: {line}", cause=_DATA)


def _of_remote(stderr: str, line: str, remote: str) -> MaoError:
    for pattern, text, hint in _ANSWERS:
        if pattern.search(stderr):
            return BackendFailed(f"The git repository {remote} {text}.", cause=_DATA, hint=hint)
    if _TEMPORARY.search(stderr):
        return RemoteDown(f"The git server of {remote} does not answer: {line}", hint="Try again later.")
    return BackendFailed(f"The git repository {remote} could not be read: {line}", cause=_DATA)


def telling_line(stderr: str, secrets: Sequence[str] = ()) -> str:
    """Give the one line of git's output that says most, cleaned of control characters, logins and ``secrets``."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", stderr) if line.strip()]
    telling = [line for line in lines if line.startswith(("fatal:", "error:"))] or lines[-1:]
    text = telling[0] if telling else "git gave no reason"
    for secret in secrets:
        text = text.replace(secret, "(local)")
    text = re.sub(r"//[^/@\s]*@", "//", text)
    text = "".join(character if character.isprintable() else " " for character in text)
    text = re.sub(r"^(?:fatal|error): (?:unable to access '[^']*': )?", "", text)
    return text if len(text) <= _MAX_LINE else text[: _MAX_LINE - 3] + "..."
