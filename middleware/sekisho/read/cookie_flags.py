"""What the flags of an application's cookies leave open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.model import hazards
from sekisho.read.cookie_names import is_never_session, is_ours, is_session
from sekisho.read.set_cookies import set_cookies

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sekisho.model.diagnosis import Diagnosis


def checks_of_cookies(lines: Sequence[str]) -> list[Diagnosis]:
    """Return what the flags of cookies leave open: no `Secure`, or a session without `HttpOnly`; once for each cookie.

    `lines`: `Set-Cookie` lines of answers that came over https.
    """
    found: dict[tuple[str, str], Diagnosis] = {}
    for line in lines:
        for each in _checks_of_line(line):
            found[each.hazard.number, each.write] = each
    return list(found.values())


def _checks_of_line(line: str) -> list[Diagnosis]:
    cookies = list(set_cookies([(b"set-cookie", line.encode("latin-1", "replace"))]))
    if not cookies or cookies[0].deletes or is_ours(cookies[0].name) or not cookies[0].name.isprintable():
        return []
    name, found = cookies[0].name, []
    write = f"Set-Cookie: {name}=…; Secure; HttpOnly; SameSite=Lax"
    if not any(part.strip().lower() == "secure" for part in line.split(";")[1:]):
        found.append(hazards.INSECURE_COOKIE.found(f"the application sets the cookie {name} without Secure", write))
    # A cookie of CSRF is there for scripts to read.
    if not cookies[0].http_only and is_session(name) and not is_never_session(name):
        found.append(hazards.READABLE_SESSION.found(f"the application sets the cookie {name} without HttpOnly", write))
    return found
