"""Challenges: proof of work, or a captcha with work as a fallback, before the guard checks a client's secret.

A challenge is never a factor: an attacker with a stolen list has computers, and can hire people to click.

A captcha whose provider gives no verdict decides nothing: then work decides. The same holds for a client that received
no token from the provider's script. The guard then asks the provider about an invalid token; only if the provider does
not answer is work enough. So leaving out the token does not bypass the captcha.

A page without a script cannot repeat the request, so it carries the original form during the work: sealed, for minutes,
for one browser key. The form contains a password, so its sealed text reveals nothing, not even its length.
"""

from __future__ import annotations

from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from sekisho.challenge.work import PAYLOAD_CHARS_MAX, difficulty
from sekisho.crypto.seal import OVERHEAD_BYTES, Unsealable, bind
from sekisho.model.text import utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sekisho.challenge.captcha import Captcha
    from sekisho.challenge.work import Puzzle, Work
    from sekisho.crypto.seal import Sealer

FORM_S = 120  # seconds: as long as the work may take
SKEW_S = 60  # seconds: the largest accepted difference of two workers' clocks
BODY_BYTES_MAX = 64 * 1024
NAMES_BYTES_MAX = 1_024  # each of a door's name, a content type and a query; usually some dozens
TOKEN_CHARS_MAX = 8_192  # the longest token of a provider

_PURPOSE = b"form"
_RECEIPT = b"question"  # as it is sealed in challenges under way
_PAD_BYTES = 256  # otherwise the form's length on the wire would reveal the password's length
_HEAD = Struct(">QHHHI")  # the time of sealing; the lengths of door, content type, query and body
_DATA_BYTES_MAX = _HEAD.size + 3 * NAMES_BYTES_MAX + BODY_BYTES_MAX + _PAD_BYTES

