"""The product at work under the eyes of strace: which programs it starts, and where it connects to."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from tests.integration.clones.programs import required
from tests.integration.clones.sights import ROOT

_CALL = re.compile(r"^\d+\s+(?P<call>execve|connect)\((?P<rest>.*)$")
_PROGRAM = re.compile(r'^"(?P<path>[^"]*)", \[(?P<arguments>.*)')
# Git itself starts the other half of a copy from a folder of this machine by way of a shell.
_OWN_SHELL = re.compile(r""""(?:/bin/)?sh", "-c", "git-upload-pack '[^'"]*/clones/\.git-dirs/[a-z0-9-]+\.git'",""")
_PLACE = re.compile(
    r"<TCP.*?sin6?_port=htons\((?P<port>\d+)\).*?(?:inet_addr\(\"(?P<four>[^\"]+)|AF_INET6, \"(?P<six>[^\"]+))"
)
_NAME_SERVER = 53


@dataclass(frozen=True)
class Watched:
    """What the cases came to, and what was seen meanwhile."""

    results: list[dict[str, str]]
    programs: set[str]
    connections: set[tuple[str, int]]

    def near(self) -> set[tuple[str, int]]:
        """The connections to this machine and its surroundings, those to a name server aside."""
        addresses = {(ip_address(host.partition("%")[0]), port) for host, port in self.connections}
        return {
            (str(address), port)
            for address, port in addresses
            if (address.is_loopback or address.is_link_local or address.is_unspecified or not int(address))
            and port != _NAME_SERVER
        }


def watch(
    folder: Path,
    urls: Sequence[str],
    *,
    allow_local: bool,
    unchecked: bool = False,
    seconds: int = 10,
    max_bytes: int = 80_000_000,
) -> Watched:
    """Let the product use each of ``urls``; clones are made in ``folder / "clones"``."""
    work = {
        "importdir": str(folder / "clones"),
        "urls": list(urls),
        "allow_local": allow_local,
        "unchecked": unchecked,
        "seconds": seconds,
        "max_bytes": max_bytes,
    }
    return watch_driver("tests.integration.clones.evil_driver", folder, urls, work)


def watch_driver(module: str, folder: Path, urls: Sequence[str], work: dict[str, object]) -> Watched:
    """Let a driver do its ``work``, one line of JSON for each of ``urls``."""
    log = folder / "strace.log"
    strace = [required("strace", "strace"), "-f", "--seccomp-bpf", "-yy", "-s", "300", "-e", "trace=execve,connect"]
    done = subprocess.run(
        [*strace, "-o", str(log), sys.executable, "-m", module],
        cwd=ROOT,
        input=json.dumps(work),
        capture_output=True,
        text=True,
        check=False,
    )
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, f"case {len(results)}, {urls[len(results)]!r}, broke it: {done.stderr[-3000:]}"
    return Watched(results, *_seen(log))


def _seen(log: Path) -> tuple[set[str], set[tuple[str, int]]]:
    programs, connections = set(), set()
    with log.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            match = _CALL.match(line)
            if match and match["call"] == "execve" and (program := _PROGRAM.match(match["rest"])):
                if not _OWN_SHELL.match(program["arguments"]):
                    programs.add(Path(program["path"]).name)
            elif match and (place := _PLACE.search(match["rest"])):
                connections.add((place["four"] or place["six"], int(place["port"])))
    # The first is the driver itself.
    return programs - {Path(sys.executable).name}, connections
