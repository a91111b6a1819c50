"""Which addresses and branch names git may be given. Pure: the API asks here before anything is stored.

The rule is an allow-list: a URL has one of a few known shapes, or it is refused. Git itself would take much more
(``ext::`` runs commands, an option may hide behind a dash, a relative path reads our own disk).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.errors import Invalid
from app.repositories.addresses import forbidden_kind, is_odd_number, literal

MAX_URL_CHARACTERS = 2048
MAX_BRANCH_CHARACTERS = 200

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = rf"(?P<host>{_LABEL}(?:\.{_LABEL})*|\[[0-9A-Fa-f:.]{{2,45}}\])"
_USER = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}"
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_CHARACTERS = r"[A-Za-z0-9._~%+,=@:/-]"
_PATH = rf"/(?P<path>[A-Za-z0-9._~%+]{_CHARACTERS}*)"

_HTTP = re.compile(rf"https?://{_HOST}{_PORT}{_PATH}")
_SSH = re.compile(rf"ssh://(?:{_USER}@)?{_HOST}{_PORT}{_PATH}")
_SCP = re.compile(rf"{_USER}@{_HOST}:(?P<path>[A-Za-z0-9._~/%+]{_CHARACTERS}*)")
_LOCAL = re.compile(rf"(?:file://)?{_PATH}")
_SCHEME = re.compile(r"(?P<scheme>[^:/@]*)://")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})|%[01][0-9A-Fa-f]|%7[Ff]")
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._/+=#-]*")

_SHAPES = "https://host/path, ssh://user@host/path or user@host:path"
_HINT = "Give the address without user name, password or token."
_PORTS = {"http": 80, "https": 443, "ssh": 22}


@dataclass(frozen=True)
class Host:
    """Where an address leads to; ``name`` is as it was written, an IPv6 address in brackets."""

    scheme: str
    name: str
    port: int


def host_of(url: str) -> Host | None:
    """Give the host that git asks for ``url``, which was checked before; None for a folder of this machine."""
    for scheme, pattern in (("https", _HTTP), ("ssh", _SSH), ("ssh", _SCP)):
        match = pattern.fullmatch(url)
        if match:
            scheme = "http" if url.startswith("http:") else scheme
            return Host(scheme, match["host"], int(match.groupdict().get("port") or _PORTS[scheme]))
    return None


def is_folder(url: str) -> bool:
    """Tell whether an address is that of a folder of this machine."""
    return _LOCAL.fullmatch(url) is not None


def checked_url(url: str, *, allow_local: bool, field: str = "url") -> str:
    """Return ``url`` when git may be given it; ``allow_local`` also admits http, file:// and absolute paths.

    Raises:
        Invalid: naming the broken rule. The message never repeats the URL, because a refused one may hold a password.
    """
    rule = _broken_by_text(url) or _broken_by_shape(url, allow_local) or _broken_by_host(url, allow_local)
    if rule:
        hint = _HINT if "credentials" in rule else None
        raise Invalid(f"The address of the git repository is not allowed: {rule}", fields={field: [rule]}, hint=hint)
    return url


def checked_branch(branch: str, *, field: str = "branch") -> str:
    """Return ``branch`` when it can be the name of a branch; names below ``quarantine/`` are reserved.

    Raises:
        Invalid: naming the broken rule.
    """
    rule = _broken_by_branch(branch)
    if rule:
        raise Invalid(f"The name of the branch is not allowed: {rule}", fields={field: [rule]})
    return branch


def _broken_by_text(url: str) -> str | None:
    if not url:
        return "Must not be empty."
    if len(url) > MAX_URL_CHARACTERS:
        return f"Must have at most {MAX_URL_CHARACTERS} characters."
    if not url.isascii() or not url.isprintable() or " " in url:
        return "Must be printable ASCII without spaces; write other characters as %XX."
    if url.startswith("-"):
        return "Must not begin with '-'."
    if _BAD_ESCAPE.search(url):
        return "Must not hold broken escapes or escaped control characters."
    return None


def _broken_by_shape(url: str, allow_local: bool) -> str | None:
    match = _SCHEME.match(url)
    scheme = match["scheme"] if match else ""
    if scheme in ("http", "https"):
        if scheme == "http" and not allow_local:
            return "Must be https, because http can be read and changed on the way."
        if "@" in url.split("/")[2]:
            return "Must not hold credentials; they would show up in files, logs and process lists."
        return _broken_by_pattern(_HTTP, url)
    if scheme == "ssh":
        authority = url.split("/")[2]
        if ":" in authority.rpartition("@")[0]:
            return "Must not hold credentials; a password does not belong in an address."
        return _broken_by_pattern(_SSH, url)
    if scheme == "file" or url.startswith("/"):
        return _broken_by_pattern(_LOCAL, url) if allow_local else "Must not be a local path on this node."
    return _broken_by_pattern(_SCP, url)


def _broken_by_host(url: str, allow_local: bool) -> str | None:
    host = host_of(url)
    if host is None:
        return None
    address = literal(host.name)
    if is_odd_number(host.name) or (host.name.startswith("[") and address is None):
        return "Must name a host, or an IP address in its usual form."
    if allow_local:
        return None
    # A name is looked at again, and so are its addresses, each time before git is sent to it.
    kind = forbidden_kind(address) if address else ""
    if kind or host.name.lower().rpartition(".")[2] == "localhost":
        return f"Must not lead to this machine or its surroundings: it has {kind or 'the name of this machine'}."
    return None


def _broken_by_pattern(pattern: re.Pattern[str], url: str) -> str | None:
    match = pattern.fullmatch(url)
    if not match:
        return f"Must look like {_SHAPES}."
    found = match.groupdict()
    if ".." in re.split(r"/|%2[Ff]", found["path"].replace("%2e", ".").replace("%2E", ".")):
        return "Must not go up with '..'."
    if found.get("port") and not 1 <= int(found["port"]) <= 65535:
        return "Must have a port between 1 and 65535."
    return None


def _broken_by_branch(branch: str) -> str | None:
    if len(branch) > MAX_BRANCH_CHARACTERS:
        return f"Must have at most {MAX_BRANCH_CHARACTERS} characters."
    parts = branch.split("/")
    if not _BRANCH.fullmatch(branch) or branch == "HEAD":
        return "Must be letters, digits and . _ / + = # -, beginning with a letter, a digit or '_'."
    if ".." in branch or any(not re.fullmatch(r"[^.-].*(?<!\.)(?<!\.lock)|[^.-]", part) for part in parts):
        return "Must not hold '..', '//', or a part that begins with '.' or '-', or ends with '.' or '.lock'."
    if parts[0] == "quarantine":
        return "Must not begin with 'quarantine', where the files of failed runs are kept."
    return None
