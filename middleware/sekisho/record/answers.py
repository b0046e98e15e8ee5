"""Learns from the answers of each door: which rule would tell its successes, and which answers cannot be judged."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sekisho.model import DoorKind, Outcome
from sekisho.read import RuleSuggester, is_own_method, json_tree, why_unknown
from sekisho.settings import door_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sekisho.model import Door
    from sekisho.model.headers import Headers
    from sekisho.record.recorder import Events


log = logging.getLogger("sekisho")

HINTED = (
    "%s: success cannot be guessed from its answers, which lead to the front page or to where the request asked to go; "
    "if nothing but a right secret is answered so, add success=%s [SEK010]"
)
AT_A_LOSS = (
    "%s: no answer to 200 log-ins looks like a success, and none shows a rule. If some of the passwords were right, "
    "their owners are charged like attackers: `sekisho check --app MODULE:APP --known` looks for a rule; where there "
    'is none, add scope["state"]["sekisho"].report(success=...) in the application [SEK010]'
)
ALIKE = (
    "%s: none of %d log-ins was recognised as a success, and all answers look alike. Either all passwords were wrong, "
    "or success cannot be guessed there, and owners are charged like attackers. Write the door as: %s (SEKISHO_%s), "
    "RULE being what only a right log-in shows; `sekisho check --app MODULE:APP --known` finds it [SEK010]"
)
SUGGESTED = "%s: success is guessed from its answers; add success=%s to be certain [SEK010]"

_OWN_WORD = 'scope["state"]["sekisho"].report(success=...) in the application'
UNJUDGED = {
    "large": f"an answer was longer than 64 KiB, and only its head was judged: add success=cookie:NAME, or {_OWN_WORD}",
    "kept": "a log-in was answered with more than is kept until its proof (64 KiB, headers 16 KiB): nobody can log in "
    "there with a factor; make the answer shorter",
    "file": f"an answer was sent as a file, and only its head was judged: add success=cookie:NAME, or {_OWN_WORD}",
    "coding": "an answer was compressed in a way that cannot be read here: install the package of that coding (brotli, "
    "zstandard), or compress outside of the guard, or add success=cookie:NAME",
    "json": "an answer that calls itself JSON is none, or has more than 256 values: add success=cookie:NAME, "
    f"success=2xx if no failure has such a status, or {_OWN_WORD}",
    "media": "an answer is of a type that is not read for a success (application/json is): add success=cookie:NAME, "
    f"success=2xx if no failure has such a status, or {_OWN_WORD}",
    "redirect": "a redirect was not believed, which leads to a place that the request names (Referer, next=), to "
    "another host, or to the rule's place with a query; or which sets no session, although the client brought one: so "
    "are clients redirected that are logged in, with any password. Add success=cookie:NAME if only a right secret sets "
    f"it, success=302:https://HOST/PATH?NAME= as it is, or {_OWN_WORD}",
    "csrf": "a log-in that was shown a CSRF cookie set no session of its own, and was not believed: name the cookie in "
    f"cookies= if it is no session, or let the application begin a new session at log-in, or add {_OWN_WORD}",
    "cookie": "a cookie that the rule names was set again to what the client had brought, which proves nothing: let "
    f"the application begin a new session at log-in, or add {_OWN_WORD}",
}
"""Reasons why an answer could not be judged, and what the operator can do about each."""


UNMATCHED = (
    "%s: no answer has matched its rule of success yet, and several look like those to right log-ins. If they are, "
    "owners are charged like attackers, and refused. success=%s would match them; `sekisho check --app MODULE:APP "
    "--known` tells for certain [SEK080]"
)
KEPT_SESSION = (
    "%s: behind a step-up the application logged in the session that the client had brought (cookies=%s), before any "
    "proof. These cookies are withheld from now on. Remove the session's from cookies=, and exempt the log-in from a "
    "protection that keeps its token in the session; or have the application begin a new session at log-in [SEK087]"
)
UNCLEAR_MAX = 10
UNRECOGNISED_MAX = 50
NEVER_RECOGNISED = (
    "%s: of %d log-ins behind a step-up none was recognised as a success, but some answers look like those to right "
    "log-ins. If they are, nobody gets in there from a new device. Write the door as: %s (SEKISHO_%s), RULE being what "
    "only a right log-in shows; `sekisho check --app MODULE:APP --known` finds it [SEK072]"
)
SEALED_403 = (
    "%s: the application answered 403 to a log-in behind a step-up, which sees no cookie but those that the door names "
    "and the usual ones of CSRF protections. If its protection missed one, nobody gets in there from a new device: "
    "write the door as: %s (SEKISHO_%s), or exempt the log-in from a protection that keeps its token in the session "
    "[SEK071]"
)
UNPAIRED_MAX = 10
UNPAIRED = (
    "%s: none of %d log-ins behind a step-up succeeded that sent a CSRF token of a form, and the application saw none "
    "of their cookies. If its protection keeps the token in one, nobody gets in there from a new device: write the "
    "door as: %s (SEKISHO_%s), NAME being that cookie's, or exempt the log-in from that protection. `sekisho doctor "
    "--url` names the cookie [SEK071]"
)


class Answers:
    """Watches the answers of all doors. Its memory is bounded by the number of doors and of reasons."""

    def __init__(self, doors: Iterable[Door], events: Events) -> None:
        self._events = events
        self._doors = tuple(doors)
        self._unrecognised = {door.name: 0 for door in self._doors}
        self._unclear = dict(self._unrecognised)
        self._refused: set[str] = set()
        self._unpaired = dict(self._unrecognised)
        self._alike: set[str] = set()
        self._shown: set[str] = set()
        self._suggesters = {door.name: RuleSuggester(door) for door in self._doors if not door.success}
        self._unmatched = {
            door.name: RuleSuggester(door)
            for door in self._doors
            if door.success and door.reads_body and door.kind is DoorKind.LOGIN
        }

    def started(
        self,
        door: Door,
        status: int,
        headers: Headers,
        scope: Mapping[str, Any],
        sent: bytes,
        learned: Outcome | None,
        whole: bytes | None = None,
    ) -> None:
        """Note status and headers of an answer, and the outcome that they showed.

        Args:
            door: the attempt's door.
            status: of the answer.
            headers: of the answer.
            scope: of the request.
            sent: the request's body.
            learned: the outcome; None where the answer's body decides, for which the caller calls `read` later.
            whole: a JSON answer's body, unpacked, where it is at hand.
        """
        if not is_own_method(door, scope):
            return  # a rule from such answers would let in any secret
        suggester = self._suggesters.get(door.name)
        if suggester is not None:
            suggester.saw(status, headers, scope, sent)
            self._suggest(door, suggester)
        elif (suggester := self._unmatched.get(door.name)) is not None:
            # One failure is enough to tell what differs from it: looking at each would make a wrong password dearer.
            if status >= 400 and suggester.has_failures:
                return
            suggester.saw(status, headers, scope, sent)
            if learned is not None and status < 400:
                _show_body(suggester, status, headers, whole)
            self._look_for_match(door, suggester)
        if learned is Outcome.UNKNOWN and (why := why_unknown(door, status, headers)):
            self.unjudged(door, why)

    def read(self, door: Door, status: int, headers: Headers, body: bytes | None) -> None:
        """Note the whole body of an answer by which an attempt was judged.

        `body`: None where it could not be unpacked.
        """
        tree = None if body is None else json_tree(body)
        if tree is None:
            self.unjudged(door, "coding" if body is None else "json")
        elif (suggester := self._suggesters.get(door.name)) is not None:
            suggester.read(status, headers, tree)
            self._suggest(door, suggester)
        elif (suggester := self._unmatched.get(door.name)) is not None:
            suggester.read(status, headers, tree)
            self._look_for_match(door, suggester)

    def escrowed(self, door: Door, outcome: Outcome, csrf: str | None) -> None:
        """Note the result of an escrowed run: the application ran, and its answer waits for a proof.

        Args:
            door: the attempt's door.
            outcome: of the run.
            csrf: for an answer 403, the likely name of a cookie that was withheld from the run, or ""; otherwise None.
        """
        if csrf is not None and door.name not in self._refused and outcome is not Outcome.SUCCEEDED:
            self._refused.add(door.name)
            log.warning(SEALED_403, door.name, door_text(door, cookie=csrf or "NAME"), door.kind.name)
        if door.name not in self._unrecognised:
            return
        if outcome is Outcome.SUCCEEDED:
            del self._unrecognised[door.name]
            return
        self._unrecognised[door.name] += 1
        self._unclear[door.name] += outcome is Outcome.UNKNOWN
        runs = self._unrecognised[door.name]
        if self._unclear[door.name] < UNCLEAR_MAX and runs < UNRECOGNISED_MAX:
            return
        if self._shows_success(door):
            del self._unrecognised[door.name]
            log.error(NEVER_RECOGNISED, door.name, runs, door_text(door, success="RULE"), door.kind.name)
        elif runs >= UNRECOGNISED_MAX and not door.success:
            self._say_alike(door, runs)

    def watches_tokens(self, door: Door) -> bool:
        """Whether `unpaired` still learns from a door's runs."""
        return door.name in self._unpaired and door.name not in self._refused

    def unpaired(self, door: Door, outcome: Outcome) -> None:
        """Note an escrowed run with a form's token, and with no cookie in which the token's other half may stand."""
        if outcome is Outcome.SUCCEEDED:
            del self._unpaired[door.name]  # its protection wants no cookie
            return
        self._unpaired[door.name] += 1
        if self._unpaired[door.name] == UNPAIRED_MAX:
            del self._unpaired[door.name]
            log.warning(UNPAIRED, door.name, UNPAIRED_MAX, door_text(door, cookie="NAME"), door.kind.name)

    def _shows_success(self, door: Door) -> bool:
        """Whether unrecognised answers look like right log-ins: if not, all passwords may have been wrong."""
        if self._events.has_let_in(door):
            return False  # on a known device success was recognised, so what looks like it may be that log-in
        suggester = self._suggesters.get(door.name) or self._unmatched.get(door.name)
        return door.name in self._shown or (suggester is not None and suggester.shows_success)

    def _say_alike(self, door: Door, count: int) -> None:
        if door.name not in self._alike:
            self._alike.add(door.name)
            log.info(ALIKE, door.name, count, door_text(door, success="RULE"), door.kind.name)

    def kept_session(self, door: Door) -> None:
        """Note that a run behind the seal logged in a session which the client had brought."""
        log.error(KEPT_SESSION, door.name, ",".join(sorted(door.cookies)))

    def unjudged(self, door: Door, why: str) -> None:
        """Count an answer that could not be judged. `why` is logged once for each door and reason."""
        if self._events.unjudged(door, why) == 1:
            log.warning("%s: %s [%s]", door.name, UNJUDGED[why], "SEK073" if why == "coding" else "SEK074")

    def _look_for_match(self, door: Door, suggester: RuleSuggester) -> None:
        """Say that the door's rule fits no answer. Until then, or until a rule fits, its answers are looked at."""
        if self._events.has_let_in(door):
            del self._unmatched[door.name]
        elif rule := suggester.guess():
            del self._unmatched[door.name]
            self._shown.add(door.name)
            log.warning(UNMATCHED, door.name, rule)

    def _suggest(self, door: Door, suggester: RuleSuggester) -> None:
        if not suggester.is_due:
            return
        if rule := suggester.suggestion():
            self._say(door, SUGGESTED, rule)
        elif rule := suggester.hint():
            self._say(door, HINTED, rule)
        elif suggester.is_at_a_loss and door.kind is DoorKind.LOGIN and not self._events.has_let_in(door):
            if suggester.shows_success:
                self._say(door, AT_A_LOSS)
            else:
                self._say_alike(door, suggester.ATTEMPTS_LOST)

    def _say(self, door: Door, line: str, *rule: str) -> None:
        """Log what the door's answers have shown, and watch them no longer."""
        del self._suggesters[door.name]
        self._shown.add(door.name)
        log.warning(line, door.name, *rule)


def _show_body(suggester: RuleSuggester, status: int, headers: Headers, whole: bytes | None) -> None:
    """Show a body that the rule does not need; a rule that fits may need it."""
    if whole is not None and (tree := json_tree(whole)) is not None:
        suggester.read(status, headers, tree)
    else:
        suggester.unread(status, headers)
