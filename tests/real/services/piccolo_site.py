"""piccolo_api's session log-in, over SQLite."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from piccolo.engine.sqlite import SQLiteEngine

ROOT = Path(tempfile.mkdtemp(prefix="sekisho-piccolo-"))
conf = ModuleType("sekisho_piccolo_conf")
conf.DB = SQLiteEngine(path=str(ROOT / "db.sqlite"))  # type: ignore[attr-defined]
sys.modules[conf.__name__] = conf
os.environ["PICCOLO_CONF"] = conf.__name__

from piccolo.apps.user.tables import BaseUser
from piccolo_api.session_auth.endpoints import session_login
from piccolo_api.session_auth.tables import SessionsBase
from starlette.applications import Starlette
from starlette.routing import Mount


async def prepare() -> None:
    await BaseUser.create_table(if_not_exists=True)
    await SessionsBase.create_table(if_not_exists=True)
    await BaseUser.create_user(username="hana", email="hana@example.org", password="right right", active=True)
    await BaseUser.create_user(username="ina", email="ina@example.org", password="right right", active=False)


asyncio.run(prepare())
app = Starlette(routes=[Mount("/login/", session_login(redirect_to="/account"))])
