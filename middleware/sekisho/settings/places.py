"""Where the services are that a step-up needs: databases, relays, webhooks, pages and domains.

What stands in a URL is looked at again by whoever connects to it. What is refused here is what an operator mistypes,
with the setting's name, at start; and nothing here connects or imports a driver.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sekisho.model import SettingsError
from sekisho.settings import parse
from sekisho.settings.databases import DATABASES, POSSIBLE

if TYPE_CHECKING:
    from urllib.parse import SplitResult

URL_CHARS_MAX = 2_048
QUERY_CHARS_MAX = 4_096
NAME_CHARS_MAX = 60  # more would fill a mail's subject
PAGE_CHARS_MAX = 200
HOSTS_MAX = 16

_MAIL = frozenset({"smtp", "smtps", "smtp+starttls", "smtp+plain"})
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_VISIBLE = re.compile(rf"[!-~]{{1,{URL_CHARS_MAX}}}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# The last label of an address of four numbers is a number: no passkey is bound to such a host, and no mail goes there.
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z)(?!(?:.*\.)?[0-9]+\Z){_LABEL}(?:\.{_LABEL})*")
_SITEKEY = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+\-/=?^_`{|}~.]{1,64}")
_APP = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")
_PAGE = re.compile(r"(?:https://)?[^\s<>\"'`\\:@]+(?::[0-9]{1,5})?(?:/[^\s<>\"'`\\]*)?")
_ASKS = re.compile(r"select\s.*(?<![:\w\\]):account(?![:\w])", re.IGNORECASE | re.DOTALL)


def database(text: str, setting: str) -> str:
    """The URL of a database, unchanged. Whoever opens it checks the rest."""
    url = _split(text)
    if url is None or url.scheme not in DATABASES:
        raise SettingsError(setting, f"is no URL of a database that sekisho knows; {POSSIBLE}")
    return text


def query(text: str, setting: str) -> str:
    """A select with `:account`, unchanged. What runs it checks the rest."""
    if len(text) > QUERY_CHARS_MAX or not _ASKS.match(text):
        example = "select id as account_id, email from users where username = :account"
        raise SettingsError(
            setting, f"is no select of at most {QUERY_CHARS_MAX} characters with :account; as in {example}"
        )
    return text


def relay(text: str, setting: str) -> str:
    """The URL of a mail server, unchanged."""
    url = _split(text)
    if url is None or url.scheme not in _MAIL or not url.hostname or url.path.strip("/") or url.query:
        possible = "possible are smtp://user@host:587, smtps://user@host:465, smtp+starttls://… and smtp+plain://…"
        raise SettingsError(setting, f"is no URL of a mail server; {possible}")
    return text


def password(text: str, _: str) -> str:
    """As it is: whoever chose it may have chosen anything."""
    return text


def sitekey(text: str, setting: str) -> str:
    if not _SITEKEY.fullmatch(text):
        raise SettingsError(setting, "is no site key: 1 to 128 letters, digits, dots, - and _")
    return text


def mailbox(text: str, setting: str) -> str:
    """One address to send from: no display name, which `SERVICE_NAME` is."""
    local, _, domain = text.rpartition("@")
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain.lower()):
        raise SettingsError(setting, "wants one address and nothing around it, such as no-reply@shop.example")
    return text


def name(text: str, setting: str) -> str:
    """What the service is called. One line of visible characters: it stands in subjects of mails."""
    if len(text) > NAME_CHARS_MAX or not text.isprintable():
        raise SettingsError(setting, f"wants one line of at most {NAME_CHARS_MAX} characters")
    return text


def page(text: str, setting: str) -> str:
    """A page as somebody types it by hand."""
    if len(text) > PAGE_CHARS_MAX or not _PAGE.fullmatch(text) or not text.isprintable():
        raise SettingsError(setting, "wants a page as one would type it, such as shop.example/account (or https://…)")
    return text


def endpoint(text: str, setting: str) -> str:
    """Where codes or tokens are sent: https, or http on this very machine; no user, which logs would show."""
    url = _split(text)
    host = url.hostname if url is not None else None
    safe = url is not None and (url.scheme == "https" or (url.scheme == "http" and host in _LOOPBACK))
    if url is None or not host or not safe or "@" in url.netloc:
        raise SettingsError(
            setting, "wants a URL such as https://codes.internal/send (http on 127.0.0.1 alone), no user"
        )
    return text


def domain(text: str, setting: str) -> str:
    """A domain's name, lower case. Other scripts as `xn--`: passkeys are bound to these very bytes, for ever."""
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
    """Who may ask for a passkey: pages, as browsers spell their origins (https, or http on localhost), and apps."""
    given = parse.items(text, setting, most=HOSTS_MAX)
    apps = tuple(item for item in given if _APP.fullmatch(item))
    pages = ",".join(item for item in given if item not in apps)
    found = tuple(one.decode("ascii") for one in parse.origin_list(pages, setting, most=HOSTS_MAX)) if pages else ()
    if any(origin.startswith("http://") and host_of(origin) != "localhost" for origin in found):
        # Browsers offer no passkeys elsewhere, and whoever can write into such a page could ask for one.
        raise SettingsError(setting, "wants https origins; http is for localhost alone")
    return found + apps


def host_of(origin: str) -> str:
    """Of a page's origin; "" for an app's."""
    return urlsplit(origin).hostname or ""


def _split(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        usable = bool(_VISIBLE.fullmatch(text)) and "://" in text and not url.fragment and url.port != 0
    except ValueError:  # its text may repeat a part of the URL, so it must not travel further
        return None
    return url if usable else None
