"""The folders of installed definition tools: one for each attempt to install something, never changed once it is ready.

==============================  ===============================================================
``<tool>/<number>/code``        the files of the repository, without git's own folder
``<tool>/<number>/environment`` the tool's own Python, where it has one
``<tool>/<number>/tmp``         what an installer may use while it runs
``<tool>/<number>/ready.json``  its commit and its definition; there when the attempt is complete
``.look-<term>-<number>``       a repository that is looked at and not kept
==============================  ===============================================================
"""

from __future__ import annotations

import json
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from app.errors import BackendFailed
from app.folders import LONGEST_PATH, disk_bytes, entries, remove_folder
from app.models.names import NAME_PATTERN, checked_name
from app.repositories.git_code import Checkout, check_out
from app.repositories.git_command import GitCommand
from app.settings import Git

CODE, ENVIRONMENT, TEMPORARY, READY = "code", "environment", "tmp", "ready.json"
NOBODY = 65534
_LOOK = ".look-"


class CodeFolders:
    """Everything below ``toolsdir``. Nothing is opened or made before the first call."""

    def __init__(self, settings: Git, toolsdir: Path) -> None:
        self._settings = settings
        self._toolsdir = toolsdir.absolute()
        self._git = GitCommand(settings, self._toolsdir / ".home")

    def place(self, name: str, number: int) -> Path:
        """Give the folder of an attempt, whether it exists or not.

        Raises:
            Invalid: the tool's name is none.
        """
        return self._toolsdir / checked_name(name) / str(number)

    def fetch(self, name: str, number: int, url: str, branch: str, commit: str) -> Checkout:
        """Put the files of a repository into the attempt's folder, and say what they are.

        Raises:
            Invalid: the address or the branch is not allowed.
            RemoteDown: the git server does not answer, or not in time.
            BackendFailed: it refuses.
        """
        with _door():
            place = self.place(name, number)
            remove_folder(place)
            place.mkdir(parents=True)
            return check_out(self._git, self._settings, place / CODE, url, branch, commit)

    @contextmanager
    def looked_at(self, term: int, url: str, branch: str, commit: str = "") -> Iterator[Checkout]:
        """Give the files of a repository for as long as the block lasts; errors as for ``fetch``."""
        place = self._toolsdir / f"{_LOOK}{term}-{secrets.token_hex(4)}"
        with _door():
            try:
                place.mkdir(parents=True)
                yield check_out(self._git, self._settings, place / CODE, url, branch, commit)
            finally:
                remove_folder(place)

    def hand_over(self, name: str, number: int) -> None:
        """Let an installer write to the code: as root it is nobody, and so owns what it works on."""
        place = self.place(name, number)
        with _door():
            (place / TEMPORARY).mkdir(exist_ok=True)
            if os.geteuid() == 0:
                for folder in (CODE, ENVIRONMENT, TEMPORARY):
                    for path in _entries(place / folder):
                        os.lchown(path, NOBODY, NOBODY)

    def take_back(self, name: str, number: int) -> None:
        """Make what an installer has left ours, readable by all and writable by nobody else. No link is followed.

        Raises:
            BackendFailed: it left a file that is also outside, or folders that are too deep.
        """
        place = self.place(name, number)
        with _door():
            remove_folder(place / TEMPORARY)
            for folder in (CODE, ENVIRONMENT):
                paths = list(_opened(place / folder))
                _refuse_shared_files(paths)
                for path in paths:
                    _take(path)

    def note_ready(self, name: str, number: int, commit: str, definition: dict[str, Any]) -> None:
        """Note that an attempt is complete, and what it holds."""
        place = self.place(name, number) / READY
        with _door():
            unfinished = place.with_suffix(".new")
            unfinished.write_text(json.dumps({"commit": commit, "definition": definition}), encoding="utf-8")
            unfinished.replace(place)

    def definition_at(self, name: str, number: int, commit: str) -> dict[str, Any] | None:
        """Give the definition of a complete attempt that holds a commit, or None where it is another one."""
        with _door(), suppress(FileNotFoundError):
            ready = json.loads((self.place(name, number) / READY).read_text(encoding="utf-8"))
            return dict(ready["definition"]) if ready["commit"] == commit else None
        return None

    def size_bytes(self, name: str, number: int) -> int:
        """Give the bytes that an attempt takes."""
        return disk_bytes(self.place(name, number))

    def numbers(self) -> dict[str, set[int]]:
        """Give, for each tool that has a folder, the numbers of its attempts."""
        if not self._toolsdir.is_dir():
            return {}
        tools = [path for path in self._toolsdir.iterdir() if re.fullmatch(NAME_PATTERN, path.name) and path.is_dir()]
        return {tool.name: {int(path.name) for path in tool.iterdir() if path.name.isdigit()} for tool in tools}

    def remove(self, name: str, number: int) -> None:
        """Remove what an attempt has left; what is absent is no error. Nothing shows while it goes."""
        with _door():
            place = self.place(name, number)
            gone = place.with_name(f".gone-{number}")
            if place.exists():
                place.rename(gone)
            remove_folder(gone)

    def remove_empty(self, name: str) -> None:
        """Remove the folder of a tool that has no attempts left, and what a killed removal left in it."""
        folder = self._toolsdir / checked_name(name)
        with _door():
            for path in folder.glob(".gone-*"):
                remove_folder(path)
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()

    def remove_looks(self, term: int) -> None:
        """Remove what agents of other terms have looked at and not cleared away."""
        with _door():
            for path in self._toolsdir.glob(f"{_LOOK}*"):
                if not path.name.startswith(f"{_LOOK}{term}-"):
                    remove_folder(path)


def _entries(top: Path) -> Iterator[Path]:
    """Give a folder and everything below it; nothing where it is absent. No link is followed."""
    if not top.is_dir():
        return
    yield top
    for entry in entries(str(top), too_deep=_refuse_depth):
        if len(os.fsencode(entry.path)) >= LONGEST_PATH:
            _refuse_depth(entry.path)
        yield Path(entry.path)


def _opened(top: Path) -> Iterator[Path]:
    """Give what ``_entries`` gives, each folder made ours before it is entered: it may be closed to us."""
    for path in _entries(top):
        if path.is_dir() and not path.is_symlink():
            _take(path)
        yield path


def _refuse_depth(_path: str) -> None:
    raise BackendFailed("The installer left folders in folders that are too deep for this machine.")


def _refuse_shared_files(paths: list[Path]) -> None:
    seen: dict[tuple[int, int], list[int]] = {}
    for path in paths:
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            seen.setdefault((status.st_dev, status.st_ino), []).append(status.st_nlink)
    if any(len(links) != links[0] for links in seen.values()):
        raise BackendFailed("The installer left a file that has another name outside of the tool's folder.")


def _take(path: Path) -> None:
    status = path.lstat()
    is_ours = status.st_uid == os.geteuid()
    if not is_ours:
        os.lchown(path, os.geteuid(), os.getegid())
    if stat.S_ISDIR(status.st_mode):
        path.chmod(0o755)
    elif stat.S_ISREG(status.st_mode):
        path.chmod(0o755 if status.st_mode & stat.S_IXUSR else 0o644)
    elif not stat.S_ISLNK(status.st_mode):
        path.unlink()


@contextmanager
def _door() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise BackendFailed(
            f"The folder of the installed tools cannot be used: {reason}.", hint="Check its rights and its disk."
        ) from error
