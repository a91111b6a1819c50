"""How gunicorn serves the API. The numbers come from the section API of the settings."""

from __future__ import annotations

import gc

from app.repositories import etcd_compat
from app.settings import load

_api = load().api
_host = f"[{_api.host}]" if ":" in _api.host else _api.host

wsgi_app = "wsgi:app"
bind = f"{_host}:{_api.port}"
proc_name = "mao-api"

# The application opens no connection when it is made, so the workers can share the memory of one that is made once.
preload_app = True
worker_class = "app.machine.worker.Worker"
workers = _api.workers
threads = _api.threads
# A connection that is kept alive between two requests takes the place of one that has something to ask.
keepalive = 0
timeout = 60
graceful_timeout = 10

limit_request_line = 8190
limit_request_fields = 64
limit_request_field_size = 8190

# One control socket a user would be shared by all installations on the machine.
control_socket_disable = True
accesslog = None
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "app.log.JsonLines"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json", "stream": "ext://sys.stderr"}},
    "root": {"level": "INFO", "handlers": ["stderr"]},
    "loggers": {
        "gunicorn.error": {"level": "INFO", "handlers": [], "propagate": True, "qualname": "gunicorn.error"},
        "gunicorn.access": {"level": "INFO", "handlers": [], "propagate": False, "qualname": "gunicorn.access"},
    },
}


def when_ready(_server: object) -> None:
    """Share with the workers all that they would load alike, and keep the garbage collector from unsharing it."""
    etcd_compat.load()
    gc.collect()
    gc.freeze()
