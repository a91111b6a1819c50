"""``maoctl run show``, and runs that are looked up by commit, image and file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import a_page, a_run

PASSPORT: dict[str, Any] = {
    "runId": 12,
    "status": "SUCCEEDED",
    "replayOf": None,
    "endTime": "2026-11-22T03:00:00+00:00",
    "tool": {"name": "spike", "entry": {"image": "panosece/spike:latest", "env": ["KEY"]}},
    "image": {"name": "panosece/spike:latest", "digest": "sha256:abc", "id": None},
    "startedWith": {"command": ["/collect", "\x1b[2Jall"], "limits": {"memoryMb": 1024}},
    "input": {"isUncommitted": True},
    "quarantine": None,
    "detector": {"method": "rolling", "parameters": {"threshold_percent": 6.0}},
    "metrics": {},
    "attempts": [{"number": 1, "cause": "lost"}],
}
PAGE = """\
Passport of run 12
  status    SUCCEEDED
  end time  2026-11-22 03:00 UTC

Tool
  name         spike
  entry image  panosece/spike:latest
  entry env    KEY

Image
  name    panosece/spike:latest
  digest  sha256:abc

Started with
  command           /collect, all
  limits memory mb  1024

Data before
  is uncommitted  yes

Judged
  method                        rolling
  parameters threshold percent  6

Attempt 1, before the last one
  number  1
  cause   lost
"""


def test_show_prints_a_page_of_what_is_known(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs/12/passport", Reply(values=PASSPORT))
    assert maoctl("run", "show", "12").out == PAGE
    assert maoctl("run", "show", "12", "-o", "json").json == PASSPORT


def test_show_prints_the_crate_as_it_is(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/runs/12/passport", Reply(values={"@graph": []}))
    assert json.loads(maoctl("run", "show", "12", "--ro-crate").out) == {"@graph": []}
    assert server.paths() == ["GET /api/runs/12/passport?format=ro-crate"]


@pytest.mark.parametrize("option", ["--image", "--input-commit", "--output-commit"])
@pytest.mark.parametrize("digits", ["abcdef", "main", "sha256:12345", "abcdefg", ""])
def test_fewer_than_7_digits_are_refused_before_anything_is_asked(
    maoctl: Run, server: StubServer, option: str, digits: str
) -> None:
    refused = maoctl("run", "list", option, digits)
    assert refused.exit == Exit.USAGE
    assert f"'{digits}' for {option} is not a commit or digest" in refused.err
    assert server.requests == []


def test_an_image_may_be_named_as_its_registry_does(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/search/runs", Reply(values=a_page(a_run("SUCCEEDED"))))
    maoctl("run", "list", "--image", f"host:5000/spike@sha256:{'a' * 64}")
    assert server.bodies("POST")[0]["imageDigest"] == f"host:5000/spike@sha256:{'a' * 64}"


def test_an_origin_is_asked_for_until_the_agent_has_it(maoctl: Run, server: StubServer) -> None:
    found = {"path": "a.csv", "runId": 12, "isRecorded": True}
    server.on("GET", "/api/datasets/helm/origin", Reply(202, {"hint": "Ask again."}), Reply(values=found))
    assert maoctl("dataset", "origin", "helm", "a.csv", "-o", "json").json == found
    assert server.paths() == ["GET /api/datasets/helm/origin?path=a.csv"] * 2
