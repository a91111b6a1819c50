"""A run is repeated exactly, whatever has moved since: its tag, its data set; and what was tampered with is named."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.git_server import Origin
from tests.integration.images import build
from tests.integration.whole.product import Product

pytestmark = pytest.mark.docker
REPLAYS = int(os.environ.get("MAO_TEST_REPLAYS", "12"))
MOVING = "mao-test/moving:latest"
COLLECT = """#!/bin/sh
# All that the tool is told, and all that it finds, goes into what it writes.
set -e
exec 3> "seen-$MAO_RUN_ID.txt"
echo "version {version}: $@" >&3
echo "$MAO_RUN_ID $MAO_TOOL $MAO_NODE $MAO_OPERATOR $MAO_DATE $SEASON" >&3
for file in $(ls | grep -v "seen-$MAO_RUN_ID.txt"); do md5sum "$file" >&3; done
echo "id,value" > table.csv
for row in 1 2 3 4 5; do echo "$row,$MAO_RUN_ID$row" >> table.csv; done
"""


def moved(version: int) -> str:
    """Let the tag name another image."""
    script = COLLECT.format(version=version).encode()
    changes = ["WORKDIR /usr/src/app/data", 'ENTRYPOINT ["/collect.sh"]']
    return build(MOVING, files={"collect.sh": script}, changes=changes, is_forced=True)


@pytest.fixture
def origin(product: Product) -> Origin:
    made = Origin(product.folder / "remote/data.git")
    made.push({"first.csv": "id\n1\n"})
    return made


def verified(product: Product, run_id: int) -> dict[str, Any]:
    def answered() -> dict[str, Any] | None:
        answer = product.call("GET", f"/api/runs/{run_id}/verification")
        assert answer.status_code in (200, 202), answer.text
        return answer.json() if answer.status_code == 200 else None

    return product.until(answered, f"run {run_id} is verified")


def test_replays_make_the_same_bytes_though_tag_and_data_have_moved(product: Product, origin: Origin) -> None:
    product.start_api()
    agent = product.start_agent()
    product.add_tool("collect", moved(1), ["--all"], data_repo=f"file://{origin.bare}", env={"SEASON": "autumn"})
    firsts = []
    for number in range(3):
        run = product.final(product.submit("collect"))
        assert run["status"] == "SUCCEEDED", run
        firsts.append(run)
        moved(2 + number)
        subprocess.run(["git", "pull", "-q", "--rebase"], cwd=origin.desk, check=False)
        origin.push({f"pushed-{number}.csv": f"{number}\n"})
    # A commit here and others there: the clone keeps its own, and every later run begins with other data.
    assert len({run["imageDigest"] for run in firsts}) == 3
    repeated = []
    for number in range(REPLAYS):
        first = firsts[number % len(firsts)]
        answer = product.call("POST", f"/api/runs/{first['id']}/replay", json={})
        assert answer.status_code == 202, answer.text
        repeated.append((first, answer.json()["runId"]))
    # Replays are runs like others: the next agent goes on with them where this one is killed.
    product.final(repeated[1][1])
    agent.kill()
    agent.wait()
    product.start_agent()
    for first, replay_id in repeated:
        replay = product.final(replay_id)
        assert (replay["status"], replay["imageDigest"], replay["replayOf"]) == (
            "SUCCEEDED",
            first["imageDigest"],
            first["id"],
        ), replay
        assert (replay["outputCommit"], replay["inputCommit"]) == (None, first["inputCommit"])
        answer = product.call("GET", f"/api/runs/{first['id']}/verification?replay={replay_id}").json()
        assert (answer["replayed"], answer["replayId"], answer["written"]) == ([], replay_id, 2), answer
    importdir = product.settings.working_environment.importdir
    assert list((importdir / ".replays").iterdir()) == []
    assert not list((importdir / ".git-dirs").glob(".replay-*"))


def test_a_file_that_was_tampered_with_is_named_with_who_did_it(product: Product, origin: Origin) -> None:
    product.start_api()
    product.start_agent()
    entry = {"name": "collected", "url": f"file://{origin.bare}", "key": ["id"]}
    assert product.call("POST", "/api/datasets", json=entry).status_code == 201
    product.add_tool("collect", moved(1), [], data_repo="collected")
    run = product.final(product.submit("collect"))
    data = product.settings.working_environment.importdir / "collected"
    seen = f"seen-{run['id']}.txt"
    assert verified(product, run["id"])["isIdentical"] is True

    (data / seen).write_text("another truth\n")
    table = (data / "table.csv").read_text().replace(f"3,{run['id']}3", "3,30")
    (data / "table.csv").write_text(table)
    after = product.until(lambda: _unless_identical(verified(product, run["id"])), "the changes are seen")
    assert [(change["path"], change["isUncommitted"]) for change in after["changed"]] == [
        (seen, True),
        ("table.csv", True),
    ]
    [row] = next(file for file in after["changedRows"] if file["newPath"] == "table.csv")["differences"]
    assert (row["status"], row["key"]) == ("changed", ["3"])
    assert row["cells"] == [{"column": "value", "old": f"{run['id']}3", "new": "30"}]

    _commit(data, "nobody knows why")
    (data / "table.csv").unlink()
    later = product.until(lambda: _unless_open(verified(product, run["id"]), 1), "the commit is seen")
    assert {change["path"]: (change["isMissing"], change["isUncommitted"]) for change in later["changed"]} == {
        seen: (False, False),
        "table.csv": (True, True),
    }
    by = next(change for change in later["changed"] if change["path"] == seen)
    assert (len(by["commit"]), by["run"]) == (40, "")
    assert seen in later["summary"]


def test_a_tool_that_does_not_repeat_itself_is_found_out(product: Product, origin: Origin) -> None:
    product.start_api()
    product.start_agent()
    fickle = ["/bin/sh", "-c", "cd /usr/src/app/data; cat /proc/sys/kernel/random/uuid > luck.txt; echo 1 > same.txt"]
    image = build("mao-test/busybox:1", changes=['CMD ["/bin/sh"]'])
    product.add_tool("fickle", image, fickle, data_repo=f"file://{origin.bare}")
    run = product.final(product.submit("fickle"))
    assert product.call("POST", f"/api/runs/{run['id']}/verification", json={}).status_code == 405
    replay_id = product.call("POST", f"/api/runs/{run['id']}/replay", json={}).json()["runId"]
    assert product.final(replay_id)["status"] == "SUCCEEDED"
    answer = verified(product, replay_id)
    assert (answer["runId"], answer["replayId"], answer["isIdentical"]) == (run["id"], replay_id, False)
    assert answer["replayed"] == [{"path": "luck.txt", "change": "changed"}]
    again = product.call("POST", f"/api/runs/{replay_id}/replay", json={})
    assert (again.status_code, str(run["id"]) in again.json()["hint"]) == (409, True)


def _unless_identical(answer: dict[str, Any]) -> dict[str, Any] | None:
    return None if answer["isIdentical"] else answer


def _unless_open(answer: dict[str, Any], count: int) -> dict[str, Any] | None:
    return answer if sum(change["isUncommitted"] for change in answer["changed"]) == count else None


def _commit(folder: Path, message: str) -> None:
    by = ["-c", "user.name=Somebody", "-c", "user.email=s@example.org", "-c", "safe.directory=*"]
    subprocess.run(["git", *by, "commit", "-qam", message], cwd=folder, check=True)
