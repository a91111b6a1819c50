"""Posts to hostile webhooks as the agent does; a process of its own, so that it can be watched.

Reads its work as JSON: ``urls``, and ``names``, what the name server says of names. Prints for each URL, as one line of
JSON, the words of its refusal.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any
from unittest.mock import patch

from app.errors import Invalid
from app.notification_settings import NotificationSettings
from app.repositories import addresses
from app.repositories.outgoing import Sender
from app.repositories.outgoing_sockets import SendingFailed

_ask_the_system = socket.getaddrinfo


def main() -> None:
    """Work through the cases."""
    work = json.load(sys.stdin)

    def ask(host: str, port: int, **options: Any) -> list[Any]:
        if host[0].isdigit() or host.endswith("localhost"):
            return list(_ask_the_system(host, port, **options))
        if host not in work["names"]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        family = socket.AF_INET6 if ":" in work["names"][host] else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (work["names"][host], port))]

    with patch.object(addresses.socket, "getaddrinfo", ask):
        sender = Sender(NotificationSettings().allowed)
        for url in work["urls"]:
            print(json.dumps({"post": posted(sender, url)}), flush=True)


def posted(sender: Sender, url: str) -> str:
    """Post to ``url``, also where the start would have refused it, and give what came of it."""
    given = NotificationSettings(webhooks=url, webhook_secrets="s" * 24)
    try:
        for hook in given.receivers:
            sender.post(hook, b"{}", {}, 5.0)
    except (Invalid, SendingFailed) as error:
        return f"{type(error).__name__}: {error}"
    return "sent"


if __name__ == "__main__":
    main()
