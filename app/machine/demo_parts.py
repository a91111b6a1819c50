"""The props of the demo: its configuration, a git repository to publish to, the collector's image."""

from __future__ import annotations

import configparser
import io
import shutil
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from app.errors import MaoError
from app.settings import CONFIG_NAME, Settings

IMAGE = "mao-demo-latest-images:1"
NETWORK = "mao-demo"
_BASE = "mao-demo-base:1"
_PUBLIC_BASE = "busybox:stable"
_PORTS_TRIED = 200
_LOADER = b"/ld-"


def write_config(settings: Settings, backend: str) -> bool:
    """Write the configuration of the demo's instance, which is the demo's own; tell whether it differs from before."""
    parser = configparser.ConfigParser(interpolation=None)
    parser["WORKING_ENVIRONMENT"] = {"allow_process_backend": "yes" if backend == "process" else "no"}
    parser["GIT"] = {"allow_local": "yes"}
    # A network of its own, so that stopping the demo can remove it.
    parser["DOCKER"] = {"socket": settings.docker.socket, "mtu": str(settings.docker.mtu), "network": NETWORK}
    text = io.StringIO("# Written by `mao demo` at each start.\n")
    text.seek(0, io.SEEK_END)
    parser.write(text)
    path = settings.instance / CONFIG_NAME
    if path.exists() and path.read_text(encoding="utf-8") == text.getvalue():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.getvalue(), encoding="utf-8")
    return True


def free_port(host: str, first: int) -> int:
    """Give the first free port from ``first`` on.

    Raises:
        MaoError: none of the next ports is free.
    """
    for port in range(first, first + _PORTS_TRIED):
        with socket.socket() as probe:
            if probe.connect_ex((host, port)):
                return port
    raise MaoError(f"No port is free between {first} and {first + _PORTS_TRIED}.", hint="Stop something else first.")


def made_remote(path: Path, say: Callable[[str], None]) -> str:
    """Make a bare git repository with one commit, where it is missing, and give its URL."""
    if not (path / "HEAD").exists():
        say(f"Making an empty git repository for the data: {path}")
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as work:
            seed = Path(work) / "seed"
            _run(["git", "init", "--quiet", "--initial-branch=main", str(seed)])
            (seed / "README.md").write_text("# Images tagged 'latest' in the Docker Hub library\n", encoding="utf-8")
            _run(["git", "-C", str(seed), "add", "README.md"])
            who = ["-c", "user.name=mao demo", "-c", "user.email=demo@localhost"]
            _run(["git", "-C", str(seed), *who, "commit", "--quiet", "-m", "Begin the data set"])
            _run(["git", "clone", "--quiet", "--bare", str(seed), str(path)])
    return path.as_uri()


def built_image(folder: Path, say: Callable[[str], None]) -> str:
    """Build the collector's image and give its name.

    Raises:
        MaoError: no client of a container engine is installed, or the build failed.
    """
    client = next((name for name in ("docker", "podman") if shutil.which(name)), None)
    if client is None:
        raise MaoError("Neither `docker` nor `podman` is installed, so no image can be built.", hint="Install one.")
    base = _made_base(client) or _PUBLIC_BASE
    say(f"\n$ {client} build --build-arg BASE={base} -t {IMAGE} {folder}")
    _run([client, "build", "--quiet", "--build-arg", f"BASE={base}", "-t", IMAGE, str(folder)])
    return IMAGE


def _made_base(client: str) -> str | None:
    """Make an image of this machine's static busybox, so that nothing needs to be fetched; None where it has none."""
    found = shutil.which("busybox")
    if found is None or _LOADER in Path(found).read_bytes()[:4096]:
        return None
    # Importing it anew would give it another identity, and each demo would leave the image of the one before behind.
    if subprocess.run([client, "image", "inspect", _BASE], capture_output=True, check=False).returncode:
        _run([client, "import", "-", _BASE], given=_file_system(Path(found)))
    return _BASE


def _file_system(busybox: Path) -> bytes:
    """Give a tar of a root file system that holds busybox and a shell."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        program = tarfile.TarInfo("bin/busybox")
        program.mode, program.size = 0o755, busybox.stat().st_size
        with busybox.open("rb") as file:
            tar.addfile(program, file)
        shell = tarfile.TarInfo("bin/sh")
        shell.type, shell.linkname = tarfile.SYMTYPE, "busybox"
        tar.addfile(shell)
    return buffer.getvalue()


def _run(command: Sequence[str], given: bytes | None = None) -> None:
    done = subprocess.run(command, input=given, capture_output=True, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip()[-500:]
        raise MaoError(f"`{' '.join(command[:2])}` failed: {reason}")
