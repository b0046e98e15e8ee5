"""Names of variables and keywords: a misspelt one is answered with the nearest, others are ignored."""

from __future__ import annotations

import pytest

from sekisho import settings
from tests.settings.loading import SECRET, mistakes, problem_of


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("SEKISHO_LIMITIP", "SEKISHO_LIMIT_IP"),
        ("SEKISHO_LIMIT_ACOUNT", "SEKISHO_LIMIT_ACCOUNT"),
        ("SEKISHO_TRUSTED_PROXY", "SEKISHO_TRUSTED_PROXIES"),
        ("SEKISHO_SECRETFILE", "SEKISHO_SECRET_FILE"),
        ("sekisho_mode", "SEKISHO_MODE"),
        ("SEKISHO_DOOR", "SEKISHO_LOGIN"),
        ("SEKISHO_DOORS", "SEKISHO_LOGIN"),
        ("SEKISHO_REDIS_URL", "SEKISHO_STORE"),
        ("SEKISHO_LIMIT_DEVICE_BUCKET", "SEKISHO_LIMIT_LANE"),
        ("SEKISHO_SECRET_KEY", "SEKISHO_SECRET"),
        ("SEKISHO_ENABLED", "SEKISHO_MODE"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(name: str, nearest: str) -> None:
    """A misspelt name gets the nearest real one: a setting almost set protects nothing."""
    assert mistakes({name: "x"}) == [(name, f"is no setting of sekisho; did you mean {nearest}?")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("MODE", '"monitor"'),
        ("LOGIN", "'POST /login form:username,password'"),
        ("STORE", '"redis://localhost"'),
        ("TRUSTED_PROXIES", '"10.0.0.0/8"'),
    ],
)
def test_quotation_marks_are_recognised(name: str, text: str) -> None:
    """Shells take quotation marks away, and `docker run --env-file` does not: the error says so, without the value."""
    problem = problem_of(name, text)

    assert problem.endswith(
        "(it is in quotation marks, which count as part of it here: docker run --env-file keeps them; write none)"
    )
    assert text not in problem


def test_a_wrong_value_without_quotation_marks_gets_no_such_hint() -> None:
    """Other mistakes are not explained by quotation marks."""
    assert problem_of("MODE", "monitored") == "is none of enforce, monitor, off"


def test_a_name_near_nothing_is_told_where_to_look() -> None:
    """A name unlike any setting gets the command that lists them."""
    ((_, problem),) = mistakes({"SEKISHO_XYZZY": "x"})

    assert "python -m sekisho.settings" in problem


def test_a_misspelt_keyword_is_answered_with_the_nearest() -> None:
    """A misspelt keyword gets the nearest real one, with or without the prefix."""
    assert mistakes({}, limit_ipp="x") == [("limit_ipp", "is no setting of sekisho; did you mean limit_ip?")]
    assert mistakes({}, SEKISHO_MODE="off") == [("SEKISHO_MODE", "is no setting of sekisho; did you mean mode?")]


@pytest.mark.parametrize(
    "name",
    [
        "SEKISHO_PORT",
        "SEKISHO_PORT_8000_TCP_ADDR",
        "SEKISHO_SERVICE_HOST",
        "SEKISHO_SERVICE_PORT_HTTP",
        "SEKISHO_REDIS_SERVICE_HOST",
        "SEKISHO_REDIS_PORT",
        "SEKISHO_REDIS_PORT_6379_TCP_PROTO",
    ],
)
def test_what_kubernetes_injects_is_ignored(name: str) -> None:
    """Variables injected by Kubernetes for a Service called sekisho or sekisho-redis are ignored."""
    settings.load({"SEKISHO_SECRET": SECRET, name: "tcp://10.0.0.1:8000"})


def test_names_of_others_are_nobodys_business() -> None:
    """Names without our prefix are ignored."""
    settings.load({"SEKISHO_SECRET": SECRET, "PATH": "/bin", "SEKISHOMODE": "x", "MY_SEKISHO_MODE": "x"})
