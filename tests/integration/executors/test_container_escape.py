"""Ways out of a container, each tried from inside one: what a tool cannot do, another container on the engine can.

A probe is a line of shell that ends with ``DONE`` where it got through. It runs in a container of each profile, and, so
that it is known to be able to get through at all, in a *loose* one: with capabilities and without filters, or as an
ordinary user who may gain privileges. Probes that would harm this machine have no such counterpart; of them the very
error is demanded.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.executors import secret_folders
from app.executors.base import Limits, RunRequest
from app.executors.docker import DockerExecutor
from app.models.tool import Profile
from app.settings import Docker
from tests.integration import images

pytestmark = pytest.mark.docker
ALL = tuple(Profile)
CONFINED = (Profile.STANDARD, Profile.STRICT)
LOOSE = {
    "cap_add": ["SYS_ADMIN", "NET_ADMIN", "SYS_NICE", "SYSLOG"],
    "security_opt": ["seccomp=unconfined", "apparmor=unconfined"],
    "pid_mode": "host",
}
INSTALLATION = f"escape-{os.getpid()}"


@dataclass(frozen=True)
class Probe:
    """``refusal`` is the answer to a tool, as a pattern; ``counterpart`` where the same line gets through."""

    name: str
    script: str
    refusal: str
    counterpart: str = "loose"
    profiles: tuple[Profile, ...] = ALL


PROBES = [
    Probe("mount", "mkdir -p /tmp/m && mount -t tmpfs none /tmp/m && echo DONE", "permission denied"),
    Probe("remount", "mount -o remount,rw,bind /run/secrets && echo DONE", "permission denied"),
    Probe("write to a read-only mount", "touch /run/secrets/new && echo DONE", "Read-only file system"),
    Probe("mount namespace", "unshare -m true && echo DONE", "Operation not permitted"),
    Probe("user namespace", "unshare -U true && echo DONE", "Operation not permitted"),
    Probe("join a namespace", "nsenter -t 1 -m true && echo DONE", "Operation not permitted", ""),
    Probe("host name", "hostname probe && echo DONE", "Operation not permitted"),
    Probe("network device", "ifconfig lo down && ifconfig lo up && echo DONE", "Operation not permitted"),
    Probe("priority", "renice -n -5 $$ && echo DONE", "Permission denied"),
    Probe("kernel log", "dmesg >/dev/null && echo DONE", "Operation not permitted"),
    Probe("kernel module", "insmod /bin/busybox && echo DONE", "Operation not permitted", ""),
    Probe("clock", "date -s @1 2>&1 | grep 'set date' || echo DONE", "Operation not permitted", ""),
    Probe("kernel setting", "echo x >/proc/sys/kernel/core_pattern && echo DONE", "Read-only file system", ""),
    Probe("magic key", "echo h >/proc/sysrq-trigger && echo DONE", "Read-only|nonexistent|Permission denied", ""),
    Probe(
        "control group",
        "d=/sys/fs/cgroup/memory; test -d $d || d=/sys/fs/cgroup; mkdir $d/probe && echo DONE",
        "Read-only file system",
        "",
    ),
    Probe("process of the host", f"ls -d /proc/{os.getpid()} && echo DONE", "No such file"),
    Probe("file beside the data", "cat /usr/src/app/data/link && echo DONE", "No such file"),
    Probe("socket of the engine", "find / -type s 2>/dev/null | grep . && echo DONE", "^$"),
    Probe("disk of the host", "ls /dev | grep -E '^([sv]d|nvme|dm-|mem|kmsg|kvm)' && echo DONE", "^$"),
    Probe("device node", "mknod /tmp/disk b 254 0 && echo DONE", "Operation not permitted", profiles=CONFINED),
    Probe("raw socket", "ping -c 1 -w 5 127.0.0.1 && echo DONE", "permission denied", profiles=CONFINED),
    Probe("root folder", "chroot / true && echo DONE", "Operation not permitted", profiles=CONFINED),
    Probe("owner", "touch /tmp/f && chown 12:34 /tmp/f && echo DONE", "Operation not permitted", profiles=CONFINED),
    Probe(
        "setuid program",
        "/suid/su -c true </dev/null 2>&1 | grep 'must be suid' || echo DONE",
        "must be suid",
        "ordinary",
        CONFINED,
    ),
    Probe("root file system", "touch /probe && echo DONE", "Read-only file system", profiles=(Profile.STRICT,)),
]
SCRIPT = "\n".join(f"echo '== {probe.name}'; ({probe.script}) 2>&1" for probe in PROBES)
TRIALS = [pytest.param(probe, profile, id=f"{profile}: {probe.name}") for probe in PROBES for profile in probe.profiles]


@dataclass(frozen=True)
class Place:
    """Folders of this machine: one is a tool's data, what lies beside it is not."""

    data: Path
    secrets: Path
    socket: Path


