"""The same service behind `LoginGuard`, with unchanged handlers.

Run it in a checkout with

    pip install . uvicorn python-multipart
    export SEKISHO_SECRET=$(openssl rand -hex 32)
    uvicorn --no-proxy-headers --factory examples.starlette_service.protected:build

If `SEKISHO_CORPUS` names a file of leaked passwords, members cannot sign up with one or change to one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sekisho import LoginGuard

from . import app

if TYPE_CHECKING:
    from starlette.applications import Starlette


def build() -> Starlette:
    service = app.build()
    service.add_middleware(
        LoginGuard,
        login="POST /login form:username,password success=303:/account",
        signup="POST /signup form:username,password",
        change="POST /password form:username,old_password,new_password",
    )
    return service
