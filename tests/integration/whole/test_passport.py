"""The passports of real runs, on every backend, also after all that they tell of is gone."""

from __future__ import annotations

import hashlib
import json
import secrets
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import docker.errors
import pytest

from tests.integration.images import build
from tests.integration.whole.product import Product

pytestmark = pytest.mark.docker
TAG = "mao-test/moving:1"
COLLECT = "cat /run/secrets/key > /dev/null && cat /usr/src/app/files/sources.csv && echo 7 > control-$MAO_RUN_ID.csv"
SOURCES = b"a,b\n"
FORMS = ("json", "ro-crate")


@pytest.fixture
def product(product: Product) -> Product:
    """A product that also runs processes, with a data set."""
    environment = replace(product.settings.working_environment, allow_process_backend=True, user="panos")
    product.settings = replace(product.settings, working_environment=environment)
    remote = product.folder / "remote.git"
    subprocess.run(["git", "init", "--quiet", "--bare", str(remote)], check=True)
    product.start()
    entry = {"name": "visitors-data", "url": f"file://{remote}"}
    assert product.call("POST", "/api/datasets", json=entry).status_code == 201
    return product


@pytest.fixture
def tool_of_every_backend(product: Product, marked: str) -> dict[str, str]:
    """A tool for each backend, by backend."""
    folder = product.settings.working_environment.secretsdir / "moving"
    folder.mkdir(parents=True)
    (folder / "key").write_text(marked)
    env = {"PASSWORD": marked}
    product.add_tool("moving", TAG, ["sh", "-c", COLLECT], data_repo="visitors-data", env=env)
    for backend in ("process", "dummy"):
        product.add_tool(backend, "none", ["true"], env=env, network="", labels={"_execution_backend_id": backend})
    return {"docker": "moving", "process": "process", "dummy": "dummy"}


@pytest.fixture
def marked() -> str:
    """A secret that nobody else has."""
    return f"hush-{secrets.token_hex(16)}"


@pytest.fixture
def move_tag(engine: Any) -> Iterator[Callable[[], str]]:
    """Build another image, move the tag to it, and give its id."""
    made: list[str] = []

    def move() -> str:
        changes = ["WORKDIR /usr/src/app/data"]
        build(TAG, files={"made": secrets.token_bytes(16)}, changes=changes, is_forced=True)
        made.append(engine.inspect_image(TAG)["Id"])
        return made[-1]

    yield move
    for image in made:
        with suppress(docker.errors.ImageNotFound):
            engine.remove_image(image, force=True)


def ran(product: Product, tool: str, files: dict[str, bytes] | None = None) -> int:
    answer = product.call("POST", f"/api/tools/{tool}/runs", json={"manualStart": True})
    run_id = int(answer.json()["runId"])
    octets = {**product.headers, "Content-Type": "application/octet-stream"}
    for name, content in (files or {}).items():
        place = f"/api/runs/{run_id}/files/{name}"
        assert product.call("POST", place, data=content, headers=octets).status_code == 201
    assert product.call("POST", f"/api/runs/{run_id}/start").status_code == 202
    run = product.final(run_id)
    assert run["status"] == "SUCCEEDED", f"{run} {product.output(run_id)!r}"
    return run_id


def passport_of(product: Product, run_id: int, form: str = "json") -> Any:
    answer = product.call("GET", f"/api/runs/{run_id}/passport?format={form}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def looked_up(product: Product, **wanted: str) -> list[int]:
    answer = product.call("POST", "/api/search/runs", json=wanted)
    return [run["id"] for run in answer.json()["items"]]


def test_passports_outlive_what_they_tell_of(
    product: Product,
    engine: Any,
    marked: str,
    tool_of_every_backend: dict[str, str],
    move_tag: Callable[[], str],
) -> None:
    images, runs = [], []
    for _ in range(2):
        images.append(move_tag())
        runs.append(ran(product, "moving", {"sources.csv": SOURCES}))
    others = {name: ran(product, tool) for name, tool in tool_of_every_backend.items() if name != "docker"}
    before = {(run, form): passport_of(product, run, form) for run in [*runs, *others.values()] for form in FORMS}
    first, second = (before[run, "json"] for run in runs)
    _check_what_ran(first, second, images)
    _check_data(first, second)
    for backend, run in others.items():
        assert before[run, "json"]["place"]["backend"] == backend
        assert before[run, "json"]["image"]["digest"] is None
        assert before[run, "json"]["startedWith"]["command"] == ["true"]
    assert marked not in json.dumps(list(before.values()))
    _remove_everything(product, engine, images)
    assert {key: passport_of(product, *key) for key in before} == before
    assert looked_up(product, outputCommit=first["result"]["commit"][:7]) == [runs[0]]
    assert looked_up(product, inputCommit=first["result"]["commit"][:7]) == [runs[1]]
    assert looked_up(product, imageDigest=second["image"]["digest"][:20]) == [runs[1]]


def _check_what_ran(first: Any, second: Any, images: list[str]) -> None:
    assert [passport["image"]["id"] for passport in (first, second)] == images
    assert first["image"]["name"] == second["image"]["name"] == TAG
    assert first["image"]["digest"] != second["image"]["digest"]
    started = first["startedWith"]
    sha256 = hashlib.sha256(SOURCES).hexdigest()
    assert started["files"] == [{"name": "sources.csv", "sha256": sha256, "sizeBytes": len(SOURCES)}]
    assert (started["command"], started["secrets"]) == (["sh", "-c", COLLECT], ["key"])
    assert "PASSWORD" in started["env"]
    assert first["output"] == {"sizeBytes": len(SOURCES), "sha256": sha256, "isCut": False, "removedTime": None}
    assert first["place"]["engineVersion"]
    assert first["place"]["operator"] == "panos"


def _check_data(first: Any, second: Any) -> None:
    assert first["input"]["dataset"] == "visitors-data"
    assert (first["input"]["commit"], first["input"]["isUncommitted"]) == (None, False)
    assert second["input"]["commit"] == first["result"]["commit"]
    assert second["input"]["tree"] == second["input"]["commitTree"] == first["result"]["tree"]
    assert first["detector"]["verdict"]["status"] == "not_enough_data"


def _remove_everything(product: Product, engine: Any, images: list[str]) -> None:
    """Remove the tools, the data set, its clone and the images."""
    for tool in ("moving", "process", "dummy"):
        assert product.call("DELETE", f"/api/tools/{tool}").status_code == 204
    assert product.call("DELETE", "/api/datasets/visitors-data/clone?force=true").status_code == 202
    product.until(lambda: product.call("GET", "/api/clones").json()["items"] == [], "the clone is removed")
    assert product.call("DELETE", "/api/datasets/visitors-data").status_code == 204
    for image in images:
        engine.remove_image(image, force=True)
