"""Where a server keeps its things, under which account it runs, and who else is using the folder."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from app.errors import DatabaseDown, Locked

ELSEWHERE = Path("/var/lib/mao")
"""Holds the data of folders that the server's account cannot reach."""

_ACCOUNTS = ("postgres", "nobody")
_OPEN_FOLDER = 0o755
_SECRET = 0o600


@dataclass(frozen=True)
class Account:
    """A user other than root that a server runs as."""

    uid: int
    gid: int

    def take_over(self, path: Path) -> None:
        """Make this account the owner of ``path``."""
        os.chown(path, self.uid, self.gid)


def unprivileged_account() -> Account | None:
    """Give the account for a server that refuses to run as root, or None where we are not root."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            user = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(user.pw_uid, user.pw_gid)
    raise DatabaseDown("PostgreSQL must not run as root, and this machine has no other account for it.")


def identity(account: Account | None) -> dict[str, Any]:
    """Give the arguments of ``subprocess`` that start a process as ``account``; None means as ourselves."""
    return {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}


def is_reachable(path: Path, account: Account | None) -> bool:
    """Tell whether ``account`` may enter a folder or execute a file."""
    # Asking the kernel as that user is the only test that knows of every parent folder and every access list.
    return account is None or subprocess.run(["test", "-x", path], cwd="/", **identity(account)).returncode == 0


def open_folder(path: Path) -> Path:
    """Make a folder that every account may enter, whatever the umask; an existing one is left as it is."""
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(_OPEN_FOLDER)
    return path


def settle(folder: Path, account: Account | None) -> Path:
    """Give the folder that will hold the server's things: ``folder``, or one that ``account`` can reach instead.

    The permissions of parent folders are never changed: who closed ``/root`` had a reason. ``where.txt`` then says
    where the data is.

    Raises:
        DatabaseDown: there are data in ``folder`` already, but ``account`` cannot reach them.
    """
    folder = folder.resolve()
    open_folder(folder)
    elsewhere = ELSEWHERE / hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    has_data = (folder / "data").exists()
    if is_reachable(folder, account) and (has_data or not (elsewhere / "data").exists()):
        return folder
    if has_data:
        raise DatabaseDown(
            f"The data in {folder} cannot be reached by the account that PostgreSQL runs as.",
            hint="Let that account enter the folder and its parents (chmod o+x), or move the data.",
        )
    open_folder(ELSEWHERE)
    open_folder(elsewhere)
    (folder / "where.txt").write_text(
        f"The data are in {elsewhere}, because this folder is closed to other accounts.\n"
    )
    return elsewhere


def hold(place: Path) -> BinaryIO:
    """Claim ``place`` for this process until the returned file is closed or the process ends.

    Raises:
        Locked: another process has it.
    """
    claim = (place / "lock").open("wb")
    try:
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        claim.close()
        raise Locked(
            f"{place} is in use by another process.", hint="Stop the other `mao up`, or use a folder of its own."
        ) from error
    return claim


def kept_secret(path: Path, make: Callable[[], str]) -> str:
    """Give the secret in the file ``path``; make it, readable by this user only, where there is none."""
    if path.exists():
        return path.read_text()
    secret = make()
    write_secret(path, secret)
    return secret


def write_secret(path: Path, secret: str) -> None:
    """Write a new file that only this user can read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _SECRET), "w") as file:
        file.write(secret)
