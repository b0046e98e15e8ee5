"""The notation of an OpenID Connect provider: `https://bank.example client_id=shop acr=urn:x class=phr name=Bank`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NoReturn
from urllib.parse import urlsplit

from sekisho.model import FactorClass, SettingsError
from sekisho.model.oidc import MAX_AGE_S, OidcRegistration
from sekisho.settings.factors import class_named
from sekisho.settings.places import NAME_CHARS_MAX
from sekisho.settings.urls import URL_CHARS_MAX

if TYPE_CHECKING:
    from collections.abc import Iterable

ACR_MAX: Final = 4
MAX_AGE_S_MIN, MAX_AGE_S_MAX = 30, 3_600

_ISSUER = re.compile(rf"https://[!-~]{{1,{URL_CHARS_MAX - 8}}}")
_WORD = re.compile(r"(client_id|acr|class|max_age)=([!-~]{1,256})")
_SECONDS = re.compile(r"[0-9]{1,4}")
_CLASSES: Final = frozenset({FactorClass.APP, FactorClass.PHR})
_EXAMPLE = "https://bank.example client_id=shop name=My Bank"


def parse_oidc(text: str, setting: str) -> OidcRegistration:
    """Read `ISSUER client_id=… [acr=…]… [class=app|phr] [max_age=SECONDS] [name=…]`; the name ends the text.

    Raises `SettingsError` for `setting`; its text contains nothing of the value.
    """
    words, _, name = text.partition(" name=")
    issuer, *rest = words.split() or [""]
    found = [(match[1], match[2]) for word in rest if (match := _WORD.fullmatch(word))]
    if len(found) < len(rest):
        _refuse(setting, "has a word that is none of client_id=, acr=, class=, max_age= and, last, name=")
    given, acr = dict(found), _all(found, "acr")
    if len(given) - bool(acr) < len(found) - len(acr):
        _refuse(setting, "has a word twice; only acr= may be repeated")
    if len(acr) > ACR_MAX:
        _refuse(setting, f"has more than {ACR_MAX} acr=")
    return OidcRegistration(
        _issuer(issuer, setting),
        given.get("client_id") or _refuse(setting, "has no client_id="),
        acr,
        _class(given.get("class", "app"), acr, setting),
        _max_age_s(given.get("max_age", str(MAX_AGE_S)), setting),
        _name(name.strip(), issuer, setting),
    )


def _all(found: Iterable[tuple[str, str]], name: str) -> tuple[str, ...]:
    return tuple(value for key, value in found if key == name)


def _issuer(text: str, setting: str) -> str:
    try:
        url = urlsplit(text)
        sound = bool(_ISSUER.fullmatch(text) and url.hostname and url.port != 0)
    except ValueError:  # an invalid port; the text of the error would quote it
        sound = False
    if not sound or "@" in url.netloc or "?" in text or "#" in text:
        _refuse(setting, "begins with no issuer: an https URL without user, query and fragment")
    return text


def _class(text: str, acr: tuple[str, ...], setting: str) -> FactorClass:
    found = class_named(text)
    if found not in _CLASSES:
        _refuse(setting, "has a class= that is neither app nor phr")
    if found is FactorClass.PHR and not acr:
        # Without an acr nothing in a token says how its owner logged in there: it may have been a password.
        _refuse(setting, "has class=phr and no acr=; name the context in which the provider asks for a passkey")
    return found or FactorClass.APP


def _max_age_s(text: str, setting: str) -> int:
    if not _SECONDS.fullmatch(text) or not MAX_AGE_S_MIN <= int(text) <= MAX_AGE_S_MAX:
        _refuse(setting, f"has a max_age= that is no number of seconds from {MAX_AGE_S_MIN} to {MAX_AGE_S_MAX}")
    return int(text)


def _name(text: str, issuer: str, setting: str) -> str:
    if len(text) > NAME_CHARS_MAX or not text.isprintable():
        _refuse(setting, f"wants one line of at most {NAME_CHARS_MAX} characters as name=")
    return text or urlsplit(issuer).hostname or ""


def _refuse(setting: str, problem: str) -> NoReturn:
    raise SettingsError(setting, f"{problem}; as in {_EXAMPLE}")
