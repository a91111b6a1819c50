"""Folders in memory, for servers whose data need not outlive the machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

_IN_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 4 * 2**30
"""PostgreSQL keeps up to one GiB of its log, and each test makes a database."""


def memory_folder(prefix: str) -> Path:
    """Make a folder that the servers' account can enter: in memory where there is room, else on the disk.

    A database is made ten times as fast there, and nearly every test makes one.
    """
    has_room = os.access(_IN_MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(_IN_MEMORY).free > _ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=_IN_MEMORY if has_room else None))
    folder.chmod(0o755)
    return folder