@pytest.fixture(scope="module")
def image(docker_socket: str) -> str:
    return images.build("mao-test/setuid:1", setuid={"suid/su": images.busybox_path().read_bytes()})


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("app")
    made = Place(folder / "data", folder / "secrets", folder / "engine.sock")
    made.data.mkdir()
    made.secrets.mkdir()
    (made.secrets / "key").write_text("hush")
    (folder / "beside").write_text("not for tools\n")
    (made.data / "link").symlink_to("../beside")
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(made.socket))
        yield made


@pytest.fixture(scope="module")
def told(image: str, place: Place) -> Iterator[dict[str, dict[str, str]]]:
    """What each container said to each probe, by profile or counterpart and by the probe's name."""
    executor = DockerExecutor(Docker(socket=images.SOCKET, allow_legacy=True))
    found = {str(profile): _answers(_said_by_tool(executor, image, place, profile)) for profile in Profile}
    engine = images.client()
    binds = [f"{place.data.parent}:/usr/src/app", f"{place.secrets}:/run/secrets:ro"]
    loose = engine.create_host_config(**LOOSE, binds=binds, devices=["/dev/zero:/dev/kmsg:r"], tmpfs=["/tmp"])
    found["loose"] = _answers(_said(engine, image, host_config=loose))
    found["ordinary"] = _answers(_said(engine, image, user="65534"))
    yield found
    for run_id, attempt in secret_folders.laid_out(INSTALLATION):
        secret_folders.remove(INSTALLATION, run_id, attempt)
    (secret_folders.SHARED_MEMORY / f"mao-{INSTALLATION}").rmdir()


def _said_by_tool(executor: DockerExecutor, image: str, place: Place, profile: Profile) -> str:
    request = RunRequest(
        run_id=1 + ALL.index(profile),
        attempt=1,
        node="escape",
        installation=INSTALLATION,
        tool="probe",
        image=image,
        limits=Limits(memory_mb=256, cpus=1.0, pids=64, timeout_seconds=60),
        command=("sh", "-c", SCRIPT),
        data_dir=str(place.data),
        # Where the tests are root, so is the owner of the folder; a tool that is not gets no further.
        user="" if profile is Profile.LEGACY else "65534:65534",
        network="none",
        profile=profile,
        secrets_dir=str(place.secrets),
    )
    handle = executor.create(executor.prepare(request))
    try:
        executor.start(handle)
        executor.wait(handle, 60)
        return b"".join(executor.output(handle, 0)).decode()
    finally:
        executor.remove(handle)


def _said(engine: Any, image: str, **options: Any) -> str:
    made = engine.create_container(image, ["sh", "-c", SCRIPT], **options)["Id"]
    try:
        engine.start(made)
        engine.wait(made, timeout=60)
        return bytes(engine.logs(made)).decode()
    finally:
        engine.remove_container(made, force=True)


def _answers(said: str) -> dict[str, str]:
    pieces = re.split(r"^== (.+)\n", said, flags=re.MULTILINE)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.mark.parametrize(("probe", "profile"), TRIALS)
def test_no_way_out(told: dict[str, dict[str, str]], probe: Probe, profile: Profile) -> None:
    answer = told[profile][probe.name]
    assert "DONE" not in answer, answer
    assert re.search(probe.refusal, answer), answer


@pytest.mark.parametrize("probe", [probe for probe in PROBES if probe.counterpart], ids=lambda probe: probe.name)
def test_the_same_gets_through_where_nothing_is_in_its_way(told: dict[str, dict[str, str]], probe: Probe) -> None:
    assert "DONE" in told[probe.counterpart][probe.name], told[probe.counterpart][probe.name]
