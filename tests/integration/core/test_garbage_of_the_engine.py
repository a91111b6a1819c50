"""Containers and images go when nobody needs them, and what somebody else made is never touched."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.executors.base import Limits, RunRequest
from app.executors.docker import DockerExecutor
from app.models.run import RunStatus
from app.models.tool import Tool
from app.repositories.images import ImageRepository
from app.services.garbage import Premises
from app.settings import Docker, Settings
from tests.integration import images
from tests.integration.core.conftest import add_run
from tests.integration.core.premises import collected_from, execute, found_in, premises_of
from tests.integration.image_registry import ImageRegistry, serving

pytestmark = pytest.mark.docker


@pytest.fixture
def executor(docker_socket: str) -> DockerExecutor:
    images.busybox_image()
    return DockerExecutor(Docker(socket=docker_socket))


@pytest.fixture
def premises(settings: Settings, executor: DockerExecutor) -> Iterator[Premises]:
    made = premises_of(settings, {"docker": executor})
    yield made
    made.database.close()


@pytest.fixture
def engine(docker_socket: str) -> Iterator[Any]:
    client = images.client(docker_socket)
    yield client
    client.close()


@pytest.fixture
def registry(engine: Any) -> Iterator[ImageRegistry]:
    with serving() as registry:
        yield registry
        if _has(engine, registry.image):
            engine.remove_image(registry.image, force=True)


def _has(engine: Any, image: str) -> bool:
    return bool(engine.images(name=image))


def _request(premises: Premises, run_id: int, attempt: int = 1, image: str = images.BUSYBOX) -> RunRequest:
    return RunRequest(
        run_id=run_id,
        attempt=attempt,
        node=premises.settings.node,
        installation=premises.installation,
        tool="t",
        image=image,
        command=("true",),
        network="none",
        limits=Limits(64, 1.0, 16, 60),
    )


def _fetched(premises: Premises, image: str, days: int = 40) -> str:
    """Let the agent fetch an image, use it for the last time so many days ago, and give its id."""
    prepared = premises.executors["docker"].prepare(_request(premises, 1, image=image))
    assert prepared.image_id
    with premises.database.transaction() as session:
        ImageRepository(session).note_use(prepared.image_id, image, is_fetched=prepared.is_image_new)
    execute(premises.database, "update images set last_used_at = now() - make_interval(days => :days)", days=days)
    return prepared.image_id


def test_an_image_is_new_when_our_pull_brought_it_and_only_then(
    executor: DockerExecutor, premises: Premises, registry: ImageRegistry, engine: Any
) -> None:
    request = _request(premises, 1, image=registry.image)
    assert executor.prepare(request).is_image_new
    assert not executor.prepare(request).is_image_new
    always = DockerExecutor(replace(premises.settings.docker, pull_policy="always"))
    assert not always.prepare(request).is_image_new
    engine.remove_image(registry.image)
    engine.pull(registry.image)
    assert not executor.prepare(request).is_image_new


def test_an_image_that_the_agent_fetched_goes_when_nothing_has_used_it_for_long(
    premises: Premises, registry: ImageRegistry, engine: Any
) -> None:
    _fetched(premises, registry.image)
    (found,) = found_in(premises).items
    assert (found.kind, found.name) == ("image", registry.image)
    assert found.size_bytes >= 1000
    assert _has(engine, registry.image)
    assert collected_from(premises).items == [found]
    assert not _has(engine, registry.image)
    assert found_in(premises).items == []


def test_an_image_that_was_here_before_is_never_removed(
    premises: Premises, registry: ImageRegistry, engine: Any
) -> None:
    engine.pull(registry.image)
    _fetched(premises, registry.image, days=4000)
    assert collected_from(premises).items == []
    assert _has(engine, registry.image)


def test_an_image_that_was_used_lately_stays(premises: Premises, registry: ImageRegistry, engine: Any) -> None:
    _fetched(premises, registry.image, days=29)
    assert collected_from(premises).items == []
    assert _has(engine, registry.image)


def test_with_0_days_images_stay_for_ever(premises: Premises, registry: ImageRegistry, engine: Any) -> None:
    _fetched(premises, registry.image, days=4000)
    retention = replace(premises.settings.retention, image_days=0)
    for_ever = replace(premises, settings=replace(premises.settings, retention=retention))
    assert collected_from(for_ever).items == []
    assert _has(engine, registry.image)


def test_an_image_that_any_container_uses_stays_and_counts_as_used(
    premises: Premises, registry: ImageRegistry, engine: Any
) -> None:
    _fetched(premises, registry.image)
    container = engine.create_container(registry.image)["Id"]
    try:
        assert found_in(premises).items == []
        assert collected_from(premises).items == []
    finally:
        engine.remove_container(container)
    assert found_in(premises).items == []


def test_an_image_that_a_registered_tool_names_stays(premises: Premises, registry: ImageRegistry, engine: Any) -> None:
    _fetched(premises, registry.image)
    revision = premises.registry.add_tool(Tool("keeper", "olga", registry.image, "", "", ""))
    assert collected_from(premises).items == []
    premises.registry.remove_tool("keeper", revision)
    assert [item.name for item in collected_from(premises).items] == [registry.image]


def test_an_image_that_an_unfinished_run_names_stays(premises: Premises, registry: ImageRegistry, engine: Any) -> None:
    _fetched(premises, registry.image)
    entry = Tool("t", "olga", registry.image, "", "", "").to_dict()
    run_id = add_run(premises.database, tool_entry=entry).id
    assert collected_from(premises).items == []
    execute(premises.database, "update runs set status = 'FAILED', ended_at = now() where id = :id", id=run_id)
    assert [item.name for item in collected_from(premises).items] == [registry.image]


def test_an_image_that_somebody_gave_a_name_of_his_own_stays(
    premises: Premises, registry: ImageRegistry, engine: Any
) -> None:
    _fetched(premises, registry.image)
    name = f"mao-test-mine-{secrets.token_hex(4)}:1"
    repository, _, tag = name.partition(":")
    engine.tag(registry.image, repository, tag)
    try:
        assert collected_from(premises).items == []
    finally:
        engine.remove_image(name)
    assert len(collected_from(premises).items) == 1


def test_an_image_that_somebody_removed_and_fetched_again_is_his(
    premises: Premises, registry: ImageRegistry, engine: Any
) -> None:
    _fetched(premises, registry.image)
    engine.remove_image(registry.image)
    assert collected_from(premises).items == []
    engine.pull(registry.image)
    assert collected_from(premises).items == []
    assert _has(engine, registry.image)


def test_an_image_that_a_run_begins_to_use_meanwhile_stays(
    premises: Premises, registry: ImageRegistry, engine: Any
) -> None:
    image_id = _fetched(premises, registry.image)
    (found,) = found_in(premises).items
    with premises.database.transaction() as session:
        ImageRepository(session).note_use(image_id, registry.image, is_fetched=False)
    assert found.remove() is False
    assert _has(engine, registry.image)


def test_containers_of_runs_that_are_over_go_and_all_others_stay(premises: Premises, engine: Any) -> None:
    executor = premises.executors["docker"]
    over, live = add_run(premises.database).id, add_run(premises.database).id
    execute(
        premises.database, "update runs set status = 'FAILED', attempt = 1, ended_at = now() where id = :id", id=over
    )
    execute(
        premises.database,
        "update runs set status = :status, attempt = 2 where id = :id",
        status=RunStatus.RUNNING,
        id=live,
    )
    garbage = [executor.create(_request(premises, over)), executor.create(_request(premises, live, 1))]
    kept = [
        executor.create(_request(premises, live, 2)),
        # Of a run that nobody knows, made a moment ago: perhaps by a run whose row is not seen yet.
        executor.create(_request(premises, 10**6)),
        executor.create(replace(_request(premises, over, 7), installation="another-one")),
        engine.create_container(images.BUSYBOX, name=f"mao-{premises.settings.node}-{over}-8")["Id"],
        engine.create_container(
            images.BUSYBOX,
            name=f"somebody-{secrets.token_hex(4)}",
            labels={
                "mao.installation": premises.installation,
                "mao.node": premises.settings.node,
                "mao.run": str(over),
                "mao.attempt": "1",
            },
        )["Id"],
        engine.create_container(
            images.BUSYBOX,
            name=f"mao-{premises.settings.node}-x-y",
            labels={
                "mao.installation": premises.installation,
                "mao.node": premises.settings.node,
                "mao.run": "x",
                "mao.attempt": "y",
            },
        )["Id"],
    ]
    try:
        names = {f"mao-{premises.settings.node}-{over}-1", f"mao-{premises.settings.node}-{live}-1"}
        assert {item.name for item in found_in(premises).items} == names
        assert {item.name for item in collected_from(premises).items} == names
        present = {entry["Id"] for entry in engine.containers(all=True)}
        assert (present.isdisjoint(garbage), present.issuperset(kept)) == (True, True)
    finally:
        for container in kept:
            engine.remove_container(container, force=True)
