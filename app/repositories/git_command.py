"""The door to git: runs one command through GitPython, with limits, and says in our words what went wrong.

GitPython's own ``kill_after_timeout`` does not stop every kind of command, and it adds the environment of this process,
passwords included, to what git gets. So the command is started through it by way of ``env -i``, and is watched here.
"""

from __future__ import annotations

import os
import selectors
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, BinaryIO, cast

from app.errors import BackendFailed, MaoError, RemoteDown
from app.folders import disk_bytes
from app.repositories.git_access import access_to, secrets_of
from app.repositories.git_environment import environment
from app.repositories.git_errors import is_too_large, too_large, translated
from app.repositories.git_progress import Progress, ProgressReader
from app.repositories.git_protocol import REPORTED, PacketReader, not_spoken
from app.repositories.git_stream import GitStream
from app.settings import Git

_TICK_SECONDS = 0.25
_SIZE_CHECK_SECONDS = 1.0
_TERM_SECONDS = 2.0
_POLL_SECONDS = 0.01
_CHUNK = 65_536
_KEPT_STDERR = 65_536
_MOST_MEMORY_BYTES = 4 * 2**30
"""What one process of git may allocate. A small download can hold objects that unpack to any size."""


@dataclass(frozen=True)
class GitOutput:
    """What a command that ended as expected has printed; ``complaints`` may hold secrets and is for reading only."""

    status: int
    data: bytes
    complaints: str = field(default="", repr=False)

    @property
    def text(self) -> str:
        """The output as text, without the final newline; a name that is not UTF-8 keeps its bytes (as in ``os``)."""
        return os.fsdecode(self.data).removesuffix("\n")

    @property
    def items(self) -> list[str]:
        """The parts of an output that was asked for with ``-z``."""
        return [os.fsdecode(item) for item in self.data.split(b"\0") if item]


@dataclass(frozen=True)
class Conditions:
    """Under which conditions one command runs.

    ``remote`` is the address that it talks to, and with ``is_spoken`` must speak git's own protocol where that is http;
    ``seconds`` may shorten the time limit of the settings; together the ``watched`` folders stay below
    ``git.max_bytes``; ``descriptors`` stay open in git; an exit status in ``accepted`` is no error; ``environment``
    adds to the fixed one; ``given`` is what the command reads from its input.
    """

    remote: str = ""
    seconds: float | None = None
    watched: Sequence[Path] = ()
    descriptors: Sequence[int] = ()
    accepted: Sequence[int] = (0,)
    is_spoken: bool = False
    progress: Progress | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    given: bytes = b""


class GitCommand:
    """Runs git with a fixed environment. ``home`` is an empty folder, in which every command starts."""

    def __init__(self, settings: Git, home: Path) -> None:
        self._settings = settings
        self._home = home

    def run(self, arguments: Sequence[str], conditions: Conditions) -> GitOutput:
        """Run ``git`` with ``arguments`` and give its output; whatever happens, nothing of it is left running.

        Raises:
            RemoteDown: the remote does not answer, or not in time.
            BackendFailed: git refused, or the size limit was reached.
            WrongState: local files, or another command, stand in the way.
        """
        packets = PacketReader() if conditions.is_spoken and conditions.remote.startswith("http") else None
        if packets:
            conditions = replace(conditions, environment={**conditions.environment, **REPORTED})
        process = self._started(arguments, conditions)
        try:
            stdout, stderr = self._followed(process, conditions, packets)
        finally:
            _end(process)
        complaints = stderr.decode("utf-8", "replace")
        if process.returncode not in conditions.accepted:
            raise self.failure(complaints, conditions)
        if packets and not packets.has_heard:
            raise not_spoken(conditions.remote)
        return GitOutput(process.returncode, stdout, complaints)

    @contextmanager
    def opened(self, arguments: Sequence[str], conditions: Conditions) -> Iterator[GitStream]:
        """Give a running ``git`` that is written to and read piece by piece; nothing of it is left at the end."""
        process = self._started(arguments, conditions, stdin=subprocess.PIPE)
        stream = GitStream(process, self._settings.timeout_seconds)
        try:
            yield stream
        finally:
            stream.close()
            with suppress(BrokenPipeError):
                stream.end_input()
            _end(process)

    def failure(self, complaints: str, conditions: Conditions) -> MaoError:
        """Give the error for a command that failed with these complaints."""
        if is_too_large(complaints):
            return too_large(conditions.remote, self._settings.max_bytes)
        return translated(complaints, conditions.remote, self.private_texts(conditions))

    def private_texts(self, conditions: Conditions) -> list[str]:
        """Give what git may have printed and nobody is to read: our folders and, of a remote, the secrets for it."""
        private = [str(path) for path in (*conditions.watched, self._home, *self._home.parents[:2])]
        # A server knows what it was sent, and could repeat it.
        secrets = secrets_of(self._settings) if conditions.remote else []
        return [*secrets, *private]

    def _started(
        self, arguments: Sequence[str], conditions: Conditions, stdin: int | None = None
    ) -> subprocess.Popen[bytes]:
        # GitPython looks for git while it is imported, and an API process that never uses git need not have it.
        try:
            from git.cmd import Git as GitPython
        except ImportError as error:
            raise BackendFailed("Git is not installed on this node.", hint="Install the package 'git'.") from error
        self._home.mkdir(parents=True, exist_ok=True)
        access = access_to(conditions.remote, self._settings) if conditions.remote else None
        variables = {**environment(self._settings, self._home, access), **conditions.environment}
        command = [*self._limited(), "/usr/bin/env", "-i", *(f"{key}={value}" for key, value in variables.items())]
        with _as_file(conditions.given) as given:
            handle = GitPython().execute(
                [*command, "git", "-C", str(self._home), *arguments],
                istream=given or stdin,
                as_process=True,
                start_new_session=True,
                pass_fds=tuple(conditions.descriptors),
                # Python ignores SIGXFSZ, and so does git then: it says what happened instead of dying without a word.
                restore_signals=False,
            )
        process = handle.proc
        if process is None:
            raise BackendFailed("Git could not be started.")
        handle.proc = None  # Otherwise GitPython would end it as soon as its handle goes out of sight.
        return process

    def _limited(self) -> list[str]:
        """Give the beginning of a command whose whole process group gets these limits from the kernel."""
        program = shutil.which("prlimit")
        if program is None:
            raise BackendFailed(
                "Git cannot be given its limits on this node.", hint="Install the package 'util-linux'."
            )
        return [program, f"--fsize={self._settings.max_bytes}", f"--data={_MOST_MEMORY_BYTES}", "--core=0"]

    def _followed(
        self, process: subprocess.Popen[bytes], conditions: Conditions, packets: PacketReader | None
    ) -> tuple[bytes, bytes]:
        stdout, stderr = bytearray(), bytearray()
        progress = ProgressReader(conditions.progress) if conditions.progress else None
        readers = [reader for reader in (packets, progress) if reader]

        def on_stderr(chunk: bytes) -> None:
            stderr.extend(chunk)
            del stderr[:-_KEPT_STDERR]
            for reader in readers:
                reader.feed(chunk)

        watch = _Watch(self._settings, conditions)
        assert process.stdout
        assert process.stderr
        _read_all({process.stdout: stdout.extend, process.stderr: on_stderr}, watch.check)
        while process.poll() is None:
            watch.check()
            time.sleep(_POLL_SECONDS)
        watch.check_size()
        return bytes(stdout), bytes(stderr)


