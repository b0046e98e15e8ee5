"""Examines the running service from outside: proxies, plain http, HSTS, cookies, CORS, doors."""

from __future__ import annotations

import asyncio
import json
import re
from http.client import HTTPException
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from sekisho.asgi.examination import PATH
from sekisho.crypto.examiner import HEADER, examiner_token
from sekisho.doctor.arrivals import report_of_arrivals
from sekisho.doctor.forms import (
    checks_of_fields,
    checks_of_forms,
    checks_of_steps,
    checks_of_token,
    log_in_forms,
    name_forms,
)
from sekisho.doctor.report import DoctorReport, Unseen
from sekisho.model import DoorKind, hazards
from sekisho.model.hazards import HAZARDS
from sekisho.model.text import told_text
from sekisho.read import Doors
from sekisho.read.arrival import FORGED, Arrival
from sekisho.read.cookie_flags import checks_of_cookies
from sekisho.read.set_cookies import SetCookie, set_cookies

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from sekisho.doctor.forms import LogInForm
    from sekisho.doctor.http import Fetch, Reply, ServiceAddress
    from sekisho.model import Door
    from sekisho.model.diagnosis import Diagnosis
    from sekisho.settings import Settings

ATTEMPTS_MIN: Final = 100
"""Events at the other doors from which on an unused door is reported."""
PAGES_MAX: Final = 8
HSTS_S_MIN: Final = 86_400
_MAX_AGE: Final = re.compile(r'(?i:\bmax-age) *= *"?([0-9]{1,12})')
_NUMBERED: Final = {each.number: each for each in HAZARDS}


class ServiceTold(NamedTuple):
    """What the running service told of itself; see `sekisho.asgi.examination`.

    `is_near`: the request went to this machine, by its own name or another.
    """

    arrival: Arrival
    attempts: Mapping[str, int]
    missing: tuple[str, ...]
    missing_protected: tuple[str, ...]
    open_below: tuple[str, ...]
    basic_beside: tuple[str, ...]
    diagnoses: tuple[Diagnosis, ...]
    is_near: bool = False


