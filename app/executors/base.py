"""The protocol that every backend serves, and the values that cross it.

A run is submitted in two steps, so that the run's row can be claimed between them. ``create`` makes the thing that will
run and may be repeated at will: its name is a function of the row. ``start`` begins only what never ran. Between the
two the caller commits "submitted" by a conditional UPDATE; whoever loses that race starts nothing. That, and not a
lock, is why a container is started at most once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from app.models.tool import Profile


class StopMode(StrEnum):
    """How hard to stop: ask and wait for the grace period, or kill at once."""

    GRACE = "grace"
    FORCE = "force"


class Phase(StrEnum):
    """Where the backend says the work stands. GONE: the backend knows nothing of it (any more)."""

    CREATED = "created"
    RUNNING = "running"
    ENDED = "ended"
    GONE = "gone"


@dataclass(frozen=True)
class Limits:
    """What one run may use: MiB of memory, processors, processes, and seconds from its start."""

    memory_mb: int
    cpus: float
    pids: int
    timeout_seconds: int


INSTALLER_ATTEMPT = 0
"""Belongs to no run: those count their attempts from 1."""


@dataclass(frozen=True)
class Code:
    """The code of an installed definition tool, of which a script is run.

    ``folder`` is the host folder of the code. ``data_place``, a path in it or empty, is where scripts expect the data.
    ``environment_dir`` is the host folder of the tool's own Python, where it has one. Only an installer may write to
    the code.
    """

    folder: str
    commit: str
    data_place: str = ""
    environment_dir: str = ""
    is_writable: bool = False


@dataclass(frozen=True)
class RunRequest:
    """Everything that a backend needs to know of one attempt of one run.

    ``data_dir`` is the host folder that the tool writes to, or None. ``image_id`` pins what was resolved by
    ``prepare``; ``image_digest`` is what the record shows for it. ``command`` empty means the image's own.
    ``may_fetch`` says whether there is room for an image that is not here yet. ``files`` maps the name of each file
    that the tool reads to its place on this machine; ``secrets_dir`` is the folder whose files are its secrets.
    ``is_image_new`` says that ``prepare`` brought an image which was not here before. With ``code``, ``command``
    holds an interpreter, the path of a script in that code, and its arguments. The attempt 0 belongs to no run: it is
    an installer, and ``run_id`` is its number.
    """

    run_id: int
    attempt: int
    node: str
    installation: str
    tool: str
    image: str
    limits: Limits
    command: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    data_dir: str | None = None
    network: str = ""
    user: str = ""
    profile: Profile = Profile.STANDARD
    files: dict[str, str] = field(default_factory=dict)
    secrets_dir: str | None = None
    image_id: str | None = None
    image_digest: str | None = None
    may_fetch: bool = True
    is_image_new: bool = False
    code: Code | None = None

    @property
    def container_name(self) -> str:
        """The name of this attempt, a function of the row alone."""
        return f"mao-{self.node}-{self.run_id}-{self.attempt}"


def written_folder(request: RunRequest) -> str | None:
    """Give the host folder that belongs to the user whom the work is done as, or None where there is none."""
    is_installer = request.code is not None and request.code.is_writable
    return request.code.folder if request.code is not None and is_installer else request.data_dir


@dataclass(frozen=True)
class Observation:
    """What the backend shows now. Times are aware, in UTC, by the backend's clock."""

    phase: Phase
    exit_code: int | None = None
    is_oom: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: str = ""


@dataclass(frozen=True)
class Leftover:
    """A thing of this installation that the backend still holds."""

    handle: str
    run_id: int
    attempt: int
    phase: Phase
    created_at: datetime

    @property
    def is_installer(self) -> bool:
        """Whether it belongs to the installation with that number, and to no run."""
        return self.attempt == INSTALLER_ATTEMPT


@dataclass(frozen=True)
class StoredImage:
    """An image that the backend holds.

    ``names`` are its tags and digests, each as short as it can be written; ``is_used`` says that something was made
    from it, by whomever. ``size_bytes`` counts what it shares with other images as well.
    """

    image_id: str
    names: frozenset[str]
    size_bytes: int
    is_used: bool


class Executor(Protocol):
    """One backend. Every method may be called again after a crash of the caller.

    A handle is a short text that the backend gives and the run's row keeps. Every method raises
    ``Unavailable`` (its child for the system) when the backend cannot be reached; the caller tries again later.
    """

    name: str
    can_stop: bool
    can_stream: bool
    can_attach: bool
    gives_all_output: bool

    def prepare(self, request: RunRequest) -> RunRequest:
        """Fetch what the run needs and pin it: give the request with ``image_id`` and ``image_digest`` set.

        Raises:
            BackendFailed: with cause ``image_missing``: there is no such image, or the registry refuses it.
            StorageFull: something has to be fetched, and ``may_fetch`` forbids it.
        """

    def create(self, request: RunRequest) -> str:
        """Make what will run, without starting it, and give its handle; if it was made before, give that handle.

        Raises:
            BackendFailed: the backend refuses, or something that is not ours has the name.
        """

    def start(self, handle: str) -> None:
        """Start what was created and never ran; anything else is left as it is.

        Raises:
            BackendFailed: with cause ``tool_error``: the command is missing or cannot be executed.
        """

    def has_forgotten(self, handle: str) -> bool:
        """Tell whether what shows as created may have run all the same, because what would know of it is gone."""

    def status(self, handle: str) -> Observation:
        """Say what the backend shows now."""

    def wait(self, handle: str, timeout_seconds: float) -> Observation:
        """Block until the work ended or the time is over, then say what the backend shows."""

    def output(self, handle: str, from_byte: int) -> Iterator[bytes]:
        """Give what the tool printed, from the byte with that number on, until the tool has ended.

        A backend that does not keep all of a huge output (``gives_all_output`` is false) ends sooner, as soon as it is
        past the caller's limit.
        """

    def tail(self, handle: str, limit_bytes: int) -> bytes:
        """Give the last bytes that the tool printed, in a short time; used where ``output`` ended sooner."""

    def stop(self, handle: str, mode: StopMode, grace_seconds: int) -> None:
        """Ask the work to end, kill it after the grace; with FORCE kill at once. What has ended is left as it is."""

    def remove(self, handle: str) -> None:
        """Remove all traces of it from the backend; what is gone is no error."""

    def leftovers(self, installation: str, node: str) -> list[Leftover]:
        """List everything that this installation's node ever made here and that still exists."""

    def size(self, handle: str) -> int:
        """Give the bytes that it takes on the disk, as far as the backend knows them; this may take a while."""

    def images(self) -> list[StoredImage]:
        """List the images that the backend holds, whoever brought them; a backend without images gives none."""

    def remove_image(self, image_id: str) -> None:
        """Remove an image that nothing uses; one that is gone is no error.

        Raises:
            BackendFailed: something uses it.
        """

    def ping(self) -> str:
        """Give the backend's version, if it answers."""

    def storage(self) -> Path | None:
        """Give the folder of this machine in which the backend keeps its things, or None; never blocks."""

    def gap(self) -> str | None:
        """Say what tools can reach that they should not, and the cure, or give None; closes the gap where it can."""
