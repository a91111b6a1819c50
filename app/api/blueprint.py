"""The blueprint that every resource uses: flask-smorest's, strict in reading requests, and with types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import flask_smorest

from app.api.bodies import Parser

View = TypeVar("View", bound=Callable[..., Any])


class Decorator(Protocol):
    """Takes a view and gives it back, with something declared about it."""

    def __call__(self, view: View, /) -> View:
        """Declare it."""


class Blueprint(flask_smorest.Blueprint):  # type: ignore[misc]
    """Declares, for each view, its address, what it takes and what it answers."""

    ARGUMENTS_PARSER = Parser()

    def route(self, rule: str, **options: Any) -> Decorator:
        """Give a view its address; ``methods`` is GET unless given."""
        return cast(Decorator, super().route(rule, **options))

    def arguments(self, schema: Any, *, location: str = "json", **options: Any) -> Decorator:
        """Declare what a view takes from the body or from the query."""
        declare = super().arguments(schema, location=location, **options)

        def decorator(view: View) -> View:
            declared: View = declare(view)
            if location == "query":
                declared.takes_query = True  # type: ignore[attr-defined]
            return declared

        return decorator

    def response(self, status_code: int, schema: Any = None, **options: Any) -> Decorator:
        """Declare the answer of a view, and put what it returns into that form."""
        return cast(Decorator, super().response(status_code, schema, **options))

    def alt_response(self, status_code: int, response: str | None = None, **options: Any) -> Decorator:
        """Describe another answer that the view may give."""
        return cast(Decorator, super().alt_response(status_code, response, **options))

    @staticmethod
    def doc(**description: Any) -> Decorator:
        """Add to the description of a view."""
        return cast(Decorator, flask_smorest.Blueprint.doc(**description))
