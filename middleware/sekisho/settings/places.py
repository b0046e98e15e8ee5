"""The locations of services that a step-up needs: databases, relays, webhooks, pages and domains.

These checks catch an operator's typing errors at start and name the setting. The code that connects checks the URL
again. Nothing here connects or imports a driver.
"""

from __future__ import annotations

import re
from base64 import b64decode
from urllib.parse import urlsplit

from sekisho.model import SettingsError
from sekisho.settings import parse
from sekisho.settings.databases import DATABASES, POSSIBLE
from sekisho.settings.urls import is_loopback, split_url

QUERY_CHARS_MAX = 4_096
NAME_CHARS_MAX = 60  # more would fill a mail's subject
PAGE_CHARS_MAX = 200
HOSTS_MAX = 16

_MAIL = frozenset({"smtp", "smtps", "smtp+starttls", "smtp+plain"})

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# Refuses IPv4 addresses, whose last label is a number: passkeys and mail need a domain.
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z)(?!(?:.*\.)?[0-9]+\Z){_LABEL}(?:\.{_LABEL})*")
_SITEKEY = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]{1,64}")
_APP = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")
_PAGE = re.compile(r"(?:https://)?[^\s<>\"'`\\:@]+(?::[0-9]{1,5})?(?:/[^\s<>\"'`\\]*)?")
_ASKS = re.compile(r"select\s.*(?<![:\w\\]):account(?![:\w])", re.IGNORECASE | re.DOTALL)


def database(text: str, setting: str) -> str:
    """Check the scheme of a database's URL; returns the text unchanged. The code that connects checks the rest.

    Raises `SettingsError`.
    """
    url = split_url(text)
    if url is None or url.scheme not in DATABASES:
        raise SettingsError(setting, f"is no URL of a database that sekisho knows; {POSSIBLE}")
    return text


def query(text: str, setting: str) -> str:
    """Check that a text is a select with `:account`; returns it unchanged. The code that runs it checks the rest.

    Raises `SettingsError`.
    """
    if len(text) > QUERY_CHARS_MAX or not _ASKS.match(text):
        example = "select id as account_id, email from users where username = :account"
        raise SettingsError(
            setting, f"is no select of at most {QUERY_CHARS_MAX} characters with :account; as in {example}"
        )
    return text


def relay(text: str, setting: str) -> str:
    """Check the URL of a mail server; returns the text unchanged. Raises `SettingsError`."""
    url = split_url(text)
    if url is None or url.scheme not in _MAIL or not url.hostname or url.path.strip("/") or url.query:
        possible = "possible are smtp://user@host:587, smtps://user@host:465, smtp+starttls://… and smtp+plain://…"
        raise SettingsError(setting, f"is no URL of a mail server; {possible}")
    return text


def password(text: str, _: str) -> str:
    """Return `text` unchanged: any text is a valid password."""
    return text


def sitekey(text: str, setting: str) -> str:
    if not _SITEKEY.fullmatch(text):
        raise SettingsError(setting, "is no site key: 1 to 128 letters, digits, dots, - and _")
    return text


def mailbox(text: str, setting: str) -> str:
    """Read the sender's address of mails, without a display name: that is `SERVICE_NAME`. Raises `SettingsError`."""
    local, _, domain = text.rpartition("@")
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain.lower()):
        raise SettingsError(setting, "wants one address and nothing around it, such as no-reply@shop.example")
    return text


def name(text: str, setting: str) -> str:
    """Read the service's name: one line of visible characters, because mail subjects contain it.

    Raises `SettingsError`.
    """
    if len(text) > NAME_CHARS_MAX or not text.isprintable():
        raise SettingsError(setting, f"wants one line of at most {NAME_CHARS_MAX} characters")
    return text


def page(text: str, setting: str) -> str:
    """Read a page's address as users type it by hand, with or without `https://`. Raises `SettingsError`."""
    if len(text) > PAGE_CHARS_MAX or not _PAGE.fullmatch(text) or not text.isprintable():
        raise SettingsError(setting, "wants a page as one would type it, such as shop.example/account (or https://…)")
    return text


def pages_url(text: str, setting: str) -> str:
    """Read the public URL of the guard's pages, without the slash at its end: https, or http on this machine.

    Raises `SettingsError`.
    """
    url = split_url(text)
    safe = url is not None and (url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname or "")))
    if url is None or not url.hostname or not safe or "@" in url.netloc or url.query or url.fragment:
        raise SettingsError(setting, "wants a URL such as https://shop.example/sekisho (http on 127.0.0.1 alone)")
    return text.rstrip("/")


def endpoint(text: str, setting: str) -> str:
    """Read the URL to send codes or tokens to: https, or http on this machine; no user, because logs would show it.

    Raises `SettingsError`.
    """
    url = split_url(text)
    host = url.hostname if url is not None else None
    safe = url is not None and (url.scheme == "https" or (url.scheme == "http" and is_loopback(host or "")))
    if url is None or not host or not safe or "@" in url.netloc:
        raise SettingsError(
            setting, "wants a URL such as https://codes.internal/send (http on 127.0.0.1 alone), no user"
        )
    return text


def webhook_secrets(text: str, setting: str) -> tuple[bytes, ...]:
    """Read one or two secrets as Standard Webhooks writes them: `whsec_` and the base64 of 24 to 64 bytes.

    Returns the bytes of each. Raises `SettingsError`.
    """
    found = tuple(_webhook_secret(one.strip()) for one in text.split(","))
    if len(found) > 2 or not all(24 <= len(secret) <= 64 for secret in found):
        raise SettingsError(setting, "wants whsec_ and the base64 of 24 to 64 random bytes, or two of these")
    return found


def _webhook_secret(text: str) -> bytes:
    """The secret's bytes; empty for any other text."""
    try:
        return b64decode(text.removeprefix("whsec_"), validate=True) if text.startswith("whsec_") else b""
    except ValueError:
        return b""


def domain(text: str, setting: str) -> str:
    """Read a domain's name, lower case. Other scripts as `xn--`: passkeys are bound to exactly these bytes.

    Raises `SettingsError`.
    """
    found = text.lower()
    if not _DOMAIN.fullmatch(found) or ("." not in found and found != "localhost"):
        raise SettingsError(setting, "wants a domain such as shop.example: no scheme, no port, no address in numbers")
    return found


def hosts(text: str, setting: str) -> frozenset[str]:
    found = parse.items(text.lower(), setting, most=HOSTS_MAX)
    if not all(_DOMAIN.fullmatch(host) for host in found):
        raise SettingsError(setting, "wants names of hosts such as shop.example,www.shop.example: no scheme, no port")
    return frozenset(found)


def passkey_origins(text: str, setting: str) -> tuple[str, ...]:
    """Read the origins that may use passkeys: pages, as browsers send them (https, or http on localhost), and apps.

    Raises `SettingsError`.
    """
    given = parse.items(text, setting, most=HOSTS_MAX)
    apps = tuple(item for item in given if _APP.fullmatch(item))
    pages = ",".join(item for item in given if item not in apps)
    found = tuple(one.decode("ascii") for one in parse.origin_list(pages, setting, most=HOSTS_MAX)) if pages else ()
    if any(origin.startswith("http://") and host_of(origin) != "localhost" for origin in found):
        # Browsers offer no passkeys on other http pages, and an attacker on the network could modify such a page.
        raise SettingsError(setting, "wants https origins; http is for localhost alone")
    return found + apps


def host_of(origin: str) -> str:
    """The host of an origin; empty for the origin of an app, which has none."""
    return urlsplit(origin).hostname or ""