class ServiceExaminer(NamedTuple):
    """What an examination of a running service uses.

    Attributes:
        settings: of the service.
        site: its address, as clients have it.
        origin: of a front end on another site; empty: the first of `SEKISHO_ORIGINS`, if any.
        pages: paths of further pages that may have a log-in form.
        fetch: sends one request.
        wall_s: Unix time in seconds.
    """

    settings: Settings
    site: ServiceAddress
    origin: str
    pages: Sequence[str]
    fetch: Fetch
    wall_s: Callable[[], float]

    async def examine(self) -> DoctorReport:
        """Examine the service. Never raises for one that does not answer."""
        try:
            plain = await self._told({})
            if plain is None:
                return DoctorReport(unseen=(_NO_GUARD,))
            forged = await self._told(self._forged_headers()) or plain
            report = self._arrivals(plain, forged)
            report += DoctorReport(diagnoses=(*plain.diagnoses, *self._checks_of_doors(plain)))
            pages = await self._pages()
            report += DoctorReport(diagnoses=tuple(self._checks_of_forms(pages)))
            report += await self._transport(pages)
            return report + await self._cors()
        except (OSError, HTTPException) as error:
            what = f"the service at --url does not answer: {type(error).__name__}"
            return DoctorReport(unseen=(Unseen(what, is_failure=True),))

    async def _ask(
        self, method: str, path: str, headers: Mapping[str, str], site: ServiceAddress | None = None
    ) -> Reply:
        return await asyncio.to_thread(self.fetch, site or self.site, method, path, headers)

    async def _examination(self, headers: Mapping[str, str]) -> Reply:
        token = examiner_token(self.settings.signers, self.wall_s()).decode()
        return await self._ask("GET", self.settings.mount + PATH, {HEADER.decode(): token, **headers})

    async def _told(self, headers: Mapping[str, str]) -> ServiceTold | None:
        """What the service tells of itself and of a request with these headers; None where no guard answers."""
        reply = await self._examination(headers)
        told = told_of(reply.body) if reply.status == 200 else None
        return told._replace(is_near=reply.is_near) if told is not None else None

    def _forged_headers(self) -> dict[str, str]:
        name = self.settings.client_ip_header
        # The server reads X-Forwarded-For even where the guard is told to read another header.
        return {"x-forwarded-for": FORGED, name: f"for={FORGED}" if name == "forwarded" else FORGED}

    def _arrivals(self, plain: ServiceTold, forged: ServiceTold) -> DoctorReport:
        settings = self.settings
        report = report_of_arrivals(
            plain.arrival,
            forged.arrival,
            settings.client_ip_header,
            nearby=self.site.is_loopback,
            on_this_machine=plain.is_near or self.site.is_loopback,
            has_proxies=bool(settings.trusted_proxies) or settings.trust_unix,
        )
        by = "a trusted proxy" if plain.arrival.trusted else "a peer that no setting names"
        return DoctorReport((("service", f"answers; requests come from {by}"),)) + report

    def _checks_of_doors(self, told: ServiceTold) -> Iterator[Diagnosis]:
        kinds = {door.name: f"SEKISHO_{door.kind.name}" for door in self.settings.doors}
        for name in told.missing:
            variable = kinds.get(name, "SEKISHO_LOGIN")
            yield hazards.MISSING_DOOR.found(
                f"{variable}: the application answers 404 at {name}", f"{variable}=METHOD /PATH …"
            )
        for name in told.missing_protected:
            yield hazards.UNKNOWN_ROUTE.found(f"SEKISHO_PROTECT: the application answers 404 at {name}")
        for name in told.open_below:
            yield hazards.OPEN_BELOW.found(
                f"{kinds.get(name, 'SEKISHO_LOGIN')}: the application answers below {name} as well"
            )
        for name in told.basic_beside:
            yield hazards.BASIC_BESIDE.found(
                f"{kinds.get(name, 'SEKISHO_LOGIN')}: the application looks at HTTP Basic at {name} as well"
            )
        for name, attempts in told.attempts.items():
            if not attempts and name not in told.missing and sum(told.attempts.values()) >= ATTEMPTS_MIN:
                yield hazards.IDLE_DOOR.found(
                    f"{kinds.get(name, 'SEKISHO_LOGIN')}: no request has come to {name} since the worker started",
                    f"sekisho check --url URL --door '{name}'",
                )

    async def _pages(self) -> dict[str, Reply]:
        """The pages of the doors, the front page, and those that the operator named, by path."""
        exact = [door.path for door in _pages(self.settings.doors)]
        paths = list(dict.fromkeys([*self.pages, *exact, "/"]))[:PAGES_MAX]
        return {path: await self._ask("GET", path, {"Accept": "text/html"}) for path in paths}

    def _checks_of_forms(self, pages: Mapping[str, Reply]) -> Iterator[Diagnosis]:
        doors = Doors(self.settings.doors)
        forms = {path: self._forms(path, page) for path, page in pages.items() if page.status < 300}
        every = [form for found in forms.values() for form in found]
        yield from checks_of_forms(every, doors)
        yield from checks_of_fields(every, doors)
        steps = [form for path, page in pages.items() if page.status < 300 for form in self._steps(path, page)]
        yield from checks_of_steps(steps, doors)
        if self.settings.factors:
            for path, found in forms.items():
                yield from checks_of_token(found, cookies_of(pages[path]), doors)

    def _forms(self, path: str, page: Reply) -> list[LogInForm]:
        return self._below(log_in_forms(page.body.decode("utf-8", "replace"), path, self.site.host))

    def _steps(self, path: str, page: Reply) -> list[LogInForm]:
        return self._below(name_forms(page.body.decode("utf-8", "replace"), path, self.site.host))

    def _below(self, found: Iterable[LogInForm]) -> list[LogInForm]:
        """The forms, with their paths as the application sees them."""
        return [form._replace(path=form.path.removeprefix(self.site.path)) for form in found]

    async def _transport(self, pages: Mapping[str, Reply]) -> DoctorReport:
        if self.site.is_loopback:
            return DoctorReport(unseen=(Unseen("TLS: --url names this machine; give the address that clients use"),))
        if self.site.scheme == "http":
            is_redirect = all(map(_leads_to_https, pages.values()))
            return DoctorReport(diagnoses=() if is_redirect else (_plain_http(),))
        found = [*([_plain_http()] if await self._is_open_at_80() else []), *checks_of_pages(pages.values())]
        return DoctorReport(diagnoses=tuple(found))

    async def _is_open_at_80(self) -> bool:
        """Whether the same host answers over plain http with anything but a way to https."""
        path = next((door.path for door in _pages(self.settings.doors)), "/")
        try:
            reply = await self._ask("GET", path, {}, self.site._replace(scheme="http", port=80))
        except (OSError, HTTPException):  # closed, as it should be
            return False
        return reply.status < 400 and not _leads_to_https(reply)

    async def _cors(self) -> DoctorReport:
        origins = sorted(each.decode() for each in self.settings.origins)
        origin = self.origin or next(iter(origins), "")
        if not origin:
            return DoctorReport(unseen=(Unseen("a front end on another site, if there is one: give its --origin"),))
        allowed = (await self._examination({"Origin": origin})).values("access-control-allow-origin")
        return DoctorReport(diagnoses=tuple(checks_of_cors(allowed, origin, origins)))


