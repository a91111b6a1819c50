"""Uploads to the real server: large ones in little memory, and broken ones without a trace."""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests
from sqlalchemy import update

from app.models.run import Run, RunStatus
from app.repositories.database import Database
from app.services.runs import new_run
from tests.integration.whole.product import Product

MEBIBYTE = 2**20
PIECE = bytes(range(256)) * 256
BINARY = {"Content-Type": "application/octet-stream"}


@pytest.fixture(scope="module")
def product() -> Iterator[Product]:
    folder = Path(tempfile.mkdtemp(prefix="mao-uploads-"))
    folder.chmod(0o755)
    made = Product(folder, f"uploads-{secrets.token_hex(4)}", "unix:///nonexistent")
    made.start_api()
    yield made
    made.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def run_id(product: Product) -> int:
    """A run that waits for somebody to start it, and no file of an earlier one."""
    shutil.rmtree(product.settings.working_environment.filesdir, ignore_errors=True)
    database = Database(product.settings.database_url)
    with database.transaction() as session:
        run = new_run("spike", {}, submitter="tester", owner="tester", backend="dummy", tool_entry={"name": "spike"})
        session.add(run)
        session.flush()
        session.execute(update(Run).where(Run.id == run.id).values(status=RunStatus.DEFINED))
    database.close()
    return run.id


def on_disk(product: Product) -> list[str]:
    folder = product.settings.working_environment.filesdir
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def listed(product: Product, run_id: int) -> list[tuple[str, int]]:
    items = product.call("GET", f"/api/runs/{run_id}/files").json()["items"]
    return [(item["fileId"], item["sizeBytes"]) for item in items]


def peak_kib(product: Product) -> int:
    """Give the most memory that any process of the server has had so far."""
    assert product.api is not None
    children = Path(f"/proc/{product.api.pid}/task/{product.api.pid}/children").read_text().split()
    peaks = [
        int(line.split()[1])
        for pid in (str(product.api.pid), *children)
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return max(peaks)


def pieces(count: int) -> Iterator[bytes]:
    return (PIECE for _ in range(count))


def test_a_hundred_mebibytes_need_little_memory(product: Product, run_id: int) -> None:
    assert upload(product, run_id, "small", PIECE).status_code == 201
    size = product.settings.limits.file_bytes
    before = peak_kib(product)
    answer = upload(product, run_id, "large", pieces(size // len(PIECE)))
    assert answer.status_code == 201, answer.text
    digest = hashlib.sha256()
    for piece in pieces(size // len(PIECE)):
        digest.update(piece)
    assert (answer.json()["sizeBytes"], answer.json()["sha256"]) == (100 * MEBIBYTE, digest.hexdigest())
    fetched = hashlib.sha256()
    with requests.get(address(product, run_id, "large"), headers=product.headers, stream=True, timeout=60) as content:
        for piece in content.iter_content(MEBIBYTE):
            fetched.update(piece)
    assert fetched.digest() == digest.digest()
    assert peak_kib(product) - before < 20 * 1024


def address(product: Product, run_id: int, name: str) -> str:
    return f"{product.url}/api/runs/{run_id}/files/{name}"


def upload(product: Product, run_id: int, name: str, data: Iterator[bytes] | bytes) -> requests.Response:
    headers = {**product.headers, **BINARY}
    return requests.post(address(product, run_id, name), data=data, headers=headers, timeout=60)


def test_one_byte_more_than_is_allowed_is_too_much_in_chunks_too(product: Product, run_id: int) -> None:
    size = product.settings.limits.file_bytes

    def more() -> Iterator[bytes]:
        yield from pieces(size // len(PIECE))
        yield b"x"

    # It may hang up on who is still sending, which comes to the same.
    with suppress(requests.ConnectionError):
        assert upload(product, run_id, "large", more()).status_code == 413
    assert (listed(product, run_id), on_disk(product)) == ([], [])


def begun(product: Product, run_id: int, *, length: int, sent: int) -> socket.socket:
    """Begin an upload of so many bytes and send a part of it; give the open connection."""
    connection = socket.create_connection(("127.0.0.1", product.settings.api.port), timeout=30)
    lines = [
        f"POST /api/runs/{run_id}/files/cut HTTP/1.1",
        "Host: localhost",
        *(f"{name}: {value}" for name, value in {**product.headers, **BINARY}.items()),
        f"Content-Length: {length}",
    ]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + b"x" * sent)
    folder = product.settings.working_environment.filesdir
    product.until(
        lambda: [path for path in folder.glob(".upload-*") if path.stat().st_size == sent], "a part has arrived"
    )
    return connection


def test_an_upload_that_breaks_off_leaves_nothing(product: Product, run_id: int) -> None:
    begun(product, run_id, length=10 * MEBIBYTE, sent=MEBIBYTE).close()
    product.until(lambda: on_disk(product) == [], "the part is removed")
    assert listed(product, run_id) == []


def test_an_upload_whose_server_is_killed_leaves_nothing_to_see(product: Product, run_id: int) -> None:
    connection = begun(product, run_id, length=10 * MEBIBYTE, sent=MEBIBYTE)
    assert product.api is not None
    workers = Path(f"/proc/{product.api.pid}/task/{product.api.pid}/children").read_text().split()
    for pid in (product.api.pid, *map(int, workers)):
        os.kill(pid, signal.SIGKILL)
    product.api.wait()
    connection.close()
    product.start_api()
    assert listed(product, run_id) == []
    # What is left has a name that no row ever has; the agent removes it after a day.
    (left,) = on_disk(product)
    assert left.startswith(".upload-")
    assert upload(product, run_id, "cut", b"whole").status_code == 201
    assert listed(product, run_id) == [("cut", 5)]
