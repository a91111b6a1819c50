"""Files from an upload to the tool that reads them, and a webhook with the id that the tool was given."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.whole.product import Product

pytestmark = pytest.mark.docker
SCRIPT = 'cd /usr/src/app/files; for file in *; do echo "$file: $(cat $file)"; done; echo $MAO_WEBHOOK_URL'


@pytest.fixture
def run_id(product: Product, image: str) -> int:
    """A run that waits for somebody to start it."""
    product.start()
    product.add_tool("reader", image, ["sh", "-c", SCRIPT])
    return define(product)


def define(product: Product) -> int:
    answer = product.call("POST", "/api/runs", json={"jobSpec": {"tool": "reader", "manualStart": True}})
    assert answer.status_code == 202, answer.text
    return int(answer.json()["runId"])


def upload(product: Product, run_id: int, name: str, data: bytes) -> None:
    headers = {**product.headers, "Content-Type": "application/octet-stream"}
    answer = product.call("POST", f"/api/runs/{run_id}/files/{name}", data=data, headers=headers)
    assert answer.status_code == 201, answer.text


def started(product: Product, run_id: int) -> dict[str, Any]:
    assert product.call("POST", f"/api/runs/{run_id}/start").ok
    return product.final(run_id)


def test_a_tool_reads_what_was_uploaded_and_so_does_the_run_that_repeats_it(product: Product, run_id: int) -> None:
    upload(product, run_id, "a.csv", b"one")
    upload(product, run_id, "b.csv", b"draft")
    upload(product, run_id, "b.csv", b"two")
    assert started(product, run_id)["status"] == "SUCCEEDED"
    assert product.output(run_id).splitlines()[:2] == [b"a.csv: one", b"b.csv: two"]
    again = int(product.call("POST", f"/api/runs/{run_id}/resubmit").json()["runId"])
    assert product.final(again)["status"] == "SUCCEEDED"
    assert product.output(again).splitlines()[:2] == [b"a.csv: one", b"b.csv: two"]


def test_the_id_that_a_tool_was_given_is_its_webhooks(product: Product, run_id: int) -> None:
    upload(product, run_id, "a.csv", b"one")
    assert started(product, run_id)["status"] == "SUCCEEDED"
    url = product.output(run_id).splitlines()[-1].decode()
    assert re.fullmatch(rf"{re.escape(product.url)}/api/webhooks/runs/{run_id}-[0-9a-f]{{64}}", url)
    path = url.removeprefix(product.url)
    word = {"status": "SUCCEEDED", "identificationKeys": {"build": "17"}}
    assert product.call("POST", path, json=word).json()["identificationKeys"] == {"build": "17"}
    assert product.call("GET", f"{path}/files/a.csv").content == b"one"
    assert product.call("POST", path, json={"status": "FAILED"}).status_code == 409
    assert product.call("POST", f"{path[:-1]}", json=word).status_code == 404