_NO_GUARD: Final = Unseen(
    "the service at --url: no guard answered there with this SEKISHO_SECRET, SEKISHO_NAMESPACE and SEKISHO_MOUNT",
    is_failure=True,
)


def told_of(body: bytes) -> ServiceTold | None:
    """Read what the service told of itself in an answer's body; None for any other body, such as a proxy's own page."""
    try:
        read: Any = json.loads(body)
        arrival = _arrival({**read["arrival"], "client_is_proxy": read.get("client_is_proxy", False)})
        attempts = {told_text(name): int(count) for name, count in read["attempts"].items()}
        missing = tuple(map(told_text, read["missing"]))
        protected = tuple(map(told_text, read.get("missing_protected", ())))  # earlier versions tell none
        below = tuple(map(told_text, read.get("open_below", ())))
        basic = tuple(map(told_text, read.get("basic_beside", ())))
        found = [_diagnosis(each) for each in read["diagnoses"]]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return ServiceTold(arrival, attempts, missing, protected, below, basic, tuple(found))


def _arrival(read: Any) -> Arrival:
    arrival = Arrival(**{**read, "network": told_text(read["network"])})
    if not all(isinstance(each, bool) for name, each in arrival._asdict().items() if name != "network"):
        raise ValueError("no facts of ours")
    return arrival


def _diagnosis(read: Any) -> Diagnosis:
    return _NUMBERED[read["number"]].found(told_text(read["what"]), told_text(read["write"]))


def checks_of_pages(pages: Iterable[Reply]) -> Iterator[Diagnosis]:
    """Yield diagnoses of HSTS and of cookies in the headers of pages that came over https."""
    answered = [page for page in pages if page.status < 400]
    if not all(map(_keeps_https, answered)):
        yield hazards.NO_HSTS.found("a page has no Strict-Transport-Security, or one that ends within a day")
    yield from checks_of_cookies([line for page in answered for line in page.values("set-cookie")])


def cookies_of(page: Reply) -> list[SetCookie]:
    """The cookies that a page sets."""
    lines = page.values("set-cookie")
    return list(set_cookies([(b"set-cookie", line.encode("latin-1", "replace")) for line in lines]))


def checks_of_cors(allowed: Sequence[str], origin: str, origins: Sequence[str]) -> Iterator[Diagnosis]:
    """Yield a diagnosis if the CORS headers of a guard's answer keep a page from reading it.

    Args:
        allowed: the lines of `Access-Control-Allow-Origin` in the answer.
        origin: of the page that asked.
        origins: those that the settings name.
    """
    if len(allowed) > 1:
        yield hazards.DOUBLE_CORS.found("SEKISHO_ORIGINS: an answer of the guard names its origin twice")
    elif allowed != [origin]:
        # A wildcard is refused by browsers for requests with cookies (the Fetch standard, section 3.3.5).
        yield hazards.FOREIGN_SITE.found(
            "SEKISHO_ORIGINS: a page of this origin cannot read the guard's answers",
            f"SEKISHO_ORIGINS={','.join(dict.fromkeys((*origins, origin)))}",
        )


def _pages(doors: Sequence[Door]) -> list[Door]:
    """The doors whose page a browser would load."""
    pages = [door for door in doors if door.kind is DoorKind.LOGIN and door.reads_body]
    return [door for door in pages if not set("*{") & set(door.path)]


def _plain_http() -> Diagnosis:
    return hazards.PLAIN_HTTP.found("the service answers over http without a redirect to https")


def _leads_to_https(reply: Reply) -> bool:
    return 300 <= reply.status < 400 and any(each.lower().startswith("https://") for each in reply.values("location"))


def _keeps_https(page: Reply) -> bool:
    """Whether a browser keeps to https for a day at least (RFC 6797, section 6.1.1)."""
    values = page.values("strict-transport-security")[:1]  # a browser reads the first alone
    found = _MAX_AGE.search(values[0]) if values else None
    return found is not None and int(found[1]) >= HSTS_S_MIN
