"""What the endpoint hands requests to. Not compiled: a compiled named tuple has to import the types of its fields."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from sekisho.asgi.dispatch import Dispatcher
    from sekisho.asgi.first_steps import FirstSteps
    from sekisho.asgi.log_out import LogOuts
    from sekisho.asgi.other_requests import OtherRequests
    from sekisho.asgi.own_answers import OwnAnswers
    from sekisho.asgi.refuser import Refuser


class Handlers(NamedTuple):
    """What takes a request to its end.

    Attributes:
        refuser: refuses attempts.
        dispatcher: takes assessed attempts to their end.
        own_answers: answers some attempts before the application does.
        log_outs: passes log-outs on.
        others: serves requests at no door.
        first_steps: passes on requests with a name alone; None where no door takes them.
    """

    refuser: Refuser
    dispatcher: Dispatcher
    own_answers: OwnAnswers
    log_outs: LogOuts
    others: OtherRequests
    first_steps: FirstSteps | None = None
