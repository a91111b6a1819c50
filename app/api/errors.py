"""From an error to an HTTP answer: the one table of status codes and the one place that builds the payload."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

import flask_smorest
import marshmallow as ma
from flask import Flask, Response, current_app, request
from werkzeug.exceptions import HTTPException

from app import errors as ours
from app import log

STATUS: dict[type[ours.MaoError], HTTPStatus] = {
    ours.NotFound: HTTPStatus.NOT_FOUND,
    ours.Gone: HTTPStatus.GONE,
    ours.Conflict: HTTPStatus.CONFLICT,
    ours.StaleRevision: HTTPStatus.PRECONDITION_FAILED,
    ours.RevisionRequired: HTTPStatus.PRECONDITION_REQUIRED,
    ours.Invalid: HTTPStatus.UNPROCESSABLE_ENTITY,
    ours.Unauthenticated: HTTPStatus.UNAUTHORIZED,
    ours.TooManyRequests: HTTPStatus.TOO_MANY_REQUESTS,
    ours.Forbidden: HTTPStatus.FORBIDDEN,
    ours.StillWorking: HTTPStatus.ACCEPTED,
    ours.Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    ours.BackendFailed: HTTPStatus.BAD_GATEWAY,
}
RETRY_AFTER_SECONDS = 5


class ErrorSchema(ma.Schema):
    """The body of every answer that is not a success."""

    code = ma.fields.Integer(required=True, metadata={"description": "The HTTP status.", "example": 404})
    status = ma.fields.String(required=True, metadata={"description": "Its name.", "example": "Not Found"})
    message = ma.fields.String(
        required=True,
        metadata={
            "description": "What was asked for and what stands in the way.",
            "example": "There is no tool 'sike'.",
        },
    )
    errors = ma.fields.Dict(
        metadata={
            "description": "For each place (json, query) and field the rules that were broken.",
            "example": {"json": {"image": ["Missing data for required field."]}},
        }
    )
    hint = ma.fields.String(metadata={"description": "What cures it.", "example": "Did you mean 'spike'?"})


class Api(flask_smorest.Api):  # type: ignore[misc]
    """flask-smorest with our error payload, and with our errors beside HTTP's."""

    ERROR_SCHEMA = ErrorSchema

    def _register_error_handlers(self) -> None:
        app: Flask = self._app
        app.register_error_handler(HTTPException, self.handle_http_exception)
        app.register_error_handler(ours.MaoError, _handle_mao_error)

    def handle_http_exception(self, error: HTTPException) -> Response:
        """Answer an error of HTTP itself, of a request that breaks its schema, or of a program that failed."""
        if error.response is not None:
            return cast(Response, error.response)
        code = error.code or 500
        given: Mapping[str, Any] = getattr(error, "data", None) or {}
        fields = given.get("errors") or given.get("messages")
        message = given.get("message") or (_sentence(fields) if fields else error.description)
        hint = f"The log has the details under the request id {log.request_id.get()}." if code == 500 else None
        answer = _answer(code, error.name, str(message), fields, hint)
        answer.headers.extend([pair for pair in error.get_headers() if pair[0].lower() != "content-type"])
        return answer


def status_of(error: ours.MaoError) -> HTTPStatus:
    """Give the status that the table has for the error's class or for its nearest parent."""
    known = (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    return next(known, HTTPStatus.INTERNAL_SERVER_ERROR)


def _handle_mao_error(error: ours.MaoError) -> Response:
    status = status_of(error)
    fields = None
    if isinstance(error, ours.Invalid) and error.fields:
        fields = {"json" if request.method in ("POST", "PUT", "PATCH") else "query": error.fields}
    answer = _answer(status.value, status.phrase, _message_of(error, fields), fields, error.hint)
    if isinstance(error, ours.Unauthenticated):
        answer.headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, ours.Unavailable):
        is_at_work = isinstance(error, ours.StillWorking)
        answer.headers["Retry-After"] = "1" if is_at_work else str(RETRY_AFTER_SECONDS)
    if isinstance(error, ours.TooManyRequests):
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def _message_of(error: ours.MaoError, fields: Mapping[str, Any] | None) -> str:
    if isinstance(error, ours.Unavailable) and error.system not in error.message.lower():
        return f"{error.system}: {error.message}"
    return f"{error.message} {_sentence(fields)}" if fields else error.message


def _answer(code: int, status: str, message: str, fields: Mapping[str, Any] | None, hint: str | None) -> Response:
    payload: dict[str, Any] = {"code": code, "status": status, "message": message}
    if fields:
        payload["errors"] = fields
    if hint:
        payload["hint"] = hint
    return current_app.response_class(json.dumps(payload), code, mimetype="application/json")


def _sentence(fields: Mapping[str, Any]) -> str:
    """Put broken rules into words, for those who show the message alone."""
    return " ".join(f"{field}: {rule}" for place in fields.values() for field, rule in _rules(place, ""))


def _rules(value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, Mapping):
        places = ((f"{path}.{key}" if path else str(key), inner) for key, inner in value.items())
        return [rule for place, inner in places for rule in _rules(inner, place)]
    rules = value if isinstance(value, list) else [value]
    return [(path or "body", str(rule)) for rule in rules]
