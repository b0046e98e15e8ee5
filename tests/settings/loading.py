"""Settings from variables alone, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sekisho import settings
from sekisho.model import SettingsError

if TYPE_CHECKING:
    from sekisho.settings import Settings

SECRET = "kR4-vw0cM1zQ8sXy7bTn2JdLhG5uPfAe"
OTHER = "Zq9_aLx3Wm6Rt0Vb8Ye1Kc4Nj7Hs2DgU"


def load(**variables: Any) -> Settings:
    """`variables`: by name without the prefix; `has_owners` and `has_sender` are arguments of `settings.load`."""
    given = {name: variables.pop(name, False) for name in ("has_owners", "has_sender")}
    environ = {"SEKISHO_SECRET": SECRET, **{f"SEKISHO_{name}": text for name, text in variables.items()}}
    return settings.load(environ, **given)


def wrong(**variables: Any) -> dict[str, str]:
    """Each name with an error, and the reason."""
    with pytest.raises(SettingsError) as caught:
        load(**variables)
    assert isinstance(caught.value, settings.SettingsErrors)
    return {mistake.name.removeprefix("SEKISHO_"): mistake.problem for mistake in caught.value.mistakes}


def mistakes(environ: dict[str, str], **overrides: object) -> list[tuple[str, str]]:
    """The name and the problem of each mistake in these variables and keywords."""
    with pytest.raises(SettingsError) as caught:
        settings.load({"SEKISHO_SECRET": SECRET, **environ}, overrides)
    assert isinstance(caught.value, settings.SettingsErrors)
    return [(mistake.name, mistake.problem) for mistake in caught.value.mistakes]


def problem_of(name: str, text: str) -> str:
    """The problem of one variable, which must be the only one."""
    ((variable, problem),) = mistakes({f"SEKISHO_{name}": text})
    assert variable == f"SEKISHO_{name}"
    return problem
