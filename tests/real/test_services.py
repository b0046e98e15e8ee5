"""Third-party log-ins behind the guard, over real HTTP. `make real` tries all and writes `docs/frameworks.md`.

Here a few stand for all, one for each kind of answer; `REAL=all` tries the rest.
"""

from __future__ import annotations

import os
import re
import shlex
from typing import TYPE_CHECKING

import httpx
import pytest

from sekisho.settings import load
from tests.asgi.driving import address
from tests.real.catalogue import SERVICES
from tests.real.client import Client
from tests.real.document import DOCUMENT, table_of
from tests.real.serve import code
from tests.real.trial import DEVICE, served, tried

if TYPE_CHECKING:
    from tests.real.catalogue import Service

SAMPLE = {"django_allauth", "fastapi_users_cookie", "litestar", "quart_auth"}
MEANT = {"SEK004", "SEK007", "SEK014"}
"""They count in memory, one guard of each has no factor, and the other one that wants enrolment."""

TRIED = [service for service in SERVICES if os.environ.get("REAL") == "all" or service.file in SAMPLE]
RIGHT = {
    **dict.fromkeys(["django_login", "django_admin", "django_allauth", "two_factor", "quart_auth", "sqladmin"], 302),
    **dict.fromkeys(["dj_rest_auth", "simplejwt", "authlib", "fastapi_users_bearer", "fastapi_template"], 200),
    **dict.fromkeys(["starlette_admin", "piccolo", "fasthtml"], 303),
    "fastapi_users_cookie": 204,
    **dict.fromkeys(["litestar", "litestar_jwt"], 201),
}
WRONG = {
    **dict.fromkeys(["django_login", "django_admin", "django_allauth", "two_factor", "quart_auth"], 200),
    "fasthtml": 303,
    **dict.fromkeys(
        [
            "dj_rest_auth",
            "authlib",
            "fastapi_users_bearer",
            "fastapi_users_cookie",
            "fastapi_template",
            "starlette_admin",
            "sqladmin",
        ],
        400,
    ),
    **dict.fromkeys(["simplejwt", "litestar", "litestar_jwt", "piccolo"], 401),
}


@pytest.mark.parametrize("service", TRIED, ids=[service.file for service in TRIED])
async def test_a_real_service_is_guarded_without_knowing_it(service: Service) -> None:
    """Owners get in from anywhere and are then known, guesses end at the limit, and a proof releases the answer."""
    right, wrong = RIGHT[service.file], WRONG[service.file]
    said: set[str] = set()
    with served(service.module, said) as url:
        seen = await tried(url, service)

    assert seen.right == [right] * 6
    assert seen.known == [True] * 6
    assert seen.wrong == [wrong] * 3 + [429] * 2
    assert seen.device == right
    assert (seen.asked, seen.released, seen.kept) == (401, right, 401)
    assert seen.learned == {"success_by rule": 7}
    assert said == MEANT


@pytest.mark.parametrize(
    ("rule", "statuses", "known", "released"),
    [
        # Complete log-ins alone: a password before a second step is charged, and opens nothing here.
        ("302!/allauth/2fa,/allauth/inactive", [302] * 3 + [429] * 3, False, 401),
        # The password counts as success: refunded and known; behind a proof the application asks for its own second
        # step.
        ("302", [302] * 6, True, 302),
    ],
)
async def test_the_applications_own_second_step(rule: str, statuses: list[int], known: bool, released: int) -> None:
    """Row 4.20: both recipes of `docs/frameworks.md` work as documented, with django-allauth's own codes."""
    (service,) = [service for service in SERVICES if service.file == "django_allauth"]
    with served(service.module) as url:
        async with httpx.AsyncClient(base_url=url, timeout=30) as http:
            owners = [Client(http, service, address(n), f"django_allauth/rule/{rule}") for n in range(6)]
            answers = [await owner.log_in("miki", "right") for owner in owners]
            stranger = Client(http, service, address(9), f"django_allauth/step/{rule}")
            proved = await stranger.prove((await stranger.log_in("miki", "right")).json()["challenge"], code())

    assert [answered.status_code for answered in answers] == statuses
    assert [DEVICE in owner.jar for owner in owners] == [known] * 6
    assert answers[0].headers["location"] == "/allauth/2fa/authenticate/"
    assert proved.status_code == released
    assert ("sessionid" in stranger.jar) is (released == 302)


def test_the_settings_of_recipes_are_accepted() -> None:
    """The blocks of settings in the document start a guard."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for block in blocks:
        lines = [shlex.split(line)[0].partition("=") for line in block.splitlines()]
        assert load(
            {"SEKISHO_SECRET": "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe", **{name: value for name, _, value in lines}}, {}
        ).doors
    assert blocks


def test_the_document_has_a_row_for_each() -> None:
    """The document has each service's row, as `make real` writes it."""
    assert [line.split("|")[1].strip() for line in table_of(DOCUMENT.read_text("utf-8"))[2:]] == [
        service.name for service in SERVICES
    ]
