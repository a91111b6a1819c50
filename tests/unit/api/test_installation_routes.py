"""The routes of definition tools: what is asked of the services, and what is shown of their answers."""

from __future__ import annotations

from types import SimpleNamespace

from flask.testing import FlaskClient


def test_an_installation_is_asked_for_with_and_without_a_body(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/tools/visitors/installation")
    assert (answer.status_code, answer.headers["Location"]) == (202, "/api/tools/visitors/installation")
    assert answer.get_json()["isUsable"] is True
    owner.post("/api/tools/visitors/installation", json={"branch": "main", "commit": "ab"})
    assert services.installations.calls == [
        ("request", ("visitors",), {"branch": "", "commit": ""}),
        ("request", ("visitors",), {"branch": "main", "commit": "ab"}),
    ]


def test_a_dry_run_asks_for_nothing_and_shows_the_steps(owner: FlaskClient, services: SimpleNamespace) -> None:
    answer = owner.post("/api/tools/visitors/installation", json={"dryRun": True})
    assert (answer.status_code, answer.get_json()["steps"]) == (200, ["Fetch it."])
    assert [call[0] for call in services.installations.calls] == ["check"]


def test_installations_are_listed_and_shown(owner: FlaskClient) -> None:
    (listed,) = owner.get("/api/installations").get_json()["items"]
    shown = owner.get("/api/tools/visitors/installation").get_json()
    assert listed == {key: value for key, value in shown.items() if key not in ("definition", "log", "steps")}
    assert (shown["name"], shown["state"], shown["how"]) == ("visitors", "READY", "process")


def test_help_has_the_usage_of_each_command(owner: FlaskClient) -> None:
    shown = owner.get("/api/tools/visitors/help").get_json()
    assert [command["usage"] for command in shown["commands"]] == ["count YEAR"]
    assert shown["commands"][0]["arguments"] == [{"name": "year", "description": ""}]


def test_a_definition_is_looked_for_at_an_address(owner: FlaskClient, services: SimpleNamespace) -> None:
    shown = owner.get("/api/definitions?url=https://x/y.git").get_json()
    assert (shown["commit"], shown["definition"]["name"]) == ("1f", "visitors")
    assert services.installations.calls == [("definition", ("https://x/y.git", ""), {})]
    assert owner.get("/api/definitions").status_code == 422


def test_a_removal_is_asked_for(owner: FlaskClient, services: SimpleNamespace) -> None:
    assert owner.delete("/api/tools/visitors/installation").status_code == 202
    assert services.installations.calls == [("request_removal", ("visitors",), {})]
