"""The mails to owners: the same in both languages, useless to a thief, and without links."""

from __future__ import annotations

import re
import string
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sekisho.mail import Letter, Service, Unsendable, messages
from sekisho.mail.address import address
from sekisho.mail.compose import compose, html, text
from sekisho.mail.words import CHANGES, FACTORS, UNKNOWN, WORDS, moment

from .sending import CODE, NOW, SHOP, letter

if TYPE_CHECKING:
    from collections.abc import Callable

LANGUAGES = ["en", "ja"]
KINDS: dict[str, Callable[[Service, str], Letter]] = {
    "code": lambda service, locale: messages.code(service, locale, code=CODE, minutes=10),
    "new_device": lambda service, locale: messages.new_device(
        service, locale, when=NOW, browser="Firefox on Android", network="203.0.113.0/24"
    ),
    "step_up_not_completed": lambda service, locale: messages.step_up_not_completed(
        service, locale, when=NOW, browser="Firefox on Android", network="2001:db8::/48"
    ),
    "password_changed": lambda service, locale: messages.password_changed(
        service, locale, when=NOW, browser="Firefox on Android", network="203.0.113.0/24"
    ),
    "factor_reset_asked": lambda service, locale: messages.factor_reset_asked(service, locale, when_effective=NOW),
    "factor_changed": lambda service, locale: messages.factor_changed(
        service, locale, when=NOW, factor="totp", change="removed"
    ),
    "recovery_code": lambda service, locale: messages.recovery_code(service, locale, code=CODE, minutes=10),
    "signup_code": lambda service, locale: messages.signup_code(service, locale, code=CODE, minutes=10),
} | {
    kind: partial(messages.NOTICES[kind], when=NOW, browser="Firefox on Android", network="203.0.113.0/24")
    for kind in (
        *("aged_device", "address_changed", "payout_changed", "link_added", "password_breached", "cap_reached"),
        *("failed_attempts", "link_attempted"),
    )
}
every = pytest.mark.parametrize("locale", LANGUAGES)
kinds = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


