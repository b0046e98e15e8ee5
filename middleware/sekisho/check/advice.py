"""Advice for the operator: a door in the notation of the settings, with a rule that only right log-ins match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import Outcome, SettingsError
from sekisho.read.response.head import header
from sekisho.settings import door_text, parse_doors

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.check.answer import TrialAnswer
    from sekisho.model import Door

CODE_PAGE = (
    "The right log-in is answered by a page that asks for a code, so it is not over, and no rule may match that page. "
    "Check with an account that has no second step, and write a door for the code: docs/frameworks.md"
)
FIND = "`sekisho check --app MODULE:APP --known` finds it"


def telling_rule(door: Door, right: TrialAnswer, *wrong: TrialAnswer) -> str:
    """Return a success rule that the right answer matches and no wrong one does; "" where there is none."""
    return next((rule for rule in right.rules(door) if _tells(door, rule, right, wrong)), "")


def _tells(door: Door, rule: str, right: TrialAnswer, wrong: Iterable[TrialAnswer]) -> bool:
    try:
        (ruled,) = parse_doors(door.kind, door_text(door, success=rule), "")
    except SettingsError:  # the notation cannot express this path
        return False
    return right.outcome(ruled) is Outcome.SUCCEEDED and all(
        each.outcome(ruled) is not Outcome.SUCCEEDED for each in wrong
    )


def cookie_line(door: Door, name: str, rule: str = "") -> str:
    """The sentence that says how to let a cookie reach the application behind a step-up; `rule`: of success to add."""
    return f"Write the door in SEKISHO_{door.kind.name} as: {door_text(door, success=rule, cookie=name)}"


def second_step_line(door: Door, right: TrialAnswer, *wrong: TrialAnswer) -> str:
    """The sentence that says how to keep a log-in without its second step from counting as a success.

    A page with such a name may also be the first one after a whole log-in, as django-two-factor-auth's profile is.
    """
    variable = f"SEKISHO_{door.kind.name}"
    if 300 <= right.status < 400:
        place = header(right.headers, b"location").decode("ascii", "replace").partition("?")[0]
        line = f"Write the door in {variable} as: {door_text(door, success=f'{right.status}!{place}')}"
        rule = f"{right.status}:{place}"
        if not (wrong and _tells(door, rule, right, wrong)):
            return line
        return f"{line}; or, if that page is for users who are logged in, as: {door_text(door, success=rule)}"
    if right.shows_page:
        return CODE_PAGE
    template = door_text(door, success="json:FIELD")
    return f"Write the door in {variable} as: {template}, FIELD being what only the answer of a whole log-in has"


def rule_line(door: Door, right: TrialAnswer | None = None, *wrong: TrialAnswer) -> str:
    """The sentence that says how to write a door with a success rule.

    `right`: an answer that may be to a right log-in; `wrong`: those to wrong log-ins. Without both, and where no rule
    tells them apart, the sentence has a placeholder for the rule.
    """
    variable = f"SEKISHO_{door.kind.name}"
    if right is not None and wrong and (rule := telling_rule(door, right, *wrong)):
        return f"Write the door in {variable} as: {door_text(door, success=rule)}"
    template = door_text(door, success="RULE")
    return f"Write the door in {variable} as: {template}, RULE being what only a right log-in shows; {FIND}"


def path_line(door: Door, path: str) -> str:
    """The sentence that says that the application only redirects to this path, the door's with or without its slash."""
    variable = f"SEKISHO_{door.kind.name}"
    return f"The application only redirects there: write the door in {variable} with the path {path}"


def no_page_line(door: Door) -> str:
    """The sentence for a door with `*` where the path that stands for all below it has no page."""
    _, path, *rest = door_text(door).split()
    above = path.removesuffix("*")
    page = " ".join(["GET", f"{above}PAGE", *rest])
    return (
        f"Nothing is at {above or '/'}, so the rule was not tested. To test it, write the door of one page for now: "
        f"{page}"
    )


def grant_line(door: Door) -> str:
    """The sentence for a password grant whose right log-in was refused; RFC 6749 says what a success has."""
    wants = (
        "The application refused the right log-in, perhaps as it wants the credentials of an OAuth client as well, "
        "which this command has not"
    )
    if door.success:
        return f"{wants}: the rule was not tested"
    return f"{wants}. Write the door in SEKISHO_{door.kind.name} as: {door_text(door, success='json:access_token')}"


def no_rule_line(door: Door, right: TrialAnswer) -> str:
    """The sentence for a right log-in that no rule tells from an invented one."""
    return (
        f"No rule tells the right log-in, which was answered {right.status}, from the invented one. If the application "
        "did not read these fields, or wants more (a token of its form, a cookie), write them in "
        f"SEKISHO_{door.kind.name}, as in form:ACCOUNT,PASSWORD or json:ACCOUNT,PASSWORD. If it did, have it say so: "
        "scope['state']['sekisho'].report(success=...)"
    )
