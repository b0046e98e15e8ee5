"""The page that browsers come back to after a log-in at the identity provider.

It changes nothing and grants nothing: it shows a form that sends the code on. A request that another site causes may
lack our cookies, and any site can cause this one. The form is sent by our own page, with them, and the route that it is
sent to checks everything. Programs that were handed the address of the callback get the form's fields as JSON.
"""

from __future__ import annotations

from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import parse_qsl

from sekisho.answer import Answer, language_of, prefers_page
from sekisho.stepup.factors.identities import KIND
from sekisho.stepup.oidc.login import OidcReturn

if TYPE_CHECKING:
    from sekisho.stepup.factors.identities import BegunLogin
    from sekisho.stepup.flow.page_call import Handler, PageCall
    from sekisho.stepup.flow.parts import Parts, Proving

QUERY_BYTES_MAX: Final = 8_192
PARAMETERS_MAX: Final = 16
TOKEN: Final = "token"  # noqa: S105 - the name of a field, which only forms of the owner's page have


class IdentityPages:
    """Serves the callback of the provider."""

    def __init__(self, parts: Parts, proving: Proving) -> None:
        self._parts = parts
        self._factors = proving.factors
        self.routes: dict[tuple[str, str], Handler] = {("GET", "/oidc/callback"): self._returned}

    async def _returned(self, call: PageCall) -> Answer:
        said = _Callback.of(call.scope.get("query_string", b""))
        begun = await self._factors.begun_login(said.state) if said is not None else None
        if said is None or begun is None:
            return self._parts.responses.start_again(call.headers)
        returned = OidcReturn(said.state, said.code, said.issuer)
        if OidcReturn.of(returned.code, returned.credential.encode()) is None:
            return self._refused(call, begun)
        enrols, responses = TOKEN in begun.fields, self._parts.responses
        fields = {**begun.fields, "code": returned.code, "credential": returned.credential}
        if not (enrols or prefers_page(call.headers)):
            return responses.json(call.headers, 200, {**fields, "factor": KIND})
        page = responses.pages.returned(
            language_of(call.headers),
            path="/factors/oidc/confirm" if enrols else "/step-up",
            fields=fields if enrols else {**fields, "factor": KIND},
            nonce=token_urlsafe(16),
        )
        return responses.page(page)

    def _refused(self, call: PageCall, begun: BegunLogin) -> Answer:
        """The owner or the provider said no (`error=…`), or the answer has no form of one: back to where it began."""
        if TOKEN in begun.fields:
            return self._parts.responses.see_other(f"{call.prefix}{self._parts.mount}/factors")
        challenge, form = begun.fields.get("challenge", ""), begun.fields.get("form", "")
        return self._parts.responses.step_up(call.headers, challenge, form=form, failed=True, chosen=KIND)


class _Callback(NamedTuple):
    """The parameters of the callback; `code` is empty where the provider reports an error."""

    state: str
    code: str
    issuer: str | None

    @classmethod
    def of(cls, query: bytes) -> _Callback | None:
        """Read them; None where one comes twice, or the query is no text of ours."""
        if len(query) > QUERY_BYTES_MAX:
            return None
        try:
            pairs = parse_qsl(query.decode("ascii"), max_num_fields=PARAMETERS_MAX, errors="strict")
        except ValueError:
            return None
        found = dict(pairs)
        if len(found) < len(pairs):
            return None
        return cls(found.get("state", ""), found.get("code", ""), found.get("iss"))