class Page(HTMLParser):
    """The elements, attributes and text of an HTML page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.said += data


def test_every_sentence_exists_in_both_languages() -> None:
    """Every sentence exists in both languages with the same facts, in any order."""

    def facts(words: tuple[str, ...]) -> list[str]:
        return sorted(name for line in words for _, name, _, _ in string.Formatter().parse(line) if name)

    assert set(WORDS["en"]) == set(WORDS["ja"]) == set(KINDS)
    for kind in KINDS:
        assert len(WORDS["en"][kind]) == len(WORDS["ja"][kind])
        assert {*facts(WORDS["en"][kind])} == {*facts(WORDS["ja"][kind])}
    assert FACTORS["en"].keys() == FACTORS["ja"].keys()
    assert CHANGES["en"].keys() == CHANGES["ja"].keys()


@pytest.mark.parametrize("locale", ["ja", "ja-JP", "ja_JP.UTF-8", "JA", "ja-Latn", "ja.utf8"])
def test_japanese_in_every_spelling(locale: str) -> None:
    """Japanese is recognised in every spelling of a locale."""
    assert messages.language(locale) == "ja"


@pytest.mark.parametrize("locale", ["", "en", "de-DE", "jam", "jav", "xja", "en-JP", "\x00", "ja\r\n"])
def test_english_for_everybody_else(locale: str) -> None:
    """Other languages get English, also one with a similar code."""
    assert messages.language(locale) == "en"


@every
@kinds
def test_nothing_can_be_clicked_or_loaded(make: Callable[[Service, str], Letter], locale: str) -> None:
    """A mail has no link, image, form or script: scanners open links and images."""
    page = Page(html(make(SHOP, locale)))

    assert set(page.tags) <= {"html", "head", "meta", "title", "body", "p", "strong"}
    assert {name for name, _ in page.attributes} <= {"lang", "charset", "name", "content", "style"}
    assert "url(" not in html(make(SHOP, locale))
    assert "http" not in text(make(SHOP, locale))
    assert ("lang", locale) in page.attributes


LINK = "https://shop.example/sekisho/notice#AbC-_9"


@every
def test_a_notice_may_end_with_one_link(locale: str) -> None:
    """With a link a notice asks whether it was the owner; the link comes last, in both texts, and is the only one."""
    made = messages.new_device(SHOP, locale, when=NOW, browser="", network="", link=LINK)
    page = Page(html(made))
    assert text(made).endswith(f"\n\n{LINK}\n")
    assert page.tags.count("a") == 1
    assert ("href", LINK) in page.attributes
    assert text(made).count("http") == 1


@every
@kinds
def test_both_texts_say_the_same(make: Callable[[Service, str], Letter], locale: str) -> None:
    """The plain text has the same content as the HTML."""
    made = make(SHOP, locale)
    page = Page(html(made))

    assert page.said.split() == [*made.subject.split(), *text(made).split()]
    assert "{" not in made.subject + text(made)
    assert "Shop" in made.subject
    assert "shop.example/account" in text(made)


def test_short_texts_travel_in_seven_bits_too() -> None:
    """Short texts are encoded too, so no relay needs 8BITMIME."""
    owner = address("owner@mail.example")
    short = Letter("code", "ja", "短い", ("短い",))

    assert compose(short, sender=owner, sender_name="店", to=owner, now=NOW, token="t").as_bytes().isascii()


@every
def test_a_locked_screen_does_not_show_the_code(locale: str) -> None:
    """The code is not in the subject, and comes after the longest preview (140 columns) of a locked screen."""
    made = letter(locale)
    before = text(made).partition(CODE)[0]

    assert CODE not in made.subject
    assert sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in before) > 140
    assert text(made).count(CODE) == 1


@pytest.mark.parametrize("code", ["", "123", "12 34", "1234\n", "abcd", "１２３４５６", "1" * 33, "<b>1</b>", "1234-"])
def test_what_is_no_code_is_not_sent(code: str) -> None:
    """A code has capitals and digits alone, or it is not sent."""
    with pytest.raises(Unsendable, match=r"^no code$"):
        messages.code(SHOP, "en", code=code, minutes=10)


def test_a_letter_keeps_its_secrets() -> None:
    """A message's `repr` has kind and language alone, as it may be logged."""
    assert repr(letter("ja")) == "Letter(kind='code', language='ja', code_after=2)"


@pytest.mark.parametrize(
    ("name", "page"),
    [
        ("", "shop.example"),
        (" ", "shop.example"),
        ("x" * 61, "shop.example"),
        ("Shop\r\nBcc: thief@evil.example", "shop.example"),
        ("Shop\u2028", "shop.example"),
        ("Shop\x0b", "shop.example"),
        ("\u202epohS", "shop.example"),
        ("Shop\ud800", "shop.example"),
        ("Shop", ""),
        ("Shop", "shop.example/a b"),
        ("Shop", "shop.example\r\n"),
        ("Shop", 'shop.example/"><script>'),
        ("Shop", "shop.example/\u202e"),
        ("Shop", "x" * 201),
    ],
)
def test_a_service_is_one_name_and_one_page(name: str, page: str) -> None:
    """A service name or page that would break a header or a page is refused when it is set."""
    with pytest.raises(Unsendable, match=r"of a service$"):
        Service(name, page)


@every
def test_a_name_with_braces_or_tags_is_only_a_name(locale: str) -> None:
    """A name with braces or tags is neither filled in nor read as HTML."""
    made = letter(locale)
    odd = messages.code(Service("{code}<b>&{page.__class__}", "shop.example"), locale, code=CODE, minutes=10)

    assert "{code}<b>&{page.__class__}" in odd.subject
    assert Page(html(odd)).tags == Page(html(made)).tags