@contextmanager
def _as_file(given: bytes) -> Iterator[BinaryIO | None]:
    """Give a file with these bytes, which a command reads at its own pace; None where there are none."""
    if not given:
        yield None
        return
    with tempfile.TemporaryFile() as file:
        file.write(given)
        file.seek(0)
        yield cast("BinaryIO", file)


def _read_all(streams: Mapping[IO[bytes], Callable[[bytes], None]], check: Callable[[], None]) -> None:
    with selectors.DefaultSelector() as selector:
        for stream, consume in streams.items():
            selector.register(stream, selectors.EVENT_READ, consume)
        while selector.get_map():
            for key, _ in selector.select(_TICK_SECONDS):
                chunk = os.read(key.fd, _CHUNK)
                if chunk:
                    key.data(chunk)
                else:
                    selector.unregister(key.fileobj)
            check()


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of the command's process group behind: ask first, so that git removes its lock files, then kill."""
    for stream in (process.stdout, process.stderr):
        if stream:
            stream.close()
    if process.returncode is not None:
        return
    end = time.monotonic() + _TERM_SECONDS
    os.killpg(process.pid, signal.SIGTERM)
    # The leader is not reaped before the last signal, because its number must keep naming this group.
    while time.monotonic() < end and not os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
        time.sleep(_POLL_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # The leader is gone; what it had started takes a moment more, and then the group is no more.
    end = time.monotonic() + _TERM_SECONDS
    with suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.killpg(process.pid, 0)
            time.sleep(_POLL_SECONDS)


class _Watch:
    """The limits of one command."""

    def __init__(self, settings: Git, conditions: Conditions) -> None:
        self._limit = min(settings.timeout_seconds, conditions.seconds or settings.timeout_seconds)
        self._end = time.monotonic() + self._limit
        self._max_bytes = settings.max_bytes
        self._remote = conditions.remote
        self._folders: Iterable[Path] = conditions.watched
        self._next_size_check = time.monotonic() + _SIZE_CHECK_SECONDS

    def check(self) -> None:
        now = time.monotonic()
        if now > self._end:
            raise self._too_slow()
        if self._folders and now > self._next_size_check:
            self.check_size()
            # Counting a large folder takes long; it must never take more than a tenth of the time.
            spent = time.monotonic() - now
            self._next_size_check = now + max(_SIZE_CHECK_SECONDS, 10 * spent)

    def _too_slow(self) -> RemoteDown | BackendFailed:
        hint = "Try again later, or raise git.timeout_seconds."
        if self._remote:
            return RemoteDown(f"The git server of {self._remote} took more than {self._limit:g} seconds.", hint=hint)
        return BackendFailed(f"Git took more than {self._limit:g} seconds in the local clone.", hint=hint)

    def check_size(self) -> None:
        if sum(disk_bytes(folder) for folder in self._folders) > self._max_bytes:
            raise too_large(self._remote, self._max_bytes)
