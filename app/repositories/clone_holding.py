"""The clones in a folder, each worked in by one at a time: what everything that works in a clone begins with."""

from __future__ import annotations

import copy
import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from app.errors import BackendFailed
from app.models.names import checked_name
from app.repositories import clone_leftovers, clone_remote
from app.repositories.clone_fence import Fence
from app.repositories.clone_locks import CloneLocks
from app.repositories.clone_repository import GIT_DIRS, Places, Repository
from app.repositories.git_command import GitCommand
from app.repositories.git_urls import checked_branch, checked_url
from app.settings import Git


class HeldClones:
    """The clones in ``importdir``. Nothing is opened or made before the first call."""

    def __init__(self, settings: Git, importdir: Path) -> None:
        self._settings = settings
        self._importdir = importdir.absolute()
        hidden = self._importdir / GIT_DIRS
        self._git = GitCommand(settings, hidden / ".home")
        self._locks = CloneLocks(hidden, settings.timeout_seconds)
        self._fence: Fence | None = None

    def fenced(self, fence: Fence) -> Self:
        """Give the same clones for one term of office: what works in a clone then raises ``Superseded`` after it."""
        fenced = copy.copy(self)
        fenced._fence = fence
        return fenced

    def path(self, name: str) -> Path:
        """Give the work tree of the clone ``name``, whether it exists or not.

        Raises:
            Invalid: it is not a name.
        """
        return self._places(name).tree

    def exists(self, name: str) -> bool:
        """Tell whether there is a whole clone of that name."""
        return Repository(self._git, self._places(name), -1).exists

    def _places(self, name: str) -> Places:
        return Places(self._importdir, checked_name(name))

    def _check(self, url: str, branch: str) -> None:
        checked_url(url, allow_local=self._settings.allow_local)
        if branch:
            checked_branch(branch)

    @contextmanager
    def _held(self, name: str) -> Iterator[Repository]:
        places = self._places(name)
        try:
            with self._locks.held(name) as hold:
                if self._fence is not None:
                    self._fence.check(self._importdir / GIT_DIRS / f"{name}.term")
                repository = Repository(self._git, places, hold.descriptor)
                if hold.was_interrupted:
                    clone_leftovers.remove(places)
                    clone_remote.recover(repository)
                yield repository
        except OSError as error:
            raise _of_disk(error) from error


def _of_disk(error: OSError) -> BackendFailed:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return BackendFailed("The disk of this node is full.", hint="Free some space.")
    reason = error.strerror or type(error).__name__
    return BackendFailed(f"The folder of the clones cannot be used: {reason}.", hint="Check its rights and its disk.")
