"""How the docker backend comes by an image, and what it says when it cannot."""

from __future__ import annotations

import http.server
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from app.errors import BackendFailed, Invalid, StorageFull
from app.executors.base import Executor, RunRequest
from app.executors.docker import DockerExecutor
from app.models.run import Cause
from app.settings import Docker
from tests.integration import images
from tests.integration.executors.conformance import PATIENCE_SECONDS
from tests.integration.executors.docker_tests import DockerTests
from tests.integration.serving import serve

pytestmark = pytest.mark.docker


class Registry:
    """An HTTP server in place of a registry: gives one answer to everything and counts the questions."""

    def __init__(self) -> None:
        self.answer = (500, "")
        self.asked = 0
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                registry.asked += 1
                status, body = registry.answer if "/manifests/" in self.path else (200, "{}")
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.image = f"127.0.0.1:{self.server.server_port}/group/tool:1"


@pytest.fixture
def registry() -> Iterator[Registry]:
    made = Registry()
    end = serve(made.server)
    yield made
    end()


class TestImages(DockerTests):
    def test_the_image_is_pinned(self, executor: Executor, engine: Any) -> None:
        prepared = executor.prepare(self.request_for())
        assert prepared.image_id == engine.inspect_image(images.BUSYBOX)["Id"]
        assert prepared.image_digest == prepared.image_id

    def test_a_tag_that_moves_between_prepare_and_create_changes_nothing(self, executor: Executor, engine: Any) -> None:
        moving = "mao-test/moving:1"
        images.build(moving, changes=['CMD ["echo", "old"]'], is_forced=True)
        prepared = executor.prepare(self.request_for(image=moving, command=()))
        images.build(moving, changes=['CMD ["echo", "new"]'], is_forced=True)
        handle = self.begun_as_prepared(executor, prepared)
        assert b"".join(executor.output(handle, 0)) == b"old\n"
        executor.remove(handle)
        engine.remove_image(prepared.image_id)
        engine.remove_image(moving)

    def test_an_image_that_was_removed_after_prepare_is_missing(self, executor: Executor, engine: Any) -> None:
        image = images.build("mao-test/short-lived:1", changes=["ENV LIVES=short"])
        prepared = executor.prepare(self.request_for(image=image))
        engine.remove_image(image)
        self.refused(lambda: executor.create(prepared), "removed")

    def test_the_policy_never_fetches_nothing(self, make_executor: Callable[..., Executor], registry: Registry) -> None:
        never = make_executor(pull_policy="never")
        self.refused(lambda: never.prepare(self.request_for(image=registry.image)), "does not have it")
        assert registry.asked == 0

    def test_the_policy_missing_asks_no_registry_for_what_is_here(
        self, make_executor: Callable[..., Executor], registry: Registry, engine: Any
    ) -> None:
        engine.tag(images.BUSYBOX, registry.image.rpartition(":")[0], "1")
        try:
            make_executor().prepare(self.request_for(image=registry.image))
            assert registry.asked == 0
            with pytest.raises(BackendFailed):
                make_executor(pull_policy="always").prepare(self.request_for(image=registry.image))
            assert registry.asked > 0
        finally:
            engine.remove_image(registry.image)

    def test_without_room_nothing_is_fetched_and_what_is_here_is_used(
        self, make_executor: Callable[..., Executor], registry: Registry
    ) -> None:
        executor = make_executor(pull_policy="missing")
        with pytest.raises(StorageFull, match="no room"):
            executor.prepare(self.request_for(image=registry.image, may_fetch=False))
        assert executor.prepare(self.request_for(may_fetch=False)).image_id
        assert registry.asked == 0

    def test_an_unknown_policy_is_an_error_at_once(self) -> None:
        with pytest.raises(Invalid, match="sometimes"):
            DockerExecutor(Docker(pull_policy="sometimes"))

    @pytest.mark.parametrize(
        ("status", "body", "words"),
        [
            (401, '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}', "refuses"),
            (403, '{"errors":[{"code":"DENIED","message":"requested access is denied"}]}', "refuses"),
            (404, '{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}', "no such image"),
            (500, "", "could not fetch it"),
        ],
    )
    def test_a_registry_that_refuses(
        self, executor: Executor, registry: Registry, status: int, body: str, words: str
    ) -> None:
        registry.answer = (status, body)
        self.refused(lambda: executor.prepare(self.request_for(image=registry.image)), words)
        assert registry.asked > 0

    def test_a_registry_that_is_not_there(self, executor: Executor) -> None:
        with closing(socket.create_server(("127.0.0.1", 0))) as listener:
            port = listener.getsockname()[1]
        self.refused(lambda: executor.prepare(self.request_for(image=f"127.0.0.1:{port}/a/b:1")), "cannot be reached")

    def test_a_registry_that_never_answers_is_given_up_at_the_deadline(
        self, make_executor: Callable[..., Executor]
    ) -> None:
        with closing(socket.create_server(("127.0.0.1", 0), backlog=64)) as silent:
            image = f"127.0.0.1:{silent.getsockname()[1]}/a/b:1"
            impatient = make_executor(pull_deadline_seconds=1)
            self.refused(lambda: impatient.prepare(self.request_for(image=image)), "within 1 seconds")

    @pytest.mark.parametrize("image", ["UPPER case", "sha256:" + "0" * 64, "a/b@sha256:123", "http://a/b", ""])
    def test_what_is_no_image_is_missing(self, executor: Executor, image: str) -> None:
        self.refused(lambda: executor.prepare(self.request_for(image=image)), "cannot be used")

    def begun_as_prepared(self, executor: Executor, prepared: RunRequest) -> str:
        handle = executor.create(prepared)
        executor.start(handle)
        executor.wait(handle, PATIENCE_SECONDS)
        return handle

    def refused(self, asked: Callable[[], object], words: str) -> None:
        with pytest.raises(BackendFailed) as caught:
            asked()
        assert caught.value.cause == Cause.IMAGE_MISSING
        assert words in caught.value.message