LINKS = re.compile(r"[.:@/。．｡]")


@given(said=st.text())
@example(said="Locked! Call 03-0000-0000 or open http://evil.example/login at once, or lose your account")
@example(said="evil\u2024example ⒈evil\uff0ecom")
@example(said="\ufdfa" * 40)  # eighteen letters each, once normalised
@example(said="a\r\n\r\n731-000\u202e\u2028<a href=x>")
def test_a_client_cannot_write_to_the_owner(said: str) -> None:
    """A User-Agent or network name is cut to a few words in one line: no link, tag or threat."""
    for locale in LANGUAGES:
        made = messages.new_device(SHOP, locale, when=NOW, browser=said, network="n/a")
        line = made.paragraphs[2]
        shown = re.split(r"[:：]", line, maxsplit=1)[1].strip()

        assert len(shown) <= 40
        assert not LINKS.search(unicodedata.normalize("NFKC", shown))
        assert not set(shown) & set("<>&\"'`\\|=%#")
        assert messages.visible(line)
        assert Page(html(made)).tags == Page(html(KINDS["new_device"](SHOP, locale))).tags


@pytest.mark.parametrize(
    ("network", "shown"),
    [
        ("203.0.113.0/24", "203.0.113.0/24"),
        ("203.0.113.9/24", "203.0.113.0/24"),
        ("2001:db8::/48", "2001:db8::/48"),
        ("Example Telecom, JP", "Example Telecom, JP"),
        ("evil.example", "evil example"),
        ("", "unknown"),
        ("://", "unknown"),
    ],
)
def test_a_network_is_a_network_or_a_few_words(network: str, shown: str) -> None:
    """A network may have dots and colons only as an address; otherwise it is a few words."""
    made = messages.new_device(SHOP, "en", when=NOW, browser="", network=network)

    assert made.paragraphs[3] == f"Network: {shown}"
    assert made.paragraphs[2] == f"Browser: {UNKNOWN['en']}"


@pytest.mark.parametrize(
    ("when", "english", "japanese"),
    [
        (NOW, "22 November 2026 at 21:53 (UTC)", "2026年11月22日 21:53（UTC）"),
        (
            NOW.astimezone(timezone(timedelta(hours=9))),
            "23 November 2026 at 06:53 (UTC+09:00)",
            "2026年11月23日 06:53（UTC+09:00）",
        ),
        (
            datetime(2026, 1, 2, 3, 4, tzinfo=timezone(-timedelta(hours=3, minutes=30))),
            "2 January 2026 at 03:04 (UTC-03:30)",
            "2026年1月2日 03:04（UTC-03:30）",
        ),
        (datetime(2026, 12, 31, tzinfo=UTC), "31 December 2026 at 00:00 (UTC)", "2026年12月31日 00:00（UTC）"),
    ],
)
def test_a_time_says_whose_it_is(when: datetime, english: str, japanese: str) -> None:
    """A time names its zone, so an owner in Osaka is not alarmed by a foreign hour."""
    assert moment(when, "en") == english
    assert moment(when, "ja") == japanese


def test_a_time_of_nobody_is_refused() -> None:
    """A time without a zone is refused: readers would take it for theirs."""
    with pytest.raises(ValueError, match="zone"):
        moment(datetime(2026, 1, 1), "en")  # noqa: DTZ001 - that is the case


@pytest.mark.parametrize(
    ("locale", "browser", "line"),
    [
        ("en", "Firefox on Android", "Browser: Firefox on Android"),
        ("ja", "Firefox on Android", "ブラウザ：Firefox（Android）"),
        ("ja", "Safari", "ブラウザ：Safari"),
    ],
)
def test_a_browser_is_named_in_the_letters_language(locale: str, browser: str, line: str) -> None:
    letter = messages.new_device(SHOP, locale, when=NOW, browser=browser, network="203.0.113.0/24")

    assert letter.paragraphs[2] == line
