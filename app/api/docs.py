"""The API's description and Swagger UI, served from here alone: a browser needs nothing from outside."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, send_from_directory
from swagger_ui_bundle import swagger_ui_path

from app.api.context import description
from app.api.security import public
from app.errors import NotFound

blueprint = Blueprint("docs", __name__, url_prefix="/api")
ASSETS = ("swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png")
POLICY = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:"
PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>MAO Orchestrator API</title>
<link rel="stylesheet" href="docs/swagger-ui.css">
<link rel="icon" type="image/png" href="docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/start.js"></script>
</body>
</html>
"""
# Without a null validator Swagger UI sends the description's address to a service on the internet.
START = """window.ui = SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  persistAuthorization: false,
  validatorUrl: null
});
"""


@blueprint.route("/openapi.json")
@public
def openapi() -> Response:
    """Give the description of this API, in OpenAPI 3."""
    return jsonify(description())


@blueprint.route("/docs")
@public
def docs() -> Response:
    """Show the description for people."""
    return Response(PAGE, mimetype="text/html", headers={"Content-Security-Policy": POLICY})


@blueprint.route("/docs/start.js")
@public
def start() -> Response:
    """Give the script that starts Swagger UI on our description."""
    return Response(START, mimetype="text/javascript")


@blueprint.route("/docs/<name>")
@public
def asset(name: str) -> Response:
    """Give one of Swagger UI's files."""
    if name not in ASSETS:
        raise NotFound(f"Swagger UI has no file '{name[:80]}'.")
    return send_from_directory(str(swagger_ui_path), name)
