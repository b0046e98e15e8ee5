"""The guarded service that the commands of `docs/servers.md` start. It tells its process and the peer that it sees."""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import FastAPI, Form, Request, Response

from sekisho import LoginGuard

app = FastAPI()


@app.get("/")
async def seen(request: Request) -> dict[str, object]:
    return {"process": os.getpid(), "peer": request.client.host if request.client else ""}


@app.post("/login")
async def log_in(username: Annotated[str, Form()], password: Annotated[str, Form()]) -> Response:
    if (username, password) != ("hana", "right"):
        return Response("wrong", 401)
    return Response(status_code=303, headers={"Location": "/home", "Set-Cookie": "session=s; HttpOnly; Secure"})


app.add_middleware(LoginGuard)
