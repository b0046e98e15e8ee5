"""Routes that need a recent proof of identity, such as payments (RFC 9470)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from sekisho.asgi.ports import Fresh, Stale
from sekisho.model import CappedRoute, Door, DoorKind, FactorClass, ProtectedRoute, SessionUnread
from sekisho.read import Doors
from sekisho.read.request import HARMLESS
from sekisho.stepup.factors.requirements import Demand

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sekisho.asgi.session_account import SessionAccounts
    from sekisho.asgi.types import Scope
    from sekisho.model.headers import Headers
    from sekisho.stepup.session_binding import SessionBinding, SessionBindings

LINK_AGE_S = 600  # of a proof at a LINK door that is none of the protected routes

_SKEW_S = 60  # the greatest difference between workers' clocks


class Capped(NamedTuple):
    """A capped route, and the door by whose only field its amount is read."""

    route: CappedRoute
    door: Door


class _AtPath(NamedTuple):
    """A route to which every request of its method and exactly its path leads, and to no other.

    Attributes:
        raw: the path as bytes; a router may read another raw path as another route.
        capped: the caps on the route's amounts.
    """

    route: ProtectedRoute
    raw: bytes
    capped: list[Capped]


def as_doors(routes: Iterable[ProtectedRoute], caps: Iterable[CappedRoute] = ()) -> Doors:
    """Return the routes as doors, to find them alike: a path that a lenient router takes for the route is the route."""
    fields = {route.name: route.fields for route in caps}
    return Doors(
        Door(
            DoorKind.CHANGE,
            route.method,
            route.path,
            fields.get(route.name, ()),
            success=route.success,
            notice=route.notice,
        )
        for route in routes
    )


class Protection:
    """The protected routes of a service.

    Args:
        routes: of all routes that a request may lead to, the shortest age and the strongest class apply.
        bindings: find the session binding of a request.
        sessions: the account that the application sees in a request's session. Where it tells one, a cookie that
            changes with every answer does not separate a session from its binding.
        caps: the caps of some of these routes, by the same method and path.
        floor: the weakest class of factor that the site accepts.
        links: doors where a session's owner links another account. Each needs a proof of that owner, as a route does.
    """

    def __init__(
        self,
        routes: tuple[ProtectedRoute, ...],
        bindings: SessionBindings,
        sessions: SessionAccounts,
        caps: tuple[CappedRoute, ...] = (),
        *,
        floor: FactorClass = FactorClass.SENT,
        links: Iterable[Door] = (),
    ) -> None:
        self._doors = as_doors(routes, caps)
        self._caps = {route.name: route for route in caps}
        # `SENT` is what every proof has; notes of earlier versions do not tell the class.
        least = FactorClass.NONE if floor is FactorClass.SENT else floor
        self._routes = {route.name: replace(route, acr=max(route.acr, least)) for route in routes}
        as_routes = [ProtectedRoute(door.method, door.path, LINK_AGE_S, least) for door in links]
        self._links = {route.name: route for route in as_routes}
        self._at_path = {route.path: found for route in self._routes.values() if (found := self._alone(route))}
        self._bindings = bindings
        self._sessions = sessions

    @property
    def has_notices(self) -> bool:
        """Whether the owner is told of changes at any of the routes."""
        return any(route.notice for route in self._routes.values())

    def noticed(self, scope: Scope, *, has_body: bool) -> Door | None:
        """Return the route, as a door, of whose success the owner is told; None if the request leads to no such route.

        `has_body`: as in `Doors.find`. Raises `Unreadable` as that does.
        """
        return next((door for door in self._doors.find_all(scope, has_body=has_body) if door.notice), None)

    @property
    def has_routes(self) -> bool:
        return bool(self._routes or self._links)

    def _alone(self, route: ProtectedRoute) -> _AtPath | None:
        """The route, if requests of its method and path need no search: no form could lead them to another route."""
        raw = route.path.encode()
        form = {"type": "http", "method": "POST", "path": route.path, "raw_path": raw, "headers": []}
        doors = list(self._doors.find_all(form, has_body=True))
        forms = [door.name for door in doors if not self._routes[door.name].is_page]
        if forms != [route.name] or route.method in {*HARMLESS, "*"}:
            return None
        return _AtPath(route, raw, self._with_caps(doors))

    def _plain(self, scope: Scope) -> _AtPath | None:
        found = self._at_path.get(scope.get("path", ""))
        if found is None or scope.get("method") != found.route.method or scope.get("root_path"):
            return None
        return found if scope.get("raw_path") == found.raw else None

    def route(self, scope: Scope, *, has_body: bool = False) -> ProtectedRoute | None:
        """Return the strictest of the protected routes to which a request or a WebSocket may lead; None without one.

        `has_body`: as in `Doors.find`. Raises `Unreadable` as that does.
        """
        if not self._routes:
            return None
        if (plain := self._plain(scope)) is not None:
            return plain.route
        routes = [self._routes[door.name] for door in self._doors.find_all(scope, has_body=has_body)]
        # A form may override its method, so it may lead to its page as well; the page's shorter age is not the form's.
        routes = [route for route in routes if not route.is_page] or routes
        if len(routes) < 2:
            return routes[0] if routes else None
        # Named after the route of the strongest class: the proof that is shown for it has to be of that class.
        youngest = min(routes, key=lambda route: route.max_age_s)
        return replace(max([youngest, *routes], key=lambda route: route.acr), max_age_s=youngest.max_age_s)

    def capped(self, scope: Scope, *, has_body: bool = False) -> list[Capped]:
        """The capped routes to which a request may lead: more than one where routers disagree about its path.

        `has_body`: as in `Doors.find`. Raises `Unreadable` as that does.
        """
        if (plain := self._plain(scope)) is not None:
            return plain.capped
        return self._with_caps(self._doors.find_all(scope, has_body=has_body))

    def _with_caps(self, doors: Iterable[Door]) -> list[Capped]:
        return [Capped(self._caps[door.name], door) for door in doors if door.name in self._caps]

    async def linking(self, door: Door, scope: Scope, now_s: int) -> Fresh | Stale:
        """Return `Fresh` if the session's proof lets its owner link another account at this door, otherwise `Stale`.

        Raises `SessionUnread`.
        """
        name = f"{door.method} {door.path}"  # as the routes are named: of GraphQL doors without the operation
        return await self.verdict(self._routes.get(name) or self._links[name], scope, now_s)

    async def verdict(self, route: ProtectedRoute, scope: Scope, now_s: int) -> Fresh | Stale:
        """Return `Fresh` if the session's proof opens this route, otherwise `Stale`. Raises `SessionUnread`."""
        binding = await self.binding(scope, now_s)
        if binding is None:
            return Stale(route, None)
        is_fresh = binding.proved_s > 0 and -_SKEW_S <= now_s - binding.proved_s <= route.max_age_s
        is_strong = binding.proved_by >= route.acr
        if is_fresh and is_strong:
            return Fresh(route, binding.account, binding.proved_s)
        return Stale(route, binding.account)

    def demand(self, name: str) -> Demand:
        """Return what a proof for the protected route or linking door of this name must meet.

        For an unknown name that is a passkey, the strongest class, even if no route asks for it.
        """
        route = self._routes.get(name) or self._links.get(name)
        return Demand(route.acr if route else FactorClass.PHR, settled=True)

    async def binding(self, scope: Scope, now_s: int) -> SessionBinding | None:
        """Return the session binding of a request; None if it shows none that is valid. Raises `SessionUnread`."""
        return self._bindings.of(scope["headers"], now_s, await self._sessions.of(scope))

    async def accounts(self, scope: Scope, now_s: int) -> set[str]:
        """The accounts of a request's session, by its binding and by what the application says: up to two."""
        with suppress(SessionUnread):
            await self._sessions.of(scope)
        return self.accounts_learnt(scope, now_s)

    def accounts_learnt(self, scope: Scope, now_s: int) -> set[str]:
        """Return the same as `accounts`, which must have been awaited for this request before the application ran."""
        said: str | None = None
        with suppress(SessionUnread):  # by the exact credentials alone, then
            said = self._sessions.learnt(scope)
        binding = self._bindings.of(scope["headers"], now_s, said)
        return {one for one in (said, binding and binding.account) if one}

    async def proved_now(self, scope: Scope, account: str, by: FactorClass, now_s: int) -> Headers | None:
        """The headers to answer with after a proof of `account`; None where the session is not that account's.

        Raises `SessionUnread`.
        """
        return self._bindings.proved_now(scope["headers"], account, by, now_s, await self._sessions.of(scope))
