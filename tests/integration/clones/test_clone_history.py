"""What is read of a clone's history, without its lock."""

from __future__ import annotations

import io
import os
import signal
import threading
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from app.errors import BackendFailed, NotFound
from app.repositories.clone_history import HEAD_BYTES, BlobFacts, ChangedFile, History
from app.repositories.workdirs import Workdirs
from tests.integration.clones.sights import ODD_NAMES
from tests.integration.git_server import Origin, git
from tests.integration.histories import Step, write_history


def _blob(bare: Path, path: str) -> str:
    return git("rev-parse", f"main:{path}", cwd=bare)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    return tmp_path / "data.git"


def test_files_of_any_name_are_told_as_they_are(workdirs: Workdirs, origin: Origin) -> None:
    names = [*ODD_NAMES, os.fsdecode(b"\xff.csv"), "folder/:000000.csv"]
    head = origin.push({name: f"{name.encode(errors='surrogateescape')!r}\n" for name in names}, "odd\n\nbody")
    workdirs.clone("data", str(origin.bare))
    history = workdirs.history("data")
    newest, oldest = history.changes(history.commits(head))
    assert sorted(file.path for file in newest.files) == sorted(names)
    assert (newest.commit, newest.subject) == (head, "odd")
    assert sorted(file.path for file in oldest.files) == [".gitignore", "control-1.csv", "folder/old.csv"]
    assert set(history.files(head)) == {*names, ".gitignore", "control-1.csv", "folder/old.csv"}


def test_rows_are_lines_of_text_and_heads_are_given_where_they_are_wanted(workdirs: Workdirs, bare: Path) -> None:
    long = b"row\n" * HEAD_BYTES
    contents = {
        "empty": b"",
        "one": b"a",
        "two": b"a\nb\n",
        "binary": b"a\n\0",
        "late": b"a\n" * 10**6 + b"\0",
        "long": long,
    }
    head = write_history(bare, [Step(contents)])
    workdirs.clone("data", str(bare))
    history = workdirs.history("data")
    blobs = {name: _blob(bare, name) for name in contents}
    with history.contents() as reader:
        facts = dict(reader.facts([*blobs.values(), "0" * 40], with_head={blobs["two"], blobs["long"]}))
    assert [facts[blobs[name]] for name in ("empty", "one", "two")] == [
        BlobFacts(0, 0),
        BlobFacts(1, 1),
        BlobFacts(4, 2, b"a\nb\n"),
    ]
    assert [facts[blobs[name]].rows for name in ("binary", "late", "long")] == [None, None, HEAD_BYTES]
    assert facts[blobs["long"]].head == long[:HEAD_BYTES]
    assert facts["0" * 40] == BlobFacts(None, None)
    assert history.sizes([blobs["long"], "0" * 40, blobs["one"]]) == {
        blobs["long"]: len(long),
        "0" * 40: None,
        blobs["one"]: 1,
    }
    assert len(history.commits(head)) == 1


def test_many_contents_are_read_by_one_git_in_the_order_that_was_asked_for(workdirs: Workdirs, bare: Path) -> None:
    write_history(bare, [Step({f"{number}.csv": "x" * number for number in range(1, 500)})])
    workdirs.clone("data", str(bare))
    history = workdirs.history("data")
    blobs = [blob for _, blob in sorted(history.files("main").items(), key=lambda item: int(item[0][:-4]))]
    with history.contents() as reader:
        assert [facts.size_bytes for _, facts in reader.facts(blobs)] == list(range(1, 500))
        target = io.BytesIO()
        assert reader.copy(blobs[6], target)
        assert not reader.copy("0" * 40, target)
        assert target.getvalue() == b"x" * 7


def test_what_changed_between_two_trees_names_what_was_there_before(workdirs: Workdirs, bare: Path) -> None:
    before = write_history(bare, [Step({"a.csv": "1", "b.csv": "1", "c.csv": "1"})])
    was = _blob(bare, "a.csv")
    after = write_history(bare, [Step({"a.csv": "2", "b.csv": None, "d.csv": "3"})], onto=before)
    workdirs.clone("data", str(bare))
    assert workdirs.history("data").changes_between(before, after) == [
        ChangedFile("a.csv", _blob(bare, "a.csv"), was),
        ChangedFile("d.csv", _blob(bare, "d.csv"), None),
    ]


@pytest.mark.parametrize("how", ["blobless", "shallow"])
def test_what_a_clone_does_not_hold_is_unknown_and_asks_no_remote(workdirs: Workdirs, bare: Path, how: str) -> None:
    head = write_history(bare, [Step({"rows.csv": "x\n" * number}, f"step {number}") for number in (1, 2, 3)])
    git("config", "uploadpack.allowFilter", "true", cwd=bare)
    workdirs.clone("data", f"file://{bare}", "main", history=how)
    bare.rename(bare.with_name("gone.git"))
    history = workdirs.history("data")
    changes = list(history.changes(history.commits(head)))
    blobs = [file.blob for change in changes for file in change.files]
    with history.contents() as reader:
        facts = dict(reader.facts(blobs))
        assert reader.copy(blobs[0], io.BytesIO())
        assert how == "shallow" or not reader.copy(blobs[1], io.BytesIO())
    if how == "shallow":
        assert [(change.subject, len(change.files)) for change in changes] == [("step 3", 1)]
        return
    assert [facts[blob] for blob in blobs] == [BlobFacts(6, 3), BlobFacts(None, None), BlobFacts(None, None)]
    assert list(history.sizes(blobs).values()) == [6, None, None]


