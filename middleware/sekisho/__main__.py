"""The command `sekisho`, and `python -m sekisho`. It is interrupted quietly from the first import on."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process. Returns the exit code; see `sekisho.cli.main`."""
    try:
        from sekisho.interrupted import end_quietly  # noqa: PLC0415 - an interrupt may come at any import

        end_quietly()
        from sekisho.cli import main as command  # noqa: PLC0415 - as above

        return command()
    except KeyboardInterrupt:
        sys.stderr.write("sekisho: interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
