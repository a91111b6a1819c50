"""Settings of notifications: what could not work is refused at the start, and no secret is shown."""

from __future__ import annotations

import base64
from ipaddress import ip_network
from pathlib import Path

import pytest

from app.errors import Invalid
from app.notification_settings import NotificationSettings
from app.settings import child_environment, load

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
HOOK = "https://hooks.example.org/T0/s3cret-path"
MAIL = {"smtp": "mail.example.org:587", "email_from": "mao@example.org", "email_to": "olga@example.org"}


def test_without_receivers_nothing_is_needed() -> None:
    NotificationSettings().check()
    assert NotificationSettings().receivers == NotificationSettings().mailboxes == ()


def test_lists_are_separated_by_white_space_and_each_receiver_counts_once() -> None:
    given = NotificationSettings(
        webhooks=f"{HOOK}\n  https://[2606:4700::1]:8443/x {HOOK}",
        webhook_secrets=f"{SECRET}\n{'t' * 24}",
        webhook_allow="chat.internal:8080 10.1.0.0/16 [fd00::1]:443",
        **{**MAIL, "email_to": "a@example.org\nb@example.org a@example.org"},
    )
    given.check()
    assert [(hook.host, hook.port) for hook in given.receivers] == [("hooks.example.org", 443), ("2606:4700::1", 8443)]
    assert given.keys == (b"k" * 32, b"t" * 24)
    assert given.allowed.places == {("chat.internal", 8080), ("fd00::1", 443)}
    assert given.allowed.networks == (ip_network("10.1.0.0/16"),)
    assert given.mailboxes == ("a@example.org", "b@example.org")


def test_a_target_names_the_host_and_tells_two_addresses_apart_without_their_secrets() -> None:
    given = NotificationSettings(webhooks=f"{HOOK} {HOOK}2 http://h:81/ https://[::1]:444/")
    targets = [hook.target for hook in given.receivers]
    assert len(set(targets)) == 4
    assert [target.partition("#")[0] for target in targets] == [*["hooks.example.org"] * 2, "h:81", "[::1]:444"]
    assert "s3cret" not in repr(given) + repr(given.receivers) + str(targets)


