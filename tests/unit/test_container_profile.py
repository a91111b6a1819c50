"""What the engine is told about a container, for each profile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.errors import BackendFailed
from app.executors.base import Code, Limits, RunRequest, written_folder
from app.executors.bridge import bridge_for, bridge_of, network_options
from app.executors.container_profile import NOBODY, container_config, needs_bridge
from app.models.tool import Profile

REQUEST = RunRequest(
    run_id=7,
    attempt=2,
    node="node-a",
    installation="abc",
    tool="spike",
    image="group/spike:1",
    image_id="sha256:123",
    limits=Limits(memory_mb=512, cpus=0.5, pids=100, timeout_seconds=60),
    data_dir="/srv/data: odd, name",
)
NEVER = ("Privileged", "Binds", "CapAdd", "Devices", "PidMode", "UTSMode", "UsernsMode", "VolumesFrom")


def config(
    request: RunRequest = REQUEST, *, allow_legacy: bool = True, secrets: str | None = None, **changes: Any
) -> dict[str, Any]:
    return container_config(
        replace(request, **changes),
        owner=(1000, 1001),
        bridge_network="mao",
        log_bytes=1000,
        allow_legacy=allow_legacy,
        secrets=secrets,
    )


@pytest.mark.parametrize("profile", Profile)
def test_every_profile_has_limits_and_none_is_privileged(profile: Profile) -> None:
    host = config(profile=profile)["HostConfig"]
    assert (host["Memory"], host["MemorySwap"]) == (512 * 2**20, 512 * 2**20)
    assert (host["NanoCpus"], host["PidsLimit"], host["Init"]) == (500_000_000, 100, True)
    assert (host["IpcMode"], host["CgroupnsMode"]) == ("private", "private")
    assert host["RestartPolicy"] == {"Name": "no"}
    assert not set(NEVER) & set(host)
    assert "AutoRemove" not in host


@pytest.mark.parametrize("profile", Profile)
def test_only_the_data_folder_is_mounted_whatever_its_name(profile: Profile) -> None:
    (mount,) = config(profile=profile)["HostConfig"]["Mounts"]
    assert mount == {
        "Type": "bind",
        "Source": "/srv/data: odd, name",
        "Target": "/usr/src/app/data",
        "ReadOnly": False,
    }
    assert config(profile=profile, data_dir=None)["HostConfig"]["Mounts"] == []


@pytest.mark.parametrize("profile", Profile)
def test_files_and_secrets_can_be_read_and_not_written(profile: Profile) -> None:
    files = {"b.csv": "/srv/files/2", "a.csv": "/srv/files/1"}
    _, first, second, secrets = config(profile=profile, files=files, secrets="/dev/shm/mao-abc/7-2")["HostConfig"][
        "Mounts"
    ]
    for mount, source, target in (
        (first, "/srv/files/1", "/usr/src/app/files/a.csv"),
        (second, "/srv/files/2", "/usr/src/app/files/b.csv"),
        (secrets, "/dev/shm/mao-abc/7-2", "/run/secrets"),
    ):
        assert mount == {"Type": "bind", "Source": source, "Target": target, "ReadOnly": True}


@pytest.mark.parametrize("profile", [Profile.STANDARD, Profile.STRICT])
def test_a_confined_container_loses_all_capabilities(profile: Profile) -> None:
    made = config(profile=profile)
    assert made["HostConfig"]["CapDrop"] == ["ALL"]
    assert made["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]
    assert made["User"] == "1000:1001"
    assert "HOME=/tmp" in made["Env"]
    assert set(made["HostConfig"]["Tmpfs"]) == {"/tmp", "/home"}
    assert all("size=256m" in options for options in made["HostConfig"]["Tmpfs"].values())


def test_the_root_file_system_is_read_only_in_strict_alone() -> None:
    assert config(profile=Profile.STRICT)["HostConfig"]["ReadonlyRootfs"] is True
    assert config(profile=Profile.STANDARD)["HostConfig"]["ReadonlyRootfs"] is False


def test_legacy_is_root_as_the_engine_knows_it() -> None:
    made = config(profile=Profile.LEGACY)
    assert made["User"] == "0:0"
    assert not {"CapDrop", "SecurityOpt", "Tmpfs", "ReadonlyRootfs"} & set(made["HostConfig"])
    assert made["Env"] == []


def test_legacy_needs_the_operators_leave() -> None:
    with pytest.raises(BackendFailed, match="legacy") as caught:
        config(profile=Profile.LEGACY, allow_legacy=False)
    assert "allow_legacy" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("profile", "network", "mode"),
    [
        (Profile.STANDARD, "", "mao"),
        (Profile.STANDARD, "none", "none"),
        (Profile.STRICT, "", "none"),
        (Profile.LEGACY, "", "mao"),
    ],
)
def test_the_network_is_ours_or_none(profile: Profile, network: str, mode: str) -> None:
    made = config(profile=profile, network=network)
    assert made["HostConfig"]["NetworkMode"] == mode
    assert needs_bridge(made) is (mode != "none")


@pytest.mark.parametrize("profile", Profile)
@pytest.mark.parametrize("network", ["host", "bridge", "container:x", "mao"])
def test_no_other_network_can_be_had(profile: Profile, network: str) -> None:
    with pytest.raises(BackendFailed, match=network):
        config(profile=profile, network=network)


def test_the_pinned_image_is_used() -> None:
    assert config()["Image"] == "sha256:123"
    assert config(image_id=None)["Image"] == "group/spike:1"


def test_the_command_is_the_requests_or_the_images() -> None:
    assert config(command=("a", "b c"))["Cmd"] == ["a", "b c"]
    assert "Cmd" not in config()


def test_a_user_of_the_tool_wins_over_the_owner() -> None:
    assert config(user="99")["User"] == "99"
    nobody = container_config(REQUEST, owner=NOBODY, bridge_network="mao", log_bytes=1, allow_legacy=False)
    assert nobody["User"] == "65534:65534"


def test_the_environment_is_a_list_of_assignments() -> None:
    assert config(env={"A": "b=c", "HOME": "/x"})["Env"] == ["HOME=/x", "A=b=c"]


def test_labels_and_name_are_functions_of_the_row() -> None:
    assert REQUEST.container_name == "mao-node-a-7-2"
    assert config()["Labels"] == {
        "mao.installation": "abc",
        "mao.node": "node-a",
        "mao.run": "7",
        "mao.attempt": "2",
        "mao.tool": "spike",
    }


@pytest.mark.parametrize("network", ["mao", "a-network-with-a-very-long-name"])
def test_the_name_of_an_interface_fits_the_kernel(network: str) -> None:
    assert len(bridge_for(network)) <= 15
    assert bridge_for(network) == bridge_for(network) != bridge_for(network + "2")


def test_our_network_keeps_tools_apart_and_sets_an_mtu_where_asked() -> None:
    options = network_options("mao", 1400)["options"]
    assert options["com.docker.network.bridge.enable_icc"] == "false"
    assert options["com.docker.network.driver.mtu"] == "1400"
    assert "com.docker.network.driver.mtu" not in network_options("mao", 0)["options"]


def test_a_network_that_we_did_not_make_is_refused() -> None:
    made = network_options("mao", 0)
    shown = {"Name": "mao", "Labels": made["labels"], "Options": made["options"]}
    assert bridge_of(shown) == "br-mao"
    with pytest.raises(BackendFailed, match="mao"):
        bridge_of({**shown, "Labels": None})


CODE = Code("/srv/tools/visitors/3/code", "1f", data_place="out/data")


@pytest.mark.parametrize("profile", Profile)
def test_installed_code_is_mounted_to_be_read_with_the_data_where_the_script_expects_it(profile: Profile) -> None:
    made = config(profile=profile, code=CODE, command=("sh", "bin/count.sh", "2026"), env={"A": "1"})
    assert (made["Entrypoint"], made["Cmd"]) == (["sh", "/usr/src/app/tool/bin/count.sh"], ["2026"])
    assert made["WorkingDir"] == "/usr/src/app/tool"
    assert {"A=1", "MAO_DATA_DIR=/usr/src/app/data"} <= set(made["Env"])
    mounts = {mount["Target"]: (mount["Source"], mount["ReadOnly"]) for mount in made["HostConfig"]["Mounts"]}
    assert mounts == {
        "/usr/src/app/tool": ("/srv/tools/visitors/3/code", True),
        "/usr/src/app/tool/out/data": ("/srv/data: odd, name", False),
        "/usr/src/app/data": ("/srv/data: odd, name", False),
    }


def test_an_installer_has_the_code_and_nothing_else() -> None:
    code = replace(CODE, is_writable=True)
    request = replace(REQUEST, attempt=0, code=code, data_dir=None, command=("sh", "install.sh"))
    (mount,) = config(request)["HostConfig"]["Mounts"]
    assert (mount["Target"], mount["ReadOnly"]) == ("/usr/src/app/tool", False)
    assert not [variable for variable in config(request)["Env"] if variable.startswith("MAO_DATA_DIR")]
    assert written_folder(request) == code.folder
    assert written_folder(replace(REQUEST, code=CODE)) == REQUEST.data_dir