def test_a_submodule_is_no_file(workdirs: Workdirs, origin: Origin) -> None:
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},module", cwd=origin.desk)
    git("commit", "-q", "-m", "module", cwd=origin.desk)
    git("push", "-q", "origin", "HEAD", cwd=origin.desk)
    head = workdirs.clone("data", str(origin.bare))
    history = workdirs.history("data")
    assert next(history.changes([head])).files == []
    assert "module" not in history.files(head)


def test_a_large_file_is_never_held_as_a_whole(workdirs: Workdirs, bare: Path) -> None:
    write_history(bare, [Step({"large.csv": b"0123456789abcde\n" * (2 * 2**20)})])
    workdirs.clone("data", str(bare))
    blob = _blob(bare, "large.csv")
    tracemalloc.start()
    try:
        with workdirs.history("data").contents() as reader:
            assert dict(reader.facts([blob])) == {blob: BlobFacts(32 * 2**20, 2 * 2**20)}
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20


def test_a_git_that_is_killed_is_an_error_and_not_the_end_of_the_history(workdirs: Workdirs, bare: Path) -> None:
    write_history(bare, [Step({"rows.csv": "x\n" * number}, "step" * 1000) for number in range(400)])
    workdirs.clone("data", str(bare))
    history = workdirs.history("data")
    changes = history.changes(history.commits("main"))
    next(changes)
    for process in _children("log"):
        os.kill(process, signal.SIGKILL)
    with pytest.raises(BackendFailed):
        list(changes)


def test_a_clone_that_is_gone_is_an_error(workdirs: Workdirs) -> None:
    with pytest.raises(BackendFailed):
        workdirs.history("data").commits("main")
    with pytest.raises(BackendFailed), workdirs.history("data").contents() as reader:
        list(reader.facts(["0" * 40]))


@pytest.mark.parametrize("history", ["full", "blobless"])
def test_a_clone_that_is_removed_while_it_is_read_is_an_error_in_words(
    workdirs: Workdirs, bare: Path, importdir: Path, history: str
) -> None:
    head = write_history(bare, [Step({"rows.csv": f"{number}\n" * number}) for number in range(1, 300)])
    git("config", "uploadpack.allowFilter", "true", cwd=bare)
    workdirs.clone("data", f"file://{bare}", history=history)
    reader = workdirs.history("data")
    blob = reader.files(head)["rows.csv"]
    changes = reader.changes(reader.commits(head))
    next(changes)
    with reader.contents() as contents:
        workdirs.remove("data")
        # What is open may still be read, rightly or not at all.
        with suppress(BackendFailed):
            assert len(list(changes)) == 298
        with suppress(BackendFailed):
            assert list(contents.facts([blob])) in ([(blob, BlobFacts(1196, 299))], [(blob, BlobFacts(None, None))])
    readings: list[Callable[[], object]] = [
        lambda: reader.commits(head),
        lambda: list(reader.changes([head])),
        lambda: reader.newest_of(head, "rows.csv"),
        lambda: reader.has(head, "rows.csv"),
        lambda: reader.changes_between(head, head),
        lambda: reader.files(head),
        lambda: reader.sizes([blob]),
        lambda: _read(reader, blob),
    ]
    for read in readings:
        with pytest.raises(BackendFailed) as caught:
            read()
        assert str(importdir) not in caught.value.message
    with suppress(NotFound):
        workdirs.fetch_contents("data", [blob])


def _read(reader: History, blob: str) -> object:
    with reader.contents() as contents:
        return list(contents.facts([blob]))


def test_a_clone_that_comes_and_goes_under_its_readers_gives_the_truth_or_an_error(
    workdirs: Workdirs, bare: Path
) -> None:
    head = write_history(bare, [Step({"rows.csv": f"{number}\n" * number}) for number in range(1, 100)])
    workdirs.clone("data", str(bare))
    truth = [change.files for change in workdirs.history("data").changes(workdirs.history("data").commits(head))]
    is_over = threading.Event()
    outcomes: list[object] = []

    def read() -> None:
        while not is_over.is_set():
            reader = workdirs.history("data")
            try:
                changes = list(reader.changes(reader.commits(head)))
                outcomes.append([change.files for change in changes] == truth)
                _read(reader, truth[0][0].blob)
            except BackendFailed as error:
                outcomes.append(error)
            except Exception as error:  # noqa: BLE001
                outcomes.append(error)
                return

    reading = threading.Thread(target=read)
    reading.start()
    for _ in range(8):
        workdirs.remove("data")
        workdirs.clone("data", str(bare))
    is_over.set()
    reading.join()
    assert outcomes
    assert [outcome for outcome in outcomes if outcome is not True and not isinstance(outcome, BackendFailed)] == []


def _children(word: str) -> list[int]:
    """The processes of git, among all that this one has started, whose command has this word."""
    ours = f"\nPPid:\t{os.getpid()}\n"
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            is_ours = ours in (place / "status").read_text()
            words = (place / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if is_ours and word.encode() in words:
            found.append(int(place.name))
    return found
