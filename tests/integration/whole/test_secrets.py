"""A secret is fed to a tool of the real product and then looked for everywhere else."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from app.executors import secret_folders
from app.models.tool import Profile
from app.repositories.agents import AgentRepository
from app.repositories.database import Database
from app.repositories.etcd import EtcdKv
from tests.integration.whole.product import Product

pytestmark = pytest.mark.docker
TOOL = "keyholder"
SCRIPT = "sha256sum < /run/secrets/museum-key; exec sleep 600"
PAGES = ["", "/events", "/report", "/output.txt", "/files", "/passport", "/passport?format=ro-crate"]


@pytest.fixture
def secret(product: Product) -> str:
    """A secret that exists nowhere but where the operator keeps it."""
    made = f"hush-{secrets.token_hex(16)}"
    folder = product.settings.working_environment.secretsdir / TOOL
    folder.mkdir(parents=True)
    (folder / "museum-key").write_text(made)
    return made


@pytest.mark.parametrize("profile", [Profile.STANDARD, Profile.STRICT])
def test_a_secret_is_nowhere_but_in_the_tool(
    product: Product, image: str, engine: Any, secret: str, profile: Profile
) -> None:
    product.start()
    product.add_tool(TOOL, image, ["sh", "-c", SCRIPT], profile=profile)
    run_id = product.submit(TOOL)
    fingerprint = hashlib.sha256(secret.encode()).hexdigest()
    product.until(lambda: fingerprint.encode() in product.output(run_id), "the tool has read its secret")
    found = dict(places(product, engine, run_id))
    assert all(found.values()), [name for name, content in found.items() if not content]
    assert [name for name, content in found.items() if secret.encode() in content] == []
    assert laid_out(product) == [(run_id, 1)]
    product.call("DELETE", f"/api/runs/{run_id}?force=true")
    assert product.final(run_id)["status"] == "ABORTED"
    product.until(lambda: laid_out(product) == [], "the copy is removed")
    assert [name for name, content in places(product, engine, run_id) if secret.encode() in content] == []


def test_an_agent_that_was_killed_leaves_no_copy_for_long(product: Product, image: str, secret: str) -> None:
    agent = product.start()
    product.add_tool(TOOL, image, ["sh", "-c", SCRIPT])
    run_id = product.submit(TOOL)
    product.until_running(run_id)
    agent.kill()
    agent.wait()
    product.call("DELETE", f"/api/runs/{run_id}?force=true")
    assert laid_out(product) == [(run_id, 1)]
    product.start_agent()
    product.final(run_id)
    product.until(lambda: laid_out(product) == [], "the copy is removed")


def laid_out(product: Product) -> list[tuple[int, int]]:
    database = Database(product.settings.database_url)
    try:
        with database.transaction() as session:
            return secret_folders.laid_out(AgentRepository(session).installation().identifier)
    finally:
        database.close()


def places(product: Product, engine: Any, run_id: int) -> Iterator[tuple[str, bytes]]:
    """Give all that others can see, by where they see it."""
    for page in (*(f"/api/runs/{run_id}{rest}" for rest in PAGES), "/api/runs", f"/api/tools/{TOOL}", "/readyz"):
        yield page, product.call("GET", page).content
    shown = [engine.inspect_container(each["Id"]) for each in engine.containers(all=True)]
    yield "the containers", repr(shown).encode() + b" "
    yield "the processes", b"".join(seen_of_processes())
    yield "the database", everything_stored(product)
    yield "the registry", repr(EtcdKv(product.settings.etcd).list("/mao", limit=1000)).encode()
    yield "the folders of the product", b"".join(files_of(product))


def seen_of_processes() -> Iterator[bytes]:
    for process in Path("/proc").glob("[0-9]*"):
        for name in ("cmdline", "environ"):
            with suppress(OSError):
                yield (process / name).read_bytes()


def everything_stored(product: Product) -> bytes:
    database = Database(product.settings.database_url)
    try:
        with database.transaction() as session:
            tables = session.scalars(text("select tablename from pg_tables where schemaname = 'public'")).all()
            return repr([session.execute(text(f"select * from {table}")).all() for table in tables]).encode()
    finally:
        database.close()


def files_of(product: Product) -> Iterator[bytes]:
    """Give every file, logs and the servers' own included, but what the operator keeps."""
    kept = product.settings.working_environment.secretsdir
    for path in [*product.folder.rglob("*"), *product.stores.folder.rglob("*")]:
        if path.is_file() and not path.is_relative_to(kept):
            with suppress(OSError):
                yield path.read_bytes()
