"""Build hook: compiles the hot path with mypyc on request: `COMPILE_SEKISHO=always pip install …`.

The sources are the same; without the compiled modules each attempt only takes more processor time. By default nothing
is compiled, because that takes a C compiler and two minutes, during which pip prints nothing. Published wheels are
compiled where they are built. Editable installs are never compiled, so that edits take effect.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

if TYPE_CHECKING:
    from collections.abc import Mapping

MIDDLEWARE = Path(__file__).parent

# mypyc and mypy are one package: the same version checks (pyproject.toml) and compiles.
COMPILERS = ("mypy==2.4.1", "setuptools>=75")

# The modules that every attempt runs through, and the modules they need, except
# - `LoginGuard` itself: servers detect ASGI 3 by `inspect.iscoroutinefunction`, which is false for compiled functions;
# - the connection to the store: a compiled coroutine that awaits in `finally` or `except` may lose the exception that
#   led there, such as a cancellation (`tests/test_compiled.py` rejects such code);
# - errors: plain modules inherit from them, which is impossible with compiled classes.
COMPILED = (
    "model/*.py",
    "read/*.py",
    "read/request/*.py",
    "read/response/*.py",
    "judge/attempt_kind.py",
    "judge/familiarity.py",
    "judge/gradient.py",
    "judge/policy.py",
    "judge/policy_choice.py",
    "judge/posture.py",
    "judge/trust.py",
    "detect/watch.py",
    "assessment.py",
    "known_devices.py",
    "gate.py",
    "pipeline.py",
    "settler.py",
    "audit/chain.py",
    "audit/disclosure.py",
    "audit/forms/*.py",
    "audit/policy.py",
    "answer/refusal.py",
    "answer/render.py",
    "answer/send.py",
    "asgi/admission.py",
    "devices/token.py",
    "crypto/random_pool.py",
    "asgi/cookies.py",
    "asgi/dispatch.py",
    "asgi/endpoint.py",
    "asgi/fast_path.py",
    "asgi/attempt_reader.py",
    "asgi/outcome_keeper.py",
    "asgi/other_requests.py",
    "asgi/own_answers.py",
    "asgi/body_reader.py",
    "asgi/reading.py",
    "asgi/refusal_pace.py",
    "asgi/refuser.py",
    "asgi/request_context.py",
    "asgi/proved_keeper.py",
    "asgi/keeper.py",
    "asgi/report.py",
    "asgi/response_observer.py",
    "asgi/shared_addresses.py",
    "breach/lookup.py",
    "ledger/awaited_refunds.py",
    "ledger/cluster.py",
    "ledger/local_fallback.py",
    "ledger/key_groups.py",
    "ledger/address_failures.py",
    "ledger/arithmetic.py",
    "ledger/crowded_tries.py",
    "ledger/device_buckets.py",
    "ledger/gcra.py",
    "ledger/memory.py",
    "ledger/mistyped.py",
    "ledger/newcomers.py",
    "ledger/packing.py",
    "ledger/records.py",
    "ledger/tags.py",
    "ledger/receipt.py",
    "ledger/redis.py",
    "ledger/settlement.py",
    "ledger/shed.py",
    "ledger/in_flight.py",
    "record/answers.py",
    "record/counts.py",
    "record/decision_times.py",
    "record/events.py",
    "record/flood.py",
    "record/note_queue.py",
    "record/notes.py",
    "record/recorder.py",
    "record/refusals.py",
    "record/subjects.py",
    "store/batch.py",
    "store/clock.py",
    "store/intake.py",
    "wiring/clocks.py",
)


class CompileHook(BuildHookInterface[Any]):
    """Adds the compiled modules to a wheel."""

    _folder: Path | None = None

    def dependencies(self) -> list[str]:
        """The build's requirements beside hatchling: none if nothing is compiled."""
        return list(COMPILERS) if compiles("standard", os.environ) else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if not compiles(version, os.environ):
            return
        folder = self._folder = Path(tempfile.mkdtemp(prefix="sekisho-"))
        try:
            built = compiled_in(folder)
        except subprocess.CalledProcessError as error:
            raise SystemExit(f"the hot path could not be compiled:\n{error.stdout[-2_000:]}") from None
        build_data["force_include"].update({str(folder / each): str(each) for each in built})
        build_data["pure_python"] = False
        build_data["infer_tag"] = True

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:  # noqa: ARG002 - hatch's
        """Remove the compiled files: the wheel that contains them is written."""
        if self._folder is not None:
            shutil.rmtree(self._folder)


def compiles(version: str, environ: Mapping[str, str]) -> bool:
    """Whether this build (`editable` or `standard`) is compiled. Raises `ValueError` for an unknown value."""
    wanted = environ.get("COMPILE_SEKISHO", "never")
    if wanted not in {"always", "never"}:
        raise ValueError("COMPILE_SEKISHO is neither always nor never")
    return wanted == "always" and version != "editable"


def modules() -> list[str]:
    """The sources that are compiled, relative to this folder."""
    found = [path for pattern in COMPILED for path in sorted((MIDDLEWARE / "sekisho").glob(pattern))]
    return [str(path.relative_to(MIDDLEWARE)) for path in found if path.name not in {"__init__.py", "errors.py"}]


def compiled_in(folder: Path) -> list[Path]:
    """Compile a copy of the package in `folder`; returns the paths of the compiled files, relative to it.

    Raises `subprocess.CalledProcessError` with the output of mypyc or the compiler.
    """
    shutil.copytree(MIDDLEWARE / "sekisho", folder / "sekisho", ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    # In a separate process: mypyc and setuptools exit the process on an error.
    subprocess.run(  # noqa: S603 - our own program, and paths of our own
        [sys.executable, "-c", _COMPILE, *modules()],
        cwd=folder,
        env={**os.environ, "MYPYPATH": str(folder)},
        check=True,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return [path.relative_to(folder) for path in folder.rglob("*.so") if "build" not in path.relative_to(folder).parts]


_COMPILE = """
import sys
from setuptools import setup
from mypyc.build import mypycify

# No file of settings: a project's around the folder is meant for a check, and stops a build for what only that minds.
flags = ["--config-file=", "--explicit-package-bases", "--ignore-missing-imports"]
flags += ["--python-version", "%d.%d" % sys.version_info[:2]]
modules, sys.argv = sys.argv[1:], ["compile", "build_ext", "--inplace"]
setup(name="sekisho", packages=[], ext_modules=mypycify([*flags, *modules], opt_level="3", debug_level="0"))
"""


def main() -> None:
    """Compile into FOLDER, which is emptied first: `python middleware/hatch_build.py FOLDER`."""
    folder = Path(sys.argv[1]).resolve()
    shutil.rmtree(folder, ignore_errors=True)
    try:
        built = compiled_in(folder)
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.stdout) from None
    shutil.rmtree(folder / "build")
    print(f"{len(built)} modules compiled")  # noqa: T201 - a command says what it did


if __name__ == "__main__":
    main()
