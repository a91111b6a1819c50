"""Image references, digests, and what it means when an image cannot be had: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from app.errors import BackendFailed
from app.executors.base import StoredImage
from app.models.run import Cause

_IMAGE_ID = re.compile(r"(sha256:)?[0-9a-f]{64}")
_FULL = ("no space left on device", "disk quota exceeded")
_REFUSED = ("unauthorized", "denied", "no basic auth credentials", "authentication required", "forbidden")
_ABSENT = ("manifest unknown", "not found", "does not exist", "invalid reference format")
_NOT_REACHED = (
    "no such host",
    "connection refused",
    "connection reset",
    "timeout",
    "deadline exceeded",
    "unreachable",
    "no route to host",
    "server misbehaving",
    "eof",
)
_LONGEST_QUOTE = 300
_NONE = "<none>"


def split_reference(image: str) -> tuple[str, str]:
    """Split ``image`` into repository and tag or digest; the tag is "latest" where none is given.

    Without a tag the engine would fetch all that the repository has.
    """
    repository, at, digest = image.partition("@")
    if at:
        return repository, digest
    repository, colon, tag = image.rpartition(":")
    # A colon before a slash separates a host from its port.
    return (repository, tag) if colon and "/" not in tag else (image, "latest")


def is_image_id(image: str) -> bool:
    """Tell whether ``image`` names an image by its content, which no registry can be asked for."""
    return _IMAGE_ID.fullmatch(image) is not None


def digest_of(inspected: Mapping[str, Any], image: str) -> str:
    """Give the digest under which a registry knows the image, or the image's own id where none ever gave it one."""
    repository = split_reference(image)[0]
    known = [entry.partition("@") for entry in inspected.get("RepoDigests") or []]
    for _, _, digest in sorted(known, key=lambda entry: entry[0] != repository):
        if digest.startswith("sha256:"):
            return str(digest)
    return str(inspected["Id"])


def short_name(image: str) -> str:
    """Give a reference as short as it can be written, so that two spellings of one image are the same text."""
    for prefix in ("docker.io/", "index.docker.io/", "library/"):
        image = image.removeprefix(prefix)
    repository, version = split_reference(image)
    is_digest = ":" in version
    return f"{split_reference(repository)[0]}@{version}" if is_digest else f"{repository}:{version}"


def stored(listed: Iterable[Mapping[str, Any]], containers: Iterable[Mapping[str, Any]]) -> list[StoredImage]:
    """Read the engine's lists of images and of containers."""
    used = {entry["ImageID"] for entry in containers}
    return [
        StoredImage(
            image_id=entry["Id"],
            names=frozenset(
                short_name(name)
                for name in [*(entry.get("RepoTags") or []), *(entry.get("RepoDigests") or [])]
                if _NONE not in name
            ),
            size_bytes=entry["Size"],
            is_used=entry["Id"] in used,
        )
        for entry in listed
    ]


def missing(image: str, why: str, hint: str | None = None) -> BackendFailed:
    """Make the error of a run whose image cannot be had."""
    return BackendFailed(f"The image '{image}' cannot be used: {why}", cause=Cause.IMAGE_MISSING, hint=hint)


def not_here(image: str) -> BackendFailed:
    """Make the error of an image that this node does not have and does not fetch."""
    return missing(image, "this node does not have it and does not fetch it.", "Fetch or build it on this node.")


def refusal(image: str, said: str) -> BackendFailed:
    """Say in one sentence why the engine could not fetch ``image``, from what it ``said``."""
    lower = said.lower()
    if any(words in lower for words in _FULL):
        return BackendFailed(
            f"The image '{image}' could not be fetched: the container engine's disk is full.",
            hint="Free some space; `mao gc --dry-run` shows what nobody needs.",
        )
    if any(words in lower for words in _REFUSED):
        return missing(
            image,
            "its registry refuses it; it is not there, or needs a login.",
            "Check the name, or log the agent's user in to the registry with 'docker login'.",
        )
    if any(words in lower for words in _ABSENT):
        return missing(image, "there is no such image in its registry.", "Check the name and the tag.")
    if any(words in lower for words in _NOT_REACHED):
        return missing(
            image, "its registry cannot be reached.", "Check the registry's address and this node's network."
        )
    return missing(image, f"the container engine could not fetch it: {said[:_LONGEST_QUOTE]}")


def too_slow(image: str, seconds: int) -> BackendFailed:
    """Make the error of an image that did not arrive in time."""
    return missing(
        image,
        f"it was not fetched within {seconds} seconds.",
        "Check this node's network, fetch it by hand, or raise pull_deadline_seconds in the section DOCKER.",
    )
