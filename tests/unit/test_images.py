"""Image references, digests and refusals."""

from __future__ import annotations

import pytest

from app.executors.images import digest_of, is_image_id, refusal, short_name, split_reference, stored
from app.models.run import Cause

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("image", "repository", "tag"),
    [
        ("spike", "spike", "latest"),
        ("group/spike:2", "group/spike", "2"),
        ("host:5000/group/spike", "host:5000/group/spike", "latest"),
        ("host:5000/group/spike:2", "host:5000/group/spike", "2"),
        (f"host:5000/spike@{DIGEST}", "host:5000/spike", DIGEST),
    ],
)
def test_a_reference_is_split_into_repository_and_tag(image: str, repository: str, tag: str) -> None:
    assert split_reference(image) == (repository, tag)


def test_an_image_id_is_told_from_a_name() -> None:
    assert is_image_id(DIGEST)
    assert is_image_id("a" * 64)
    assert not is_image_id("a" * 63)
    assert not is_image_id(f"spike@{DIGEST}")


def test_the_digest_is_the_one_of_the_images_own_repository() -> None:
    shown = {"Id": "sha256:id", "RepoDigests": ["other/spike@sha256:1", "group/spike@sha256:2"]}
    assert digest_of(shown, "group/spike:latest") == "sha256:2"
    assert digest_of(shown, "third/spike") == "sha256:1"


def test_an_image_that_no_registry_knows_goes_by_its_id() -> None:
    assert digest_of({"Id": "sha256:id", "RepoDigests": None}, "spike") == "sha256:id"
    assert digest_of({"Id": "sha256:id", "RepoDigests": ["<none>@<none>"]}, "spike") == "sha256:id"


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("pull access denied for x, repository does not exist or may require 'docker login'", "refuses"),
        ("Head https://r/v2/x: unauthorized: authentication required", "refuses"),
        ("manifest for x:1 not found: manifest unknown: manifest unknown", "no such image"),
        ("Get https://r/v2/: dial tcp: lookup r on 1.2.3.4:53: no such host", "cannot be reached"),
        ("Get https://r/v2/: net/http: TLS handshake timeout", "cannot be reached"),
    ],
)
def test_a_refusal_is_one_sentence_about_the_cause(said: str, words: str) -> None:
    error = refusal("group/x:1", said)
    assert error.cause == Cause.IMAGE_MISSING
    assert "group/x:1" in error.message
    assert words in error.message


def test_a_full_disk_is_no_fault_of_the_image() -> None:
    error = refusal("group/x:1", "write /var/lib/x: no space left on device")
    assert (error.cause, "group/x:1" in error.message) == (Cause.BACKEND_ERROR, True)
    assert "disk is full" in error.message


@pytest.mark.parametrize(
    ("image", "short"),
    [
        ("spike", "spike:latest"),
        ("docker.io/library/spike:1", "spike:1"),
        ("index.docker.io/group/spike", "group/spike:latest"),
        ("localhost/spike", "localhost/spike:latest"),
        (f"docker.io/spike:1@{DIGEST}", f"spike@{DIGEST}"),
    ],
)
def test_two_spellings_of_one_image_are_one_name(image: str, short: str) -> None:
    assert short_name(image) == short_name(short) == short


def test_images_are_read_with_their_names_and_whether_a_container_uses_them() -> None:
    listed = [
        {"Id": "sha256:1", "RepoTags": ["spike:1", "docker.io/library/other:2"], "RepoDigests": None, "Size": 5},
        {"Id": "sha256:2", "RepoTags": ["<none>:<none>"], "RepoDigests": [f"spike@{DIGEST}"], "Size": 6},
    ]
    first, second = stored(listed, [{"ImageID": "sha256:2"}])
    assert (first.names, first.size_bytes, first.is_used) == ({"spike:1", "other:2"}, 5, False)
    assert (second.names, second.size_bytes, second.is_used) == ({f"spike@{DIGEST}"}, 6, True)
