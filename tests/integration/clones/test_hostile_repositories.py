"""Repositories and addresses that try to get more than a clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.errors import BackendFailed, Invalid, MaoError
from app.repositories.git_access import Access
from app.repositories.workdirs import Workdirs
from app.settings import Git
from tests.integration.clones.evil_trees import CASES, Evil
from tests.integration.clones.sights import contents, parts_of
from tests.integration.git_server import GitServer, Origin, git


@pytest.mark.parametrize(
    "url", ["ext::sh -c id", "http://example.org/d", "/etc", "-u", "https://u:hunter2@example.org/d"]
)
def test_a_forbidden_address_is_refused_before_git_hears_of_it(importdir: Path, url: str) -> None:
    with pytest.raises(Invalid) as caught:
        Workdirs(Git(), importdir).clone("data", url)
    assert "hunter2" not in str(caught.value)
    assert not importdir.exists()


def test_git_itself_refuses_what_the_check_of_addresses_would_have_missed(
    importdir: Path, origin: Origin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.repositories.clone_holding.checked_url", lambda url, allow_local: url)
    monkeypatch.setattr("app.repositories.git_command.access_to", lambda url, settings: Access())
    canary = importdir.parent / "canary"
    for url in (f"ext::touch {canary}", str(origin.bare), f"file://{origin.bare}", "fd::3"):
        with pytest.raises(MaoError):
            Workdirs(Git(), importdir).clone("data", url)
    assert not canary.exists()
    assert parts_of(importdir) == set()


@pytest.mark.parametrize(
    ("mode", "name"),
    [("040000", ".git"), ("040000", ".GIT"), ("040000", "git~1"), ("040000", ".."), ("040000", ".g\u200cit")],
)
def test_a_tree_that_reaches_for_gits_folder_is_refused(
    server: GitServer, workdirs: Workdirs, importdir: Path, mode: str, name: str
) -> None:
    origin = server.origin("evil")
    blob = git("hash-object", "-w", "--stdin", cwd=origin.bare, data=b"[core]\n\tfsmonitor = touch /tmp/owned\n")
    inner = git("mktree", cwd=origin.bare, data=f"100644 blob {blob}\tconfig\n".encode())
    raw = mode.lstrip("0").encode() + b" " + name.encode() + b"\0" + bytes.fromhex(inner)
    tree = git("hash-object", "--literally", "-w", "-t", "tree", "--stdin", cwd=origin.bare, data=raw)
    commit = git("commit-tree", tree, "-m", "evil", cwd=origin.bare)
    git("update-ref", "refs/heads/main", commit, cwd=origin.bare)

    with pytest.raises(BackendFailed, match="broken or dangerous") as caught:
        workdirs.clone("evil", server.url("evil"))
    assert caught.value.cause == "data_unavailable"
    assert parts_of(importdir) == set()


def test_links_filters_and_submodules_arrive_as_plain_files_or_not_at_all(
    server: GitServer, origin: Origin, workdirs: Workdirs
) -> None:
    (origin.desk / "leak").symlink_to("/etc/passwd")
    git("config", "filter.lfs.clean", "cat", cwd=origin.desk)
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
    attributes = "*.bin filter=lfs\n* text=auto eol=crlf ident\n"
    origin.push({".gitattributes": attributes, "big.bin": pointer, "a.csv": "$Id$\n"})
    workdirs.clone("data", server.url("data"))
    tree = workdirs.path("data")
    assert not (tree / "leak").is_symlink()
    assert (tree / "leak").read_text() == "/etc/passwd"
    assert (tree / "big.bin").read_text() == pointer
    assert (tree / "a.csv").read_bytes() == b"$Id$\n", "contents must not be converted"
    assert not workdirs.state("data").has_uncommitted


@pytest.mark.parametrize(
    "line", ["", "update = !touch CANARY", "url = --upload-pack=touch CANARY", "path = -x", "url = ext::touch CANARY"]
)
def test_a_submodule_is_never_followed(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path, tmp_path: Path, line: str
) -> None:
    canary = tmp_path / "canary"
    line = line.replace("CANARY", str(canary))
    modules = f'[submodule "sub"]\n\tpath = sub\n\turl = {server.url("data")}\n\t{line}\n'
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub", cwd=origin.desk)
    (origin.desk / "sub").mkdir()
    origin.push({".gitmodules": modules})
    try:
        workdirs.clone("data", server.url("data"))
    except BackendFailed as refusal:
        assert "broken or dangerous" in refusal.message
        assert parts_of(importdir) == set()
    else:
        assert list((workdirs.path("data") / "sub").iterdir()) == []
    assert not canary.exists()


def test_no_message_holds_a_path_of_ours(
    server: GitServer, origin: Origin, workdirs: Workdirs, importdir: Path
) -> None:
    importdir.mkdir()
    (importdir / "data").mkdir()
    (importdir / "data/file").touch()
    messages = []
    for url in (server.url("data"), server.url("none"), str(importdir.parent / "nowhere")):
        with pytest.raises(MaoError) as caught:
            workdirs.clone("data" if url == server.url("data") else "other", url)
        messages.append(f"{caught.value.message} {caught.value.hint}")
    assert str(importdir) not in "".join(messages)


def test_newer_files_that_are_too_deep_for_this_machine_leave_the_clone_as_it_was(
    workdirs: Workdirs, origin: Origin, tree: Path, tmp_path: Path
) -> None:
    (tree / "mine.csv").write_text("1\n")
    before, good = contents(tree), git("rev-parse", "HEAD", cwd=origin.desk)
    evil = Evil(origin.bare, tmp_path / "canary", tmp_path / "secret")
    CASES["deep folders"](evil)
    evil.ref("refs/heads/main", evil.commit(git("rev-parse", "main^{tree}", cwd=origin.bare), good))
    refreshed = workdirs.refresh("data", str(origin.bare))
    assert (refreshed.head, refreshed.is_stale) == (good, True)
    assert "was not refreshed" in refreshed.warning
    assert workdirs.head("data") == good
    assert contents(tree) == before
    assert workdirs.commit("data", "sync", {}, 1)
