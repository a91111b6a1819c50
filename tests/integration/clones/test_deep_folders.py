"""Folders that are deeper than the longest path, Python's stack, and the number of files that may be open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.folders import disk_bytes, remove_folder
from app.repositories.offenders import Offence, Offender, offenders
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import ROOT, contents, repository_of

LEVELS = 3000
# As nobody in particular, since rights do not stop root.
_AS_NOBODY = """
import os, sys
from pathlib import Path
from app.folders import remove_folder
os.chdir(sys.argv[1])
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
remove_folder(Path(sys.argv[2]))
"""


def deepen(folder: Path, levels: int = LEVELS) -> None:
    """Make folders in folders, the deepest of them with a file and a link, as a tool can."""
    folder.mkdir()
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("a", dir_fd=here)
        there = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = there
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.symlink("/etc", "link", dir_fd=here)
    os.close(here)


@pytest.mark.parametrize("levels", [LEVELS, 1200])
def test_deep_folders_are_removed(tmp_path: Path, levels: int) -> None:
    deepen(tmp_path / "deep", levels)
    (tmp_path / "beside").mkdir()
    assert disk_bytes(tmp_path) > 0
    remove_folder(tmp_path / "deep")
    assert [path.name for path in tmp_path.iterdir()] == ["beside"]
    assert Path("/etc").is_dir()


def test_deep_folders_are_named_by_the_folder_at_their_top(tmp_path: Path) -> None:
    deepen(tmp_path / "deep")
    deepen(tmp_path / "less", 1200)
    found = sorted(offenders(tmp_path), key=lambda offender: len(offender.path))
    assert found[0] == Offender("deep", Offence.TOO_DEEP)
    assert [offender.offence for offender in found[1:]] == [Offence.LEAVING_LINK]
    for name in ("deep", "less"):
        remove_folder(tmp_path / name)


@pytest.mark.parametrize("length", range(4080, 4100))
def test_a_link_whose_path_is_about_as_long_as_the_system_takes_is_found(tmp_path: Path, length: int) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    here = os.open(tree, os.O_RDONLY)
    left = length - len(str(tree))
    while left > 202:
        os.mkdir("n" * 199, dir_fd=here)
        there = os.open("n" * 199, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here, left = there, left - 200
    os.symlink("/etc", "l" * (left - 1), dir_fd=here)
    os.close(here)
    (found,) = offenders(tree)
    assert found.offence is (Offence.LEAVING_LINK if length < 4096 else Offence.TOO_DEEP)
    remove_folder(tree)


def test_a_long_chain_of_links_is_an_offence_only_where_it_leaves(tmp_path: Path) -> None:
    for number in range(LEVELS):
        (tmp_path / f"link-{number}").symlink_to(f"link-{number + 1}")
    assert list(offenders(tmp_path)) == []
    (tmp_path / f"link-{LEVELS}").symlink_to("../outside")
    # Those that the system follows all the way, at most 40.
    found = {offender.path for offender in offenders(tmp_path)}
    assert f"link-{LEVELS}" in found
    assert len(found) <= 40


@pytest.mark.long
def test_a_long_chain_of_links_by_way_of_nothing_is_an_offence(tmp_path: Path) -> None:
    for number in range(1050):
        (tmp_path / f"link-{number}").symlink_to(f"nothing/../link-{number + 1}")
    assert Offender("link-0", Offence.LEAVING_LINK) in list(offenders(tmp_path))


def test_deep_folders_of_a_run_are_set_aside_and_go_with_the_clone(workdirs: Workdirs, tree: Path) -> None:
    before, baseline = contents(tree), workdirs.baseline("data")
    deepen(tree / "deep")
    (tree / "half.csv").write_text("half\n")
    assert workdirs.quarantine("data", baseline, 7)
    assert contents(tree) == before
    refused = repository_of(tree.parent).places.refused
    assert [path.name for path in refused.iterdir()] == ["run-7-1"]
    workdirs.remove("data", is_forced=True)
    assert not refused.exists()


def test_a_folder_goes_that_its_owner_may_neither_read_nor_enter_nor_write(tmp_path: Path) -> None:
    for mode in (0o000, 0o100, 0o400, 0o500):
        folder = tmp_path / f"{mode:o}"
        (folder / "in/it").mkdir(parents=True)
        (folder / "in/it/file").write_text("x")
        for path in (tmp_path, folder, folder / "in", folder / "in/it", folder / "in/it/file"):
            os.chown(path, 65534, 65534)
        for path in (folder / "in/it", folder / "in", folder):
            path.chmod(mode)
        command = [sys.executable, "-c", _AS_NOBODY, str(tmp_path), folder.name]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert not folder.exists()
