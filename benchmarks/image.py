"""The image of the tool that does nothing: a static busybox and nothing else, so no time goes into the tool."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path
from typing import Any

IMAGE = f"mao-bench/true:{os.getpid()}"


def build(client: Any) -> str:
    """Make the image, and give its id.

    Raises:
        FileNotFoundError: this machine has no static busybox.
    """
    busybox = shutil.which("busybox")
    if busybox is None:
        raise FileNotFoundError("There is no busybox here. Install the package busybox-static.")
    repository, _, tag = IMAGE.rpartition(":")
    client.import_image_from_data(_archive(Path(busybox)), repository=repository, tag=tag, changes=["ENV PATH=/bin"])
    return str(client.inspect_image(IMAGE)["Id"])


def remove(client: Any) -> None:
    """Remove the image."""
    client.remove_image(IMAGE, force=True)


def _archive(busybox: Path) -> bytes:
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w") as archive:
        program = tarfile.TarInfo("bin/busybox")
        program.size, program.mode = busybox.stat().st_size, 0o755
        archive.addfile(program, io.BytesIO(busybox.read_bytes()))
        name = tarfile.TarInfo("bin/true")
        name.type, name.linkname = tarfile.SYMTYPE, "busybox"
        archive.addfile(name)
    return stored.getvalue()
