"""Tools, data sets and clones over HTTP: status, headers and what the services are asked."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

TOOL = {"name": "new", "author": "a", "image": "i", "data_repo": "", "code_repo": "", "artefact": ""}
CHANGE = {key: value for key, value in TOOL.items() if key != "name"}


def test_registering_a_tool_answers_with_the_entry_its_revision_and_its_address(owner: FlaskClient) -> None:
    answer = owner.post("/api/tools", json=TOOL)
    assert (answer.status_code, answer.headers["ETag"], answer.headers["Location"]) == (201, '"8"', "/api/tools/new")
    assert answer.get_json()["name"] == "new"


def test_a_name_that_is_taken_is_a_conflict(owner: FlaskClient) -> None:
    assert owner.post("/api/tools", json={**TOOL, "name": "spike"}).status_code == 409


def test_a_stored_key_keeps_its_name(owner: FlaskClient, services: SimpleNamespace) -> None:
    owner.post("/api/tools", json={**TOOL, "memory_mb": 64, "on_spike": "fail"})
    (_, (_, values, revision), _), *_ = services.tools.calls
    assert (values["memory_mb"], values["on_spike"], revision) == (64, "fail", None)


def test_an_entry_cannot_be_given_to_another_node(owner: FlaskClient) -> None:
    assert owner.post("/api/tools", json={**TOOL, "owner": "other"}).status_code == 422


@pytest.mark.parametrize(
    ("header", "status"),
    [(None, 428), ('"6"', 412), ('"7"', 200), ("7", 200), ("*", 412), ('W/"7"', 412), ('"x"', 412)],
)
def test_replacing_a_tool_needs_the_revision_that_was_read(owner: FlaskClient, header: str | None, status: int) -> None:
    headers = {} if header is None else {"If-Match": header}
    answer = owner.put("/api/tools/spike", json=CHANGE, headers=headers)
    assert (answer.status_code, answer.headers.get("ETag")) == (status, '"8"' if status == 200 else None)


@pytest.mark.parametrize(("header", "revision"), [({}, None), ({"If-Match": '"7"'}, 7)])
def test_removing_a_tool_takes_a_revision_or_none(
    owner: FlaskClient, services: SimpleNamespace, header: dict[str, str], revision: int | None
) -> None:
    assert owner.delete("/api/tools/spike", headers=header).status_code == 204
    assert services.tools.calls[0][1][1:] == ("spike", revision)


def test_a_list_ends_with_null_or_with_the_cursor_of_the_page_that_follows(owner: FlaskClient) -> None:
    first = owner.get("/api/tools?limit=1").get_json()
    second = owner.get(f"/api/tools?limit=1&cursor={first['next']}").get_json()
    assert [item["name"] for item in first["items"] + second["items"]] == ["spike", "zeta"]
    assert second["next"] is None


def test_a_list_asks_for_one_item_more_than_it_shows(owner: FlaskClient, services: SimpleNamespace) -> None:
    owner.get("/api/tools")
    assert services.tools.calls == [("list", (), {"after": "", "limit": 101})]


def test_a_data_set_is_registered_shown_replaced_and_removed(owner: FlaskClient) -> None:
    made = owner.post("/api/datasets", json={"name": "new", "url": "https://x/z"})
    shown = owner.get("/api/datasets/helm")
    replaced = owner.put("/api/datasets/helm", json={"url": "https://x/z"}, headers={"If-Match": shown.headers["ETag"]})
    statuses = [
        made.status_code,
        shown.status_code,
        replaced.status_code,
        owner.delete("/api/datasets/helm").status_code,
    ]
    assert statuses == [201, 200, 200, 204]
    assert made.headers["Location"] == "/api/datasets/new"


def test_a_clone_is_asked_for_and_shown(owner: FlaskClient) -> None:
    asked = owner.post("/api/datasets/helm/clone")
    assert (asked.status_code, asked.get_json()["state"]) == (202, "REQUESTED")
    shown = owner.get(asked.headers["Location"]).get_json()
    assert set(shown) == {
        "name",
        "url",
        "branch",
        "commit",
        "state",
        "progressPercent",
        "message",
        "headCommit",
        "sizeBytes",
        "path",
        "updatedTime",
    }
    assert shown["path"].endswith("/data/helm")


def test_a_clone_of_an_unknown_data_set_is_not_found(owner: FlaskClient) -> None:
    assert owner.post("/api/datasets/unknown/clone").status_code == 404


def test_a_call_without_parameters_takes_an_empty_object_and_no_field(owner: FlaskClient) -> None:
    assert owner.post("/api/datasets/helm/clone", json={}).status_code == 202
    assert owner.post("/api/datasets/helm/clone", json={"depth": 1}).status_code == 422


@pytest.mark.parametrize(("query", "is_forced"), [("", False), ("?force=true", True), ("?force=false", False)])
def test_a_removal_is_forced_only_when_it_says_so(
    owner: FlaskClient, services: SimpleNamespace, query: str, is_forced: bool
) -> None:
    answer = owner.delete(f"/api/datasets/helm/clone{query}")
    assert (answer.status_code, answer.get_json()["state"]) == (202, "REMOVING")
    assert services.clones.calls == [("request_removal", ("helm",), {"is_forced": is_forced})]


@pytest.mark.parametrize("address", ["/api/clones", "/api/notifications", "/api/jobs", "/api/datasets", "/api/runs"])
def test_every_list_has_items_and_next(owner: FlaskClient, address: str) -> None:
    page: dict[str, Any] = owner.get(f"{address}?limit=1").get_json()
    assert (set(page), len(page["items"])) == ({"items", "next"}, 1)


def test_notifications_are_read_page_by_page(owner: FlaskClient) -> None:
    first = owner.get("/api/notifications?limit=1").get_json()
    second = owner.get(f"/api/notifications?cursor={first['next']}").get_json()
    assert [item["id"] for item in first["items"] + second["items"]] == ["n/1", "n/2"]
    assert set(first["items"][0]) == {"id", "node", "kind", "tool", "runId", "incidentId", "summary", "values"}


def test_deliveries_are_read_page_by_page_and_by_state(owner: FlaskClient, services: SimpleNamespace) -> None:
    first = owner.get("/api/notifications/deliveries?limit=1&state=given_up").get_json()
    second = owner.get(f"/api/notifications/deliveries?cursor={first['next']}").get_json()
    assert [item["target"] for item in first["items"] + second["items"]] == ["h#2", "h#1"]
    assert services.notifications.calls[0] == ("deliveries", ("given_up", None, 2), {})
    item = first["items"][0]
    assert (item["state"], item["message"], item["attempts"]) == ("given_up", "h refuses the connection.", 9)
    assert {"dueTime", "finishedTime", "channel", "kind", "tool", "id"} < set(item)


@pytest.mark.parametrize("query", ["state=lost", "cursor=x", "cursor=YSBi"])
def test_a_list_of_deliveries_that_cannot_be_is_refused(owner: FlaskClient, query: str) -> None:
    assert owner.get(f"/api/notifications/deliveries?{query}").status_code == 422


def test_a_test_notification_is_sent_and_named(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/notifications/test")
    assert (answer.status_code, answer.get_json()) == (202, {"id": "01C"})
    assert services.notifications.calls == [("test", (), {})]
