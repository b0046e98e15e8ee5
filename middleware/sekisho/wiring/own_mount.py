"""The mount point that an application takes off its paths by itself, where the server tells of none.

With `FastAPI(root_path="/api")` or Django's `FORCE_SCRIPT_NAME` the handler of `/login` also answers at `/api/login`,
which a guard in front would not take for the door.
"""

from __future__ import annotations

import sys
from typing import Any, Final

LAYERS_MAX: Final = 16  # of middleware between the guard and the application


def own_mount(app: Any) -> str:
    """The mount point of a FastAPI or Django application, also behind middleware that keeps it as `app`; else empty."""
    for _ in range(LAYERS_MAX):
        modules = {each.__module__ for each in type(app).__mro__}
        if "fastapi.applications" in modules:
            return str(app.root_path or "")
        if "django.core.handlers.asgi" in modules:
            return str(sys.modules["django.conf"].settings.FORCE_SCRIPT_NAME or "")
        app = getattr(app, "app", None)
    return ""
