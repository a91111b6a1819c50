"""What the engine made of each profile, read back field by field: nothing is there that is not listed here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from app.executors import secret_folders
from app.executors.base import Executor
from app.models.tool import Profile
from tests.integration.executors.conformance import INSTALLATION
from tests.integration.executors.docker_tests import DockerTests

pytestmark = pytest.mark.docker
MEBIBYTE = 2**20
SCRATCH = "rw,exec,nosuid,nodev,mode=1777,size=128m"
MASKED = {"/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"}
"""What every engine hides at least; newer ones hide more."""
READ_ONLY = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}

COMMON: dict[str, Any] = {
    "AutoRemove": False,
    "CgroupnsMode": "private",
    "Init": True,
    "IpcMode": "private",
    "LogConfig": {
        "Type": "local",
        "Config": {"compress": "false", "max-file": "2", "max-size": str(128 * MEBIBYTE)},
    },
    "Memory": 256 * MEBIBYTE,
    "MemorySwap": 256 * MEBIBYTE,
    "NanoCpus": 1_000_000_000,
    "PidsLimit": 64,
    "Privileged": False,
    "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0},
    "ShmSize": 64 * MEBIBYTE,
}
CONFINED: dict[str, Any] = {
    "CapDrop": ["ALL"],
    "SecurityOpt": ["no-new-privileges"],
    "Tmpfs": {"/tmp": SCRATCH, "/home": SCRATCH},
}
OF_PROFILE: dict[Profile, dict[str, Any]] = {
    Profile.STANDARD: CONFINED,
    Profile.STRICT: {**CONFINED, "ReadonlyRootfs": True},
    Profile.LEGACY: {},
}
EACH = pytest.mark.parametrize("profile", Profile)
WITH = pytest.mark.parametrize("given", ["nothing", "data", "files", "secrets", "data and files and secrets"])


class ConfinementTests(DockerTests):
    @pytest.fixture(autouse=True)
    def _no_secrets_stay(self) -> Iterator[None]:
        yield
        for run_id, attempt in secret_folders.laid_out(INSTALLATION):
            secret_folders.remove(INSTALLATION, run_id, attempt)
        with suppress(FileNotFoundError):
            (secret_folders.SHARED_MEMORY / f"mao-{INSTALLATION}").rmdir()

    @pytest.fixture
    def allowing(self, make_executor: Callable[..., Executor]) -> Executor:
        return make_executor(allow_legacy=True)

    @pytest.fixture
    def everything(self, tmp_path: Path, data_dir: Path) -> dict[str, dict[str, Any]]:
        """What a request may bring, by what it is called here."""
        listed = tmp_path / "list.csv"
        listed.write_text("a,b\n")
        secrets_dir = tmp_path / "secrets" / "tool"
        secrets_dir.mkdir(parents=True)
        (secrets_dir / "key").write_text("hush")
        return {
            "data": {"data_dir": str(data_dir)},
            "files": {"files": {"list.csv": str(listed), "copy.csv": str(listed)}},
            "secrets": {"secrets_dir": str(secrets_dir)},
        }

    def chosen(self, everything: dict[str, dict[str, Any]], given: str) -> dict[str, Any]:
        return {key: value for word, part in everything.items() if word in given for key, value in part.items()}


class TestHostConfig(ConfinementTests):
    @EACH
    @WITH
    def test_the_engine_has_exactly_what_the_profile_says(
        self,
        executor: Executor,
        allowing: Executor,
        engine: Any,
        network: str,
        everything: dict[str, dict[str, Any]],
        profile: Profile,
        given: str,
    ) -> None:
        shown = self.created(allowing, engine, network="", profile=profile, **self.chosen(everything, given))
        expected = {
            **COMMON,
            **OF_PROFILE[profile],
            "NetworkMode": "none" if profile is Profile.STRICT else network,
            "Mounts": self.mounts(shown, everything, given) or None,
        }
        host = shown["HostConfig"]
        assert set(host.pop("MaskedPaths")) >= MASKED
        assert set(host.pop("ReadonlyPaths")) >= READ_ONLY
        assert host.pop("Runtime") == engine.info()["DefaultRuntime"]
        assert host.pop("ConsoleSize") in ([0, 0], None)
        # A field that is not listed must be empty, also one that only a later engine has.
        assert {name: value for name, value in host.items() if value or name in expected} == {
            name: value for name, value in expected.items() if value or name in host
        }

    @EACH
    def test_what_is_mounted_is_what_was_asked_for(
        self,
        executor: Executor,
        allowing: Executor,
        engine: Any,
        everything: dict[str, dict[str, Any]],
        profile: Profile,
    ) -> None:
        given = " ".join(everything)
        shown = self.created(allowing, engine, profile=profile, **self.chosen(everything, given))
        mounted = {
            (mount["Source"], mount["Destination"], mount["RW"], mount["Propagation"]) for mount in shown["Mounts"]
        }
        assert mounted == {
            (mount["Source"], mount["Target"], not mount.get("ReadOnly", False), "rprivate")
            for mount in self.mounts(shown, everything, given)
        }

    @EACH
    def test_configuration_and_environment_hold_what_is_ours_and_nothing_else(
        self,
        executor: Executor,
        allowing: Executor,
        engine: Any,
        everything: dict[str, dict[str, Any]],
        profile: Profile,
    ) -> None:
        given = self.chosen(everything, "files and secrets")
        shown = self.created(allowing, engine, profile=profile, env={"A": "b"}, **given)["Config"]
        home = [] if profile is Profile.LEGACY else ["HOME=/tmp"]
        assert shown["Env"] == [*home, "A=b", "PATH=/usr/local/bin:/usr/bin:/bin"]
        assert shown["User"] == ("0:0" if profile is Profile.LEGACY else "65534:65534")
        labels = {"mao.installation", "mao.node", "mao.run", "mao.attempt", "mao.tool"}
        assert set(shown["Labels"]) == labels
        for nothing in ("ExposedPorts", "Volumes", "Tty", "OpenStdin", "Domainname", "OnBuild", "Healthcheck"):
            assert not shown.get(nothing)

    def mounts(self, shown: dict[str, Any], everything: dict[str, dict[str, Any]], given: str) -> list[dict[str, Any]]:
        labels, wanted = shown["Config"]["Labels"], []
        if "data" in given:
            # The engine leaves out what is false.
            wanted.append({"Type": "bind", "Source": everything["data"]["data_dir"], "Target": "/usr/src/app/data"})
        if "files" in given:
            files = sorted(everything["files"]["files"].items())
            wanted += [self.read_only(path, f"/usr/src/app/files/{name}") for name, path in files]
        if "secrets" in given:
            laid_out = f"/dev/shm/mao-{labels['mao.installation']}/{labels['mao.run']}-{labels['mao.attempt']}"
            wanted.append(self.read_only(laid_out, "/run/secrets"))
        return wanted

    def read_only(self, source: str, target: str) -> dict[str, Any]:
        return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}


class TestHandedOver(ConfinementTests):
    @EACH
    def test_a_tool_reads_its_files_and_secrets_and_changes_none(
        self, executor: Executor, allowing: Executor, everything: dict[str, dict[str, Any]], profile: Profile
    ) -> None:
        script = """
            cat /usr/src/app/files/list.csv /run/secrets/key; echo
            for place in /usr/src/app/files/list.csv /run/secrets/key /run/secrets/new; do
                echo changed 2>&1 >"$place" | grep -o 'Read-only file system'
            done
            rm -f /run/secrets/key 2>&1 | grep -o 'Read-only file system'
            ls /usr/src/app/files
        """
        given = self.chosen(everything, "data and files and secrets")
        said = self.said(allowing, f"({script}) 2>&1", profile=profile, **given).decode().splitlines()
        assert said[:2] == ["a,b", "hush"]
        assert [line.rpartition(": ")[2] for line in said[2:6]] == ["Read-only file system"] * 4
        assert said[6:] == ["copy.csv", "list.csv"]
        assert (Path(str(given["secrets_dir"])) / "key").read_text() == "hush"

    def test_laid_out_secrets_are_open_to_the_tools_user_alone(
        self, executor: Executor, everything: dict[str, dict[str, Any]]
    ) -> None:
        request = self.request_for(user="1234:5678", **everything["secrets"])
        executor.create(executor.prepare(request))
        folder = secret_folders.SHARED_MEMORY / f"mao-{INSTALLATION}" / f"{request.run_id}-1"
        seen = [(path.stat().st_uid, path.stat().st_mode & 0o7777) for path in (folder, folder / "key")]
        assert seen == [(1234, 0o700), (1234, 0o400)]
        assert folder.parent.stat().st_mode & 0o066 == 0

    def test_creating_again_keeps_what_was_laid_out(
        self, executor: Executor, everything: dict[str, dict[str, Any]]
    ) -> None:
        request = executor.prepare(self.request_for("cat /run/secrets/key", **everything["secrets"]))
        handle = executor.create(request)
        assert executor.create(request) == handle
        executor.start(handle)
        assert executor.wait(handle, 30).exit_code == 0
        assert b"".join(executor.output(handle, 0)) == b"hush"
        assert [path.name for path in (secret_folders.SHARED_MEMORY / f"mao-{INSTALLATION}").iterdir()] == [
            f"{request.run_id}-1"
        ]
