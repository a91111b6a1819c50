"""Secrets on their way to a tool: one folder an attempt, in memory, readable by the tool's user and nobody else.

The operator keeps a tool's secrets as files. Before the tool begins they are copied to
``/dev/shm/mao-<installation>/<run>-<attempt>``, which is never on a disk, and that folder is what the tool sees. A
secret is in no environment, label, argument or log. The folder goes with the container, or with the next sweep.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from app.clock import utc_now
from app.errors import BackendFailed
from app.executors.base import RunRequest
from app.folders import remove_folder
from app.models.names import FILE_NAME_PATTERN, FILE_NAME_RULE

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - the folders in it are ours alone, and that is checked.
SECRETS_MOST = 64
SECRET_BYTES_MOST = 64 * 2**10
_UNFINISHED = ".new-"
_UNFINISHED_SECONDS = 60
_ATTEMPT = re.compile(r"([1-9][0-9]*)-([1-9][0-9]*)")
_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def lay_out(request: RunRequest, user: str) -> str | None:
    """Copy the run's secrets to the attempt's folder for ``user``, and give the folder; None where there are none.

    ``user`` is one by number, with or without a group. A folder that is there already is complete, and stays.

    Raises:
        BackendFailed: a secret breaks a rule, or there is no memory of this machine to lay it out in.
    """
    if request.secrets_dir is None:
        return None
    secrets = _read_all(Path(request.secrets_dir), request.tool)
    if not secrets:
        return None
    try:
        folder = _base(request.installation) / f"{request.run_id}-{request.attempt}"
        if not folder.exists():
            _fill(folder, secrets, int(user.partition(":")[0]))
    except (OSError, ValueError) as error:
        raise BackendFailed(
            f"The secrets of the tool '{request.tool}' cannot be laid out in {SHARED_MEMORY}: {error}."
        ) from error
    return str(folder)


def laid_out(installation: str) -> list[tuple[int, int]]:
    """Give run and attempt of each folder that is there."""
    found = (_ATTEMPT.fullmatch(name) for name in _names(installation))
    return [(int(match[1]), int(match[2])) for match in found if match]


def names(installation: str, run_id: int, attempt: int) -> list[str]:
    """Give the names of the secrets that are laid out for an attempt; where there is no folder there are none."""
    try:
        return sorted(path.name for path in (_folder_of(installation) / f"{run_id}-{attempt}").iterdir())
    except FileNotFoundError:
        return []


def size_bytes(installation: str, run_id: int, attempt: int) -> int:
    """Give the bytes of an attempt's secrets; what is absent has none."""
    with suppress(OSError):
        folder = _folder_of(installation) / f"{run_id}-{attempt}"
        return sum(path.lstat().st_size for path in folder.iterdir())
    return 0


def remove(installation: str, run_id: int, attempt: int) -> None:
    """Remove the folder of an attempt; what is absent is no error."""
    remove_folder(_folder_of(installation) / f"{run_id}-{attempt}")


def remove_unfinished(installation: str) -> None:
    """Remove what was left by an agent that was killed while it copied."""
    for name in _names(installation):
        folder = _folder_of(installation) / name
        with suppress(FileNotFoundError):
            age_seconds = utc_now().timestamp() - folder.stat().st_mtime
            if name.startswith(_UNFINISHED) and age_seconds > _UNFINISHED_SECONDS:
                remove_folder(folder)


def _folder_of(installation: str) -> Path:
    return SHARED_MEMORY / f"mao-{installation}"


def _names(installation: str) -> list[str]:
    try:
        return [path.name for path in _folder_of(installation).iterdir()]
    except OSError:
        return []


def _read_all(folder: Path, tool: str) -> dict[str, bytes]:
    if folder.is_symlink():
        raise _refused(tool, f"'{folder.name}' is a link")
    try:
        names = sorted(path.name for path in folder.iterdir())
        if len(names) > SECRETS_MOST:
            raise _refused(tool, f"there are {len(names)} of them, and {SECRETS_MOST} are allowed")
        return {name: _read(folder, name, tool) for name in names}
    except OSError as error:
        raise _refused(tool, f"{error.strerror}: {error.filename}") from error


def _read(folder: Path, name: str, tool: str) -> bytes:
    if not re.fullmatch(FILE_NAME_PATTERN, name):
        raise _refused(tool, f"'{name[:80]}' is not a name for one: it must be {FILE_NAME_RULE}")
    # Neither a link nor a pipe is ever opened: the one leads elsewhere, the other blocks.
    if not stat.S_ISREG((folder / name).lstat().st_mode):
        raise _refused(tool, f"'{name}' is a link, or no file")
    file = os.open(folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(file, "rb") as opened:
        content = opened.read(SECRET_BYTES_MOST + 1)
    if len(content) > SECRET_BYTES_MOST:
        raise _refused(tool, f"'{name}' has more than {SECRET_BYTES_MOST} bytes")
    return content


def _refused(tool: str, reason: str) -> BackendFailed:
    return BackendFailed(
        f"The secrets of the tool '{tool}' cannot be used: {reason}.",
        hint="The node's operator keeps them in the folder that secretsdir names.",
    )


def _base(installation: str) -> Path:
    """Give the folder of this installation, made where it is missing, which nobody else may have made before us."""
    if not _is_in_memory(SHARED_MEMORY):
        raise OSError("it is not a file system in memory")
    base, is_root = _folder_of(installation), os.geteuid() == 0
    with suppress(FileExistsError):
        base.mkdir(mode=0o700)
    found = base.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & _OTHERS_MAY_WRITE:
        raise OSError(f"{base} belongs to somebody else; remove it")
    # Only root can hand a folder over to the tool's user, who then has to get there.
    base.chmod(0o711 if is_root else 0o700)
    return base


def _is_in_memory(folder: Path) -> bool:
    mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    kinds = {fields[1]: fields[2] for fields in map(str.split, mounts)}
    return kinds.get(str(folder)) in ("tmpfs", "ramfs")


def _fill(folder: Path, secrets: dict[str, bytes], uid: int) -> None:
    unfinished = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
    try:
        for name, content in secrets.items():
            _hand_over(_written(unfinished / name, content), uid, is_folder=False)
        _hand_over(unfinished, uid, is_folder=True)
        unfinished.rename(folder)
    except OSError as error:
        # Somebody else was faster, and what is there is complete.
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    finally:
        remove_folder(unfinished)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _hand_over(path: Path, uid: int, *, is_folder: bool) -> None:
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(path, uid, -1)
    # An agent that is not root cannot make somebody else the owner; the folder above is closed to all others then.
    is_owners = is_root or uid == os.geteuid()
    path.chmod((0o700 if is_owners else 0o755) if is_folder else (0o400 if is_owners else 0o444))
