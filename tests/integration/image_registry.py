"""A registry of images over HTTP, with one image in it that no other test knows."""

from __future__ import annotations

import gzip
import hashlib
import http.server
import io
import json
import os
import platform
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.integration.serving import serve

_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_CONFIG = "application/vnd.docker.container.image.v1+json"
_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class ImageRegistry:
    """Answers what an engine asks for when it pulls ``image``."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._manifest = self._made_manifest()
        registry = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body, digest = registry.answer(self.path)
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Docker-Content-Digest", digest)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(body)

            do_HEAD = do_GET

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.image = f"127.0.0.1:{self.server.server_port}/group/tool:1"

    def answer(self, path: str) -> tuple[str, bytes, str]:
        """Give the kind, the body and the digest of what is asked for; an empty kind where there is no such thing."""
        if path == "/v2/":
            return "application/json", b"{}", ""
        if "/manifests/" in path:
            return _MANIFEST, self._manifest, _digest(self._manifest)
        digest = path.rpartition("/")[2]
        return ("application/octet-stream" if digest in self._blobs else ""), self._blobs.get(digest, b""), digest

    def _made_manifest(self) -> bytes:
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            content = os.urandom(1000)
            entry = tarfile.TarInfo("content")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        config = {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Cmd": ["/content"]},
            "rootfs": {"type": "layers", "diff_ids": [_digest(archive.getvalue())]},
        }
        layer = self._put(_LAYER, gzip.compress(archive.getvalue()))
        manifest = {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": self._put(_CONFIG, json.dumps(config).encode()),
            "layers": [layer],
        }
        return json.dumps(manifest).encode()

    def _put(self, kind: str, data: bytes) -> dict[str, Any]:
        self._blobs[_digest(data)] = data
        return {"mediaType": kind, "size": len(data), "digest": _digest(data)}


@contextmanager
def serving() -> Iterator[ImageRegistry]:
    """Serve an image of its own for the length of the block."""
    registry = ImageRegistry()
    end = serve(registry.server)
    try:
        yield registry
    finally:
        end()