FORM_CHARS_MAX = -(-(_DATA_BYTES_MAX + OVERHEAD_BYTES) // 3) * 4
"""The longest sealed form; longer texts are not opened."""

_NO_TOKEN = "none"  # noqa: S105 - an invalid token, to see whether the provider answers


class SealedForm(NamedTuple):
    """A request's body and query, as its door received them."""

    door: str
    content_type: bytes
    body: bytes
    query: bytes = b""

    def __repr__(self) -> str:
        # It contains a password.
        return "SealedForm(...)"


class Paid(NamedTuple):
    """The client has solved its challenge.

    Attributes:
        receipt: of the attempt that was answered with the challenge, if the client sent the puzzle that
            carries it; otherwise empty.
    """

    receipt: bytes = b""


class Challenge(NamedTuple):
    """A challenge for the client.

    Attributes:
        work: the puzzle; None if no work is asked for.
        captcha: `provider` and `sitekey` for its page; empty if there is no captcha.
    """

    work: Puzzle | None
    captcha: Mapping[str, str]


NOTHING = Challenge(None, {})


class Challenges:
    """Issues challenges, and checks solutions.

    Args:
        work: makes puzzles; None if the site asks for none.
        captcha: asks its provider; preferred to work.
        sealer: seals the forms that pages carry.
        captcha_public: `provider` and `sitekey`, for the page that shows the captcha.
        size: maps posture and occupancy to the expected hashes of a puzzle; see `sekisho.challenge.work.difficulty`.

    Raises:
        ValueError: a captcha without work as a fallback, or without `captcha_public`.
    """

    def __init__(
        self,
        work: Work | None,
        captcha: Captcha | None,
        sealer: Sealer,
        *,
        captcha_public: Mapping[str, str] | None,
        size: Callable[[int, float], int] = difficulty,
    ) -> None:
        if captcha is not None and (work is None or not captcha_public):
            raise ValueError("a captcha needs work as a fallback, and the values that its page shows")
        self._work = work
        self._captcha = captcha
        self._sealer = sealer
        self._size = size
        self._public = dict(captcha_public or {}) if captcha is not None else {}

    def ask(self, bound_to: bytes, level: int, occupancy: float, *, receipt: bytes = b"") -> Challenge:
        """Return a challenge: a captcha if the site has one, and work as its fallback; empty if the site has no work.

        Args:
            bound_to: digest or binding of door, account and browser key. Not sent.
            level: level of the posture; see `difficulty`.
            occupancy: occupancy of the queues behind the challenge, 0 to 1; see `difficulty`.
            receipt: of the attempt's charge. The work carries it, sealed. It comes back at most once, because
                a solution is accepted once.
        """
        if self._work is None:
            return NOTHING
        carried = self._sealed(receipt, bound_to) if receipt else ""
        return Challenge(self._work.challenge(bound_to, self._size(level, occupancy), carried=carried), self._public)

    async def paid(self, *, work: str, captcha: str, bound_to: bytes, address: str) -> Paid | None:
        """Check a client's solution: a solved captcha, or work if there is no captcha or no verdict on it.

        Each solution is accepted once; None if no valid solution was shown. `address` is the client's; see
        `Siteverify`.

        Raises:
            StoreUnavailable: the solution may have been used before, so grant nothing.
        """
        if self._work is None or len(work) > PAYLOAD_CHARS_MAX or len(captcha) > TOKEN_CHARS_MAX:
            return None
        if not work and not captcha:
            return None
        told = await self._captcha.check(captcha, address=address) if self._captcha is not None and captcha else None
        if told is False:
            return None
        if told:
            # The puzzle that was asked beside the captcha carries the attempt's receipt; it need not be solved.
            return Paid(self._question(await self._work.carried(work, bound_to) if work else "", bound_to))
        worked = await self._work.accept(work, bound_to) if work else None
        if worked is None or (not captcha and await self._could_tell(address)):
            return None
        return Paid(self._question(worked.carried, bound_to))

    async def _could_tell(self, address: str) -> bool:
        """Whether a captcha's provider answers. Then work without a token is not enough.

        Only clients that have done work cause this call: a flood without tokens would take other clients' places.
        """
        return self._captcha is not None and await self._captcha.check(_NO_TOKEN, address=address) is not None

    def earns_look(self, work: str) -> bool:
        """Whether `work` is a genuine challenge with a receipt that this worker is shown for the first time.

        See `Work.earns_look`.
        """
        return self._work is not None and len(work) <= PAYLOAD_CHARS_MAX and self._work.earns_look(work)

    def page_mark(self, asked: Challenge) -> str:
        """Return the mark that the browser sends with the form of a challenge's page; empty if nothing was charged."""
        puzzle = asked.work
        return self._work.page_mark(puzzle) if self._work and puzzle and puzzle.carries else ""

    def earns_look_by_mark(self, mark: str) -> bool:
        """Whether this worker is shown a page's genuine mark for the first time; see `Work.earns_look_by_mark`."""
        return self._work is not None and self._work.earns_look_by_mark(mark)

    def _sealed(self, receipt: bytes, bound_to: bytes) -> str:
        return urlsafe_b64encode(self._sealer.seal(_RECEIPT, receipt, bound_to=bound_to)).decode()

    def _question(self, carried: str, bound_to: bytes) -> bytes:
        """Return the receipt; empty if the work carried none, or if the secret that sealed it has been removed."""
        try:
            return self._sealer.open(_RECEIPT, _decoded(carried), bound_to=bound_to)
        except Unsealable:
            return b""

    def seal_form(
        self, *, door: str, content_type: bytes, body: bytes, browser_key: str, now_s: int, query: bytes = b""
    ) -> str:
        """Seal a form for a page to carry: base64url; its length reveals the body's length only to 256 bytes.

        Raises:
            ValueError: the body is longer than 64 KiB, or a name, content type or query longer than 1 KiB.
        """
        named = door.encode()
        if len(body) > BODY_BYTES_MAX or max(len(named), len(content_type), len(query)) > NAMES_BYTES_MAX:
            raise ValueError("too long to be carried by a page")
        head = _HEAD.pack(now_s, len(named), len(content_type), len(query), len(body))
        data = head + named + content_type + query + body
        data += bytes(-len(data) % _PAD_BYTES)
        return urlsafe_b64encode(self._sealer.seal(_PURPOSE, data, bound_to=bind(browser_key.encode()))).decode()

    def open_form(
        self, text: str, *, browser_key: str, now_s: int, door: str | None = None, seconds: int = FORM_S
    ) -> SealedForm:
        """Open a form that was sealed for this browser key (and this door, if given) at most `seconds` ago.

        A form opens more than once; only the work is used up.

        Raises:
            Unsealable: any other text. The error gives no reason.
        """
        issued_s, form = _unpacked(self._opened(text, browser_key))
        if not -SKEW_S <= now_s - issued_s < seconds or (door is not None and form.door != door):
            raise Unsealable
        return form

    def aged_form(self, text: str, *, browser_key: str, now_s: int) -> tuple[int, SealedForm]:
        """Open a form that was sealed for this browser key, however old; returns its age in seconds, and the form.

        Raises:
            Unsealable: any other text. The error gives no reason.
        """
        issued_s, form = _unpacked(self._opened(text, browser_key))
        return now_s - issued_s, form

    def _opened(self, text: str, browser_key: str) -> bytes:
        sealed = _decoded(text) if browser_key and len(text) <= FORM_CHARS_MAX else b""
        return self._sealer.open(_PURPOSE, sealed, bound_to=bind(utf8(browser_key)))


def _decoded(text: str) -> bytes:
    """Decode base64url; empty for any other text, which no seal opens."""
    try:
        data = b64decode(text, altchars=b"-_", validate=True)
    except (Base64Error, ValueError):
        return b""
    # Also for another spelling: a wait is remembered by the text of its form, and would count for each of them.
    return data if urlsafe_b64encode(data) == text.encode() else b""


def _unpacked(data: bytes) -> tuple[int, SealedForm]:
    issued_s, *lengths = _HEAD.unpack_from(data)
    at, parts = _HEAD.size, []
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    door, content_type, query, body = parts
    return issued_s, SealedForm(door.decode(), content_type, body, query)
