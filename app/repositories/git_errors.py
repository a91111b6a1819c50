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
_TRACE = re.compile(r"^\d\d:\d\d:\d\d\.\d+ pkt-line\.c:.*$", re.MULTILINE)

_DISK_FULL = re.compile(r"No space left on device|Disk quota exceeded|Read-only file system")
_TOO_LARGE = re.compile(r"File too large|died of signal 25")
_NO_MEMORY = re.compile(r"[Oo]ut of memory|unable to create thread|mmap failed")
_IN_THE_WAY = re.compile(r"would be overwritten by|would lose untracked files")
_LEFT_AT_REMOTE = re.compile(r"could not fetch \S+ from promisor remote|lazy fetching disabled")
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
        re.compile(r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key .* has changed"),
        "belongs to a host whose key is another one than this node knows",
        "Ask the host's owner whether the key was changed; if so, put the new one into the known hosts of the node.",
    ),
    (
        re.compile(r"Host key verification failed"),
        "belongs to a host whose key this node does not know",
        "Put the host's key into the file of git.known_hosts_file, else into the known_hosts of the agent's user.",
    ),
    (
        re.compile(r"certificate|SSL: |gnutls_handshake|TLS handshake"),
        "could not be trusted: its server's certificate was refused",
        "Check the host's name and its certificate.",
    ),
    (
        re.compile(r"could not read (?:Username|Password)|terminal prompts disabled|askpass"),
        "asks for a password or token, and this node has no credentials for its host",
        "The operator can name them with git.credentials_file or git.credential_helper.",
    ),
    (
        re.compile(r"Permission denied \(|Permission to .* denied|Load key .*: |Too many authentication failures"),
        "refused the ssh key of this node",
        "The operator can name a key without a passphrase with git.ssh_key_file; the host must know its public half.",
    ),
    (
        re.compile(r"Authentication failed|Access denied|returned error: 40[13]|HTTP 40[13]"),
        "refused this node: its credentials are wrong or expired, or do not allow this",
        "Check the password or token that git.credentials_file or git.credential_helper gives for its host.",
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


class MissingObjects(BackendFailed):
    """The command needs files that were left at the remote, and was not in reach of it."""


def translated(stderr: str, remote: str, secrets: Sequence[str] = ()) -> MaoError:
    """Give the error for a git command that failed.

    ``remote`` is the address that the command talked to, or empty for a local one; ``secrets`` are texts (our own
    folders, say) that must not be repeated.
    """
    stderr = _TRACE.sub("", stderr)
    line = telling_line(stderr, secrets)
    if _DISK_FULL.search(stderr):
        return BackendFailed(f"The disk of this node does not take the data: {line}", hint="Free some space.")
    if _NO_MEMORY.search(stderr):
        return BackendFailed(
            f"{_named(remote)} takes more memory than git may have on this node.",
            cause=_DATA,
            hint="Ask its owner to take out very large files.",
        )
    if _IN_THE_WAY.search(stderr):
        return WrongState("Local files stand in the way of newer ones.", hint="Commit or remove the local files.")
    if remote:
        return _of_remote(stderr, line, remote)
    if _LEFT_AT_REMOTE.search(stderr):
        return MissingObjects("The local clone does not have the contents of these old files.", cause=_DATA)
    if _IN_USE.search(stderr):
        return WrongState("Another git command is at work in this clone.", hint="Wait for it, then try again.")
    return BackendFailed(f"Git refused to work in the local clone: {line}", cause=_DATA)


def is_too_large(stderr: str) -> bool:
    """Tell whether git was stopped by the limit on the size of a file."""
    return _TOO_LARGE.search(stderr) is not None


def too_large(remote: str, max_bytes: int) -> BackendFailed:
    """Give the error for a clone that takes more room than it may."""
    return BackendFailed(
        f"{_named(remote)} is larger than the limit of {max_bytes} bytes.",
        cause=_DATA,
        hint="Raise git.max_bytes on this node, or register a smaller repository.",
    )


def _named(remote: str) -> str:
    return f"The git repository {remote}" if remote else "The local clone"


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
