"""The body of a request as a server hands it over: whatever breaks while it is read is the client's connection."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class WatchedInput:
    """Passes reads on, and turns every error of the server's own into one that werkzeug takes for a lost client."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int = -1) -> bytes:
        """Give at most so many bytes.

        Raises:
            OSError: the rest did not come, or not in the form that was announced.
        """
        try:
            return bytes(self._source.read(size))
        except Exception as error:
            # gunicorn has a class of its own for each thing that can be wrong with a chunk, below no common parent.
            raise OSError("The body broke off.") from error


class WatchInputs:
    """Puts a ``WatchedInput`` into every request, before Flask sees it."""

    def __init__(self, app: Any) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve one request."""
        environ["wsgi.input"] = WatchedInput(environ["wsgi.input"])
        served: Iterable[bytes] = self._app(environ, start_response)
        return served
