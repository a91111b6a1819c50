"""Notifications on their way out: into the log once, and to each receiver of the settings until it has them.

Nothing is sent inside a transaction. An attempt is counted before it begins, and what is due again is due then already;
an agent that is killed meanwhile leaves a delivery that is made again, with the same id, by which receivers tell
repetitions. Each receiver is served by a thread of its own, so that one which hangs holds up no other.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import groupby

from app.clock import utc_now
from app.errors import Unavailable
from app.models.notification import Channel, Delivery, DeliveryState, Notification
from app.notification_settings import NotificationSettings, Webhook
from app.repositories.deliveries import DeliveryRepository, Receiver
from app.repositories.mail import Mailer
from app.repositories.outgoing import Sender
from app.repositories.outgoing_sockets import SendingFailed
from app.services.agent_context import AgentContext
from app.services.messages import body_of, email_of, headers_of, word_for

log = logging.getLogger(__name__)
Way = Callable[[Notification], None]
_FIRST_PAUSE_SECONDS = 30.0
_LONGEST_PAUSE_SECONDS = 3600.0
_AT_ONCE = 10
"""Messages that a receiver gets one after the other before the others of the same receiver are looked at again."""


def receivers_of(settings: NotificationSettings) -> list[Receiver]:
    """Give every receiver that the settings name."""
    hooks: list[Receiver] = [(Channel.WEBHOOK, hook.target) for hook in settings.receivers]
    return hooks + [(Channel.EMAIL, address) for address in settings.mailboxes]


def pause_seconds(attempts: int, chance: float) -> float:
    """Give how long after its beginning a failed attempt is repeated; ``chance``, from 0 to 1, keeps many apart."""
    # Beyond so many doublings the longest pause is reached in any case.
    whole = min(_FIRST_PAUSE_SECONDS * 2.0 ** min(attempts - 1, 20), _LONGEST_PAUSE_SECONDS)
    return whole * (0.5 + chance / 2)


def spread(context: AgentContext) -> int:
    """Log every notification that is new, and write down to whom it is to go; give how many there were.

    The line is written before the end of the transaction: killed in between, the agent writes it again.
    """
    receivers = receivers_of(context.settings.notifications)
    with context.database.transaction() as session:
        waiting = DeliveryRepository(session).unspread()
    for notification in waiting:
        with context.database.transaction() as session:
            if DeliveryRepository(session).spread(notification.ulid, receivers):
                what = word_for(notification.kind, notification.values)
                told = (context.node, what, notification.tool or "-", notification.summary)
                log.warning("Notification from %s: %s: %s: %s", *told)
    return len(waiting)


class Courier:
    """Sends what is due, in one term of office."""

    def __init__(self, context: AgentContext) -> None:
        self._context = context
        self._settings = context.settings.notifications
        self._ways = _ways(self._settings, context.node)
        self._busy: set[Receiver] = set()
        self._lock = threading.Lock()

    def work(self) -> None:
        """Begin to send what is due to every receiver that is not being served yet."""
        with self._context.database.transaction() as session:
            due = DeliveryRepository(session).due(_AT_ONCE)
        for receiver, deliveries in groupby(sorted(due, key=_receiver), _receiver):
            with self._lock:
                if receiver in self._busy:
                    continue
                self._busy.add(receiver)
            arguments = (receiver, sorted(deliveries, key=lambda delivery: delivery.ulid))
            threading.Thread(target=self._serve, args=arguments, name="deliveries", daemon=True).start()

    def _serve(self, receiver: Receiver, deliveries: Sequence[Delivery]) -> None:
        """Send until one does not go; the next look begins with what is due then."""
        try:
            for delivery in deliveries:
                if self._context.lost.is_set() or not self._attempt(delivery, self._ways.get(receiver, _nowhere)):
                    break
        except Unavailable as error:
            log.warning("The deliveries have to wait: %s", error.message)
        except Exception:
            log.exception("A delivery failed; it comes again.")
        finally:
            with self._lock:
                self._busy.discard(receiver)

    def _attempt(self, delivery: Delivery, way: Way) -> bool:
        next_at = utc_now() + timedelta(seconds=pause_seconds(delivery.attempts + 1, random.random()))  # noqa: S311
        with self._context.database.transaction() as session:
            notification = DeliveryRepository(session).claim(delivery, next_at)
        if notification is None:
            return True
        failure = _failure(way, notification)
        if failure is not None:
            ends_at = (notification.spread_at or notification.created_at) + timedelta(
                hours=self._settings.give_up_hours
            )
            self._note_failure(delivery, failure.message, is_over=failure.is_final or next_at >= ends_at)
            return False
        with self._context.database.transaction() as session:
            DeliveryRepository(session).finish(delivery, DeliveryState.DELIVERED, None)
        return True

    def _note_failure(self, delivery: Delivery, message: str, *, is_over: bool) -> None:
        what = "is given up" if is_over else "did not go, and is tried again"
        log.warning("Notification %s to %s %s: %s", delivery.ulid, delivery.target, what, message)
        with self._context.database.transaction() as session:
            deliveries = DeliveryRepository(session)
            if is_over:
                deliveries.finish(delivery, DeliveryState.GIVEN_UP, message)
            else:
                deliveries.note_failure(delivery, message)


def _receiver(delivery: Delivery) -> Receiver:
    return Channel(delivery.channel), delivery.target


def _failure(way: Way, notification: Notification) -> SendingFailed | None:
    """Send, and give why it did not go; a fault of ours is told as well, lest it is tried for ever."""
    try:
        way(notification)
    except SendingFailed as failure:
        return failure
    except Exception:
        log.exception("Notification %s could not be sent", notification.ulid)
        return SendingFailed("It could not be sent; the agent's log says why.")
    return None


def _nowhere(_: Notification) -> None:
    raise SendingFailed("The settings do not name this receiver any more.")


def _ways(settings: NotificationSettings, node: str) -> dict[Receiver, Way]:
    ways: dict[Receiver, Way] = {}
    if settings.receivers:
        sender = Sender(settings.allowed, settings.ca_file)
        ways |= {
            (Channel.WEBHOOK, hook.target): _by_webhook(sender, hook, settings, node) for hook in settings.receivers
        }
    if settings.mailboxes:
        mailer = Mailer(settings)
        ways |= {(Channel.EMAIL, to): _by_email(mailer, to, settings, node) for to in settings.mailboxes}
    return ways


def _by_webhook(sender: Sender, hook: Webhook, settings: NotificationSettings, node: str) -> Way:
    keys = settings.keys

    def send(notification: Notification) -> None:
        body = body_of(notification, node)
        sender.post(hook, body, headers_of(notification.ulid, body, keys, utc_now()))

    return send


def _by_email(mailer: Mailer, to: str, settings: NotificationSettings, node: str) -> Way:
    def send(notification: Notification) -> None:
        mailer.send(email_of(notification, node, settings.email_from, to), to)

    return send