@pytest.mark.parametrize(
    ("given", "told", "cure"),
    [
        ({"webhooks": HOOK}, "webhook_secrets is not", "openssl rand"),
        ({"webhooks": "ftp://s3cret/x"}, "an address in webhooks", "https://host/path"),
        ({"webhooks": "hooks.example.org/s3cret"}, "an address in webhooks", "https://host/path"),
        ({"webhooks": "https:///s3cret"}, "an address in webhooks", "https://host/path"),
        ({"webhooks": "https://h:0/s3cret"}, "an address in webhooks", "https://host/path"),
        ({"webhooks": "https://h:99999/s3cret"}, "an address in webhooks", "https://host/path"),
        ({"webhooks": "https://[::1/s3cret"}, "an address in webhooks", "https://host/path"),
        ({"webhooks": "https://user:s3cret@h/"}, "holds a login", "path"),
        ({"webhooks": "https://127.0.0.1\\@h/s3cret"}, "holds a login", "path"),
        ({"webhooks": "https://h/#s3cret"}, "fragment", "https://host/path"),
        ({"webhooks": "https://h\u00f6st/s3cret"}, "an address in webhooks", "https://host/path"),
        ({"webhooks": "https://-h/s3cret"}, "odd host", "https://host/path"),
        ({"webhooks": "https://127.0.0.1./s3cret"}, "odd host", "https://host/path"),
        ({"webhooks": "https://h%00.x/s3cret"}, "odd host", "https://host/path"),
        ({"webhooks": " ".join(f"{HOOK}{n}" for n in range(21))}, "more than 20", "mailing list"),
        ({"webhooks": HOOK, "webhook_secrets": "s3cret"}, "24 to 64 bytes", "openssl rand"),
        ({"webhooks": HOOK, "webhook_secrets": "whsec_s3cret!"}, "base64", "Copy it again"),
        ({"webhook_allow": "10.1.0.1/16"}, "not a network", "zeros"),
        ({"webhook_allow": "chat.internal"}, "not a value for webhook_allow", "host:port"),
        ({"webhook_allow": "https://chat.internal:443"}, "not a network", "host:port"),
        ({**MAIL, "smtp_security": "startls"}, "smtp_security", "Did you mean 'starttls'?"),
        ({**MAIL, "smtp_security": "x"}, "smtp_security", "none, starttls, tls"),
        ({**MAIL, "smtp": "mail.example.org"}, "not a value for smtp", "host:port"),
        ({**MAIL, "email_from": ""}, "needs email_from", "none of them"),
        ({"email_to": "olga@example.org"}, "needs smtp", "none of them"),
        ({**MAIL, "email_to": "Olga<olga@example.org>"}, "not an address", "name@host"),
        ({**MAIL, "email_from": "a@b c@d"}, "several addresses", "Name one"),
        ({**MAIL, "smtp_user": "u"}, "belong together", "both"),
        ({**MAIL, "smtp_user": "u", "smtp_password": "s3cret", "smtp_security": "none"}, "unencrypted", "starttls"),
        ({"webhooks": "https://10.1.2.3/s3cret", "webhook_secrets": SECRET}, "internal", "Add 10.1.2.3 with its port"),
        ({"webhooks": "https://[::1]/s3cret", "webhook_secrets": SECRET}, "internal", "webhook_allow"),
        ({"webhooks": "http://9.9.9.9/s3cret", "webhook_secrets": SECRET}, "without https", "use https"),
        ({"webhooks": "http://h/s3cret", "webhook_secrets": SECRET}, "without https", "use https"),
        ({"webhook_allow": "https://user:s3cret@h/32"}, "an entry in webhook_allow", "host:port"),
        ({"webhook_allow": "user:s3cret@h:443"}, "an entry is not a value", "host:port"),
        ({**MAIL, "smtp": "mao:s3cret@mail.example.org:587"}, "not a value for smtp", "host:port"),
        ({**MAIL, "email_to": "smtp://mao:s3cret@h"}, "an entry is not an address", "name@host"),
        ({**MAIL, "smtp_security": "smtp://mao:s3cret@h"}, "smtp_security", "none, starttls, tls"),
        ({**MAIL, "smtp_user": "m\u00e4o", "smtp_password": "s3cret"}, "not ASCII", "a login of its own"),
        ({**MAIL, "smtp_user": "mao", "smtp_password": "s3cret\u00e4"}, "not ASCII", "a login of its own"),
        ({"ca_file": "/nowhere/s3cret.pem"}, "ca_file cannot be read", "PEM"),
        ({"give_up_hours": 0.0}, "give_up_hours", "72"),
        ({"give_up_hours": float("nan")}, "give_up_hours", "72"),
    ],
)
def test_what_could_not_work_is_refused_with_the_cure_and_without_the_secret(
    given: dict[str, str], told: str, cure: str
) -> None:
    with pytest.raises(Invalid) as refused:
        NotificationSettings(**given).check()  # type: ignore[arg-type]
    assert told in refused.value.message
    assert cure in (refused.value.hint or "")
    assert "s3cret" not in f"{refused.value.message} {refused.value.hint}"


def test_a_file_without_certificates_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing\n")
    with pytest.raises(Invalid, match="holds no certificate"):
        load({"MAO_NOTIFICATIONS_CA_FILE": "ca.pem"}, tmp_path)


def test_bad_settings_stop_the_start_and_good_ones_reach_a_child(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="webhook_secrets"):
        load({"MAO_NOTIFICATIONS_WEBHOOKS": HOOK}, tmp_path)
    (tmp_path / "hooks").write_text(f"{HOOK}\n{HOOK}2\n")
    given = {"MAO_NOTIFICATIONS_WEBHOOKS_FILE": "hooks", "MAO_NOTIFICATIONS_WEBHOOK_SECRETS": SECRET}
    settings = load(given, tmp_path)
    assert [hook.url for hook in settings.notifications.receivers] == [HOOK, f"{HOOK}2"]
    assert load(child_environment(settings, {})) == settings
    assert "s3cret" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "allow"),
    [
        ("http://h:81/", "h:81"),
        ("http://h/", "10.0.0.0/8"),
        ("https://10.1.2.3/", "10.0.0.0/8"),
        ("http://10.1.2.3:81/", "10.1.2.3:81"),
        ("https://[2606:4700::1]/", ""),
        ("https://h/", ""),
    ],
)
def test_what_may_be_reached_or_is_judged_by_its_name_later_is_taken(url: str, allow: str) -> None:
    NotificationSettings(webhooks=url, webhook_secrets=SECRET, webhook_allow=allow).check()
