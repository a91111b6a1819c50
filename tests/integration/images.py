"""Container images for the tests, made from scratch around a static busybox: nothing is fetched."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import ImageNotFound

SOCKET = os.environ.get("MAO_TEST_DOCKER_SOCKET", "unix:///var/run/docker.sock")
BUSYBOX = "mao-test/busybox:1"
NO_COMMAND = "mao-test/no-command:1"
NOT_EXECUTABLE = "mao-test/not-executable:1"


def client(socket: str = SOCKET) -> Any:
    """Connect to the container engine; a test that needs one fails where there is none."""
    return docker.APIClient(socket, timeout=60)


def busybox_image() -> str:
    """Build the image with a shell and the usual small programs, unless it is there, and give its tag."""
    return build(BUSYBOX, changes=['CMD ["/bin/sh"]'])


def no_command_image() -> str:
    """Build an image that says nothing of what to run, and give its tag."""
    return build(NO_COMMAND)


def not_executable_image() -> str:
    """Build an image with ``/broken``, which no machine can execute, and no shell; give its tag."""
    return build(NOT_EXECUTABLE, files={"broken": b"\x7fELF and then nothing"}, has_shell=False)


def build(
    tag: str,
    files: Mapping[str, bytes] | None = None,
    changes: Iterable[str] = (),
    *,
    setuid: Mapping[str, bytes] | None = None,
    has_shell: bool = True,
    is_forced: bool = False,
) -> str:
    """Build the image ``tag`` with ``files`` (path -> content, all executable) unless it is there, and give its tag.

    ``changes`` are lines of a Dockerfile (CMD, ENTRYPOINT, ENV, USER, WORKDIR). Those of ``setuid`` run as root whoever
    starts them. ``is_forced`` moves an existing tag.
    """
    engine = client()
    try:
        if not is_forced and engine.inspect_image(tag):
            return tag
    except ImageNotFound:
        pass
    repository, _, version = tag.rpartition(":")
    plain = {**(_busybox() if has_shell else {}), **(files or {})}
    archive = _archive(plain, setuid or {}, _applets() if has_shell else ())
    engine.import_image_from_data(
        archive, repository=repository, tag=version, changes=["ENV PATH=/usr/local/bin:/usr/bin:/bin", *changes]
    )
    return tag


def busybox_path() -> Path:
    """Give where this machine has its static busybox."""
    return Path(shutil.which("busybox") or "/bin/busybox")


def _busybox() -> dict[str, bytes]:
    return {"bin/busybox": busybox_path().read_bytes()}


def _applets() -> list[str]:
    listed = subprocess.run([busybox_path(), "--list"], check=True, capture_output=True, text=True).stdout
    return [name for name in listed.split() if name != "busybox"]


def _archive(files: Mapping[str, bytes], setuid: Mapping[str, bytes], applets: Iterable[str]) -> bytes:
    stored = io.BytesIO()
    with tarfile.open(fileobj=stored, mode="w") as archive:
        for name, content in {**files, **setuid}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o4755 if name in setuid else 0o755
            archive.addfile(entry, io.BytesIO(content))
        for name in applets:
            entry = tarfile.TarInfo(f"bin/{name}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(entry)
    return stored.getvalue()
