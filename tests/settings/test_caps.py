"""The notation of caps."""

from __future__ import annotations

import pytest

from sekisho.model import Cap, CappedRoute, Encoding, Fields, OverCap, ProtectedRoute, SettingsError
from sekisho.settings.caps import parse_caps, unprotected
from sekisho.settings.protect import parse_routes

DAY = 86_400_000_000


def test_a_route_has_fields_caps_and_what_happens_beyond() -> None:
    """Fields, caps and `over=` are read; without it the request is refused."""
    payout, top_up = parse_caps(
        "POST /payout json:order.amount form:amount 100000/1day 300000/30day; put /top-up form:yen 5/hour over=step_up",
        "CAPS",
    )
    assert payout == CappedRoute(
        "POST",
        "/payout",
        (
            Fields(Encoding.JSON, (("order", "amount"),), numbers=True),
            Fields(Encoding.FORM, (("amount",),), numbers=True),
        ),
        (Cap(100_000, DAY), Cap(300_000, 30 * DAY)),
    )
    assert (top_up.name, top_up.over, top_up.caps) == ("PUT /top-up", OverCap.STEP_UP, (Cap(5, 3_600_000_000),))


@pytest.mark.parametrize(
    "text",
    [
        "POST /payout",
        "POST /payout json:amount",
        "POST /payout 100/day",
        "GET /payout json:amount 100/day",
        "* /payout json:amount 100/day",
        "POST /payout json:amount 0/day",
        "POST /payout json:amount 100/0day",
        "POST /payout json:amount 100/32day",
        "POST /payout json:amount 1000000000000001/day",
        "POST /payout json:amount 100/week",
        "POST /payout json:amount 100/day over=ask",
        "POST /payout json:amount 100/day over=refuse over=step_up",
        "POST /payout json:amount 100/day 200/24hour",
        "POST /payout json:amount 1/day 2/hour 3/minute 4/second 5/2day",
        "POST /payout basic:amount 100/day",
        "POST /payout json:amount 100/day; POST /payout json:amount 200/2day",
    ],
)
def test_anything_else_is_refused_by_the_settings_name(text: str) -> None:
    """A mistake names the setting, and no value."""
    with pytest.raises(SettingsError) as error:
        parse_caps(text, "SEKISHO_CAPS")
    assert error.value.name == "SEKISHO_CAPS"
    assert "payout" not in error.value.problem.replace("POST /payout json:amount 100000/1day 300000/30day", "")


def test_a_capped_route_has_to_be_protected() -> None:
    """Without a protected route no account is known."""
    caps = parse_caps("POST /a form:x 1/day; POST /b form:x 1/day", "CAPS")
    assert unprotected(caps, [ProtectedRoute("POST", "/a", 60)]) == 2
    assert unprotected(caps, [ProtectedRoute("POST", "/a", 60), ProtectedRoute("POST", "/b", 60)]) == 0


def test_the_page_of_a_form_is_a_route_of_half_the_age() -> None:
    """`page=` adds the page, with half the age."""
    found = parse_routes("POST /top-up max_age=300 page=/top-up; * /payout/* max_age=60", "PROTECT")
    assert found == (
        ProtectedRoute("POST", "/top-up", 300),
        ProtectedRoute("GET", "/top-up", 150, is_page=True),
        ProtectedRoute("*", "/payout/*", 60),
    )
    for text in ("GET /a max_age=9 page=/a", "POST /a max_age=9 page=/a/*", "POST /a max_age=9 page=/a page=/b"):
        with pytest.raises(SettingsError):
            parse_routes(text, "PROTECT")
