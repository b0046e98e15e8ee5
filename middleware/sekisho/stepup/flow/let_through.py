"""Lets a request through whose proof comes before the application runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho.asgi.proof_headers import PROOF
from sekisho.crypto.seal import Unsealable
from sekisho.stepup.escrow import PROOF_S, TICKET_S
from sekisho.stepup.flow.resubmission import Resubmission, answering, replay

if TYPE_CHECKING:
    from sekisho.answer import Answer
    from sekisho.read import Doors
    from sekisho.stepup.escrow import Ticket
    from sekisho.stepup.flow.page_call import PageCall
    from sekisho.stepup.flow.parts import Parts


async def let_through(parts: Parts, doors: Doors, call: PageCall, ticket: Ticket, now_s: int) -> Answer | None:
    """Run the application for the request that waited for a proof, and return None: the application has answered.

    A program gets a receipt as the answer instead, and repeats the request with it. If the form cannot be
    opened, the answer is to start again.
    """
    text = parts.escrow.receipt_of_proof(ticket, call.browser_key.key)
    if not (sealed := call.fields.get("form", "")):
        return parts.responses.json(call.headers, 200, {"proof": text, "expires_in": PROOF_S})
    try:
        form = parts.challenges.open_form(
            sealed, browser_key=call.browser_key.key, now_s=now_s, door=ticket.door, seconds=TICKET_S
        )
        there = Resubmission(call.scope, parts.mount, form, [(PROOF, text.encode())]).scope(doors)
    except Unsealable:
        return parts.responses.start_again(call.headers)
    await call.guarded(there, replay(form.body, call.receive), answering(there["path"], call.send))
    return None
