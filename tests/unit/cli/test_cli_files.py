"""``maoctl run files|upload|download``."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer

FILE = "/api/runs/12/files/list.csv"
CONTENT = bytes(range(256)) * 1000


def a_file(**changes: Any) -> dict[str, Any]:
    known = {
        "fileId": "list.csv",
        "runId": 12,
        "sizeBytes": 256_000,
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "uploadedBy": "laptop",
        "uploadedTime": "2026-11-22T04:30:00+00:00",
    }
    return {**known, **changes}


@pytest.fixture
def offered(server: StubServer) -> None:
    """The server has the file."""
    server.on("GET", FILE, Reply(body=CONTENT, headers={"ETag": f'"{hashlib.sha256(CONTENT).hexdigest()}"'}))


def test_files_are_listed(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs/12/files", Reply(values={"items": [a_file()], "next": None}))
    shown = maoctl("run", "files", "12").out.splitlines()
    assert shown[0].split() == ["NAME", "BYTES", "SHA-256", "OF", "RUN", "BY", "UPLOADED"]
    assert shown[1].split()[:2] == ["list.csv", "256000"]
    assert maoctl("run", "files", "12", "-o", "json").json == [a_file()]


@pytest.mark.parametrize(("options", "name"), [((), "list.csv"), (("--name", "other.csv"), "other.csv")])
def test_a_file_is_uploaded_as_its_bytes(
    maoctl: Run, server: StubServer, place: Path, options: tuple[str, ...], name: str
) -> None:
    (place / "list.csv").write_bytes(CONTENT)
    server.on("POST", f"/api/runs/12/files/{name}", Reply(201, a_file(fileId=name)))
    result = maoctl("run", "upload", "12", str(place / "list.csv"), *options)
    assert (result.exit, result.out) == (Exit.DONE, f"Run 12 has '{name}', 256000 bytes.\n")
    (sent,) = server.requests
    assert sent.headers["Content-Type"] == "application/octet-stream"
    assert sent.headers["Content-Length"] == str(len(CONTENT))
    assert Path(sent.body.name) == place / "list.csv"


def test_a_file_that_is_not_there_is_not_uploaded(maoctl: Run, server: StubServer) -> None:
    assert maoctl("run", "upload", "12", "nothing.csv").exit == Exit.USAGE
    assert server.requests == []


def test_a_refused_upload_says_why(maoctl: Run, server: StubServer, place: Path) -> None:
    (place / "list.csv").write_bytes(CONTENT)
    server.on("POST", FILE, Reply(409, {"message": "Run 12 is RUNNING.", "hint": "Submit another."}))
    result = maoctl("run", "upload", "12", "list.csv")
    assert result.exit == Exit.REFUSED
    assert "Run 12 is RUNNING." in result.err


@pytest.mark.parametrize(
    ("options", "target"),
    [((), "list.csv"), (("--to", "other.csv"), "other.csv"), (("--to", "folder"), "folder/list.csv")],
)
@pytest.mark.usefixtures("offered")
def test_a_file_is_downloaded_byte_for_byte(maoctl: Run, place: Path, options: tuple[str, ...], target: str) -> None:
    (place / "folder").mkdir()
    result = maoctl("run", "download", "12", "list.csv", *options)
    assert (result.exit, result.out) == (Exit.DONE, f"'{target}' has 256000 bytes.\n")
    assert (place / target).read_bytes() == CONTENT


@pytest.mark.usefixtures("offered")
def test_an_existing_file_is_replaced_only_by_force(maoctl: Run, server: StubServer, place: Path) -> None:
    (place / "list.csv").write_text("mine")
    result = maoctl("run", "download", "12", "list.csv")
    assert (result.exit, (place / "list.csv").read_text(), server.requests) == (Exit.USAGE, "mine", [])
    assert "--force" in result.err
    assert maoctl("run", "download", "12", "list.csv", "--force").exit == Exit.DONE
    assert (place / "list.csv").read_bytes() == CONTENT


def test_other_bytes_than_were_uploaded_are_not_kept(maoctl: Run, server: StubServer, place: Path) -> None:
    server.on("GET", FILE, Reply(body=CONTENT[:-1], headers={"ETag": f'"{"0" * 64}"'}))
    result = maoctl("run", "download", "12", "list.csv")
    assert (result.exit, list(place.glob("*"))) == (Exit.SERVER_FAILED, [])


def test_a_file_that_the_run_does_not_see_is_not_made(maoctl: Run, server: StubServer, place: Path) -> None:
    server.on("GET", FILE, Reply(404, {"message": "Run 12 has no file 'list.csv'."}))
    result = maoctl("run", "download", "12", "list.csv")
    assert (result.exit, list(place.glob("*"))) == (Exit.REFUSED, [])
    assert "no file 'list.csv'" in result.err


@pytest.mark.parametrize("name", ["../list.csv", "/etc/passwd", "..", "a/b"])
def test_a_name_is_never_a_path(maoctl: Run, server: StubServer, name: str) -> None:
    assert maoctl("run", "download", "12", name).exit == Exit.USAGE
    assert server.requests == []


def test_a_folder_that_is_not_there_is_said_to_be_missing(maoctl: Run, server: StubServer) -> None:
    result = maoctl("run", "download", "12", "list.csv", "--to", "nowhere/list.csv")
    assert result.exit == Exit.USAGE
    assert "nowhere/list.csv" in result.err


def test_a_tool_asks_for_its_profile(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/tools", Reply(201, {"name": "spike"}))
    maoctl("tool", "add", "spike", "a", "i", "", "", "", "--profile", "strict")
    assert server.bodies("POST")[0]["profile"] == "strict"
