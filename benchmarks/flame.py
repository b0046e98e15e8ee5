"""Where a busy server is: `python -m benchmarks.flame [--load LOAD] [--app APP] [--seconds N]`.

py-spy samples a saturated server's stack, compiled code included, while wrk drives it, and the picture in
`results/flame.svg` shows each frame as wide as its share of the samples. Sampling stops the server for a moment each
time, so the shares are true and the speed is not.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import arguments, measure
from benchmarks.measure import LOAD_CORE, Server
from benchmarks.result import result_path
from tests.servers import RedisServer, free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RATE_HZ = 200
WIDTH_PX, ROW_PX, LETTER_PX = 1_200, 15, 6.2
SHARE_MIN = 0.003  # a narrower frame can neither be seen nor read
TRUNK = 0.9  # frames at the root that hold as much are the same for everybody, and say nothing
OURS, PYTHON, COMPILED = "#d9534a", "#c9ccd1", "#dfe7f1"

NOISE = re.compile(r"\((object|pycore_\w+|abstract)\.h\)$")  # counting references is not a place


class Frame:
    """A function at one place of the stack.

    Attributes:
        samples: that were inside it, or inside what it called.
        called: its callees, by name.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples = 0
        self.called: dict[str, Frame] = {}

    def add(self, stack: Iterable[str], samples: int) -> None:
        here = self
        here.samples += samples
        for name in stack:
            here = here.called.setdefault(name, Frame(name))
            here.samples += samples

    def crown(self) -> Frame:
        """The first frame under which the stacks part."""
        here = self
        while widest := max(here.called.values(), key=lambda frame: frame.samples, default=None):
            if widest.samples < TRUNK * self.samples:
                return here
            here = widest
        return here


def tree(folded: str) -> Frame:
    """From lines of `frame;frame;frame samples`, as py-spy writes them."""
    root = Frame("all")
    for line in folded.splitlines():
        stack, _, samples = line.rpartition(" ")
        names = [name for name in stack.split(";") if not NOISE.search(name)]
        once = [name for name, before in zip(names, ["", *names], strict=False) if name != before]
        root.add(once, int(samples))
    return root


def by_module(root: Frame) -> Counter[str]:
    """Samples by the file of the innermost Python function: what compiled code spends is on its caller's account."""
    found: Counter[str] = Counter()

    def visit(frame: Frame, module: str) -> None:
        path = frame.name.rpartition(" (")[2].rstrip(")")
        module = path if path.endswith(".py") else module
        found[module] += frame.samples - sum(child.samples for child in frame.called.values())
        for child in frame.called.values():
            visit(child, module)

    visit(root, "the event loop and the kernel")
    return found


def drawn(root: Frame, title: str) -> str:
    """The picture as SVG: the caller above, what it calls below, in the order of their names."""
    rows = list(_boxes(root, 0.0, 0, WIDTH_PX / root.samples))
    height = 44 + ROW_PX * (1 + max(row for row, _ in rows))
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH_PX} {height}" font-family="sans-serif"
 font-size="10">
<rect width="{WIDTH_PX}" height="{height}" fill="#fff"/>
<text x="4" y="15" font-size="13">{escape(title)}</text>
<text x="4" y="30">red: the guard; grey: other Python; blue: compiled code. {root.samples:,} samples.</text>
{"".join(box for _, box in rows)}</svg>
"""


def _boxes(frame: Frame, left: float, row: int, scale: float) -> Iterator[tuple[int, str]]:
    width = frame.samples * scale
    if width < SHARE_MIN * WIDTH_PX:
        return
    top, share = 38 + row * ROW_PX, width / WIDTH_PX
    letters = int(width / LETTER_PX)
    said = frame.name if len(frame.name) <= letters else frame.name.partition(" (")[0]
    place = f'x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW_PX - 1}" fill="{_colour(frame.name)}"'
    label = f'<text x="{left + 2:.1f}" y="{top + 11}">{escape(said[:letters])}</text>' if letters > 2 else ""
    yield row, f"<g><title>{escape(frame.name)}: {share:.1%}</title><rect {place}/>{label}</g>\n"
    for child in sorted(frame.called.values(), key=lambda child: child.name):
        yield from _boxes(child, left, row + 1, scale)
        left += child.samples * scale


def _colour(name: str) -> str:
    if "(sekisho/" in name:
        return OURS
    return PYTHON if name.endswith(".py)") else COMPILED


def recorded(app: str, load: str, seconds: int) -> str:
    """Folded stacks of a server that is kept busy for so long."""
    with (
        RedisServer() as redis,
        Server(f"benchmarks.apps.{app}:app", free_port(), {"BENCH_STORE": redis.url}) as server,
        tempfile.TemporaryDirectory() as folder,
        ThreadPoolExecutor(1) as pool,
    ):
        server.wait_until_up()
        measure.attack(server.url, load=load, first=0, seconds=4)  # a worker refuses from memory after two seconds
        driven = pool.submit(measure.attack, server.url, load=load, first=1_000_000, seconds=seconds + 3)
        output = Path(folder) / "folded"
        command = [_spy(), "record", "--pid", str(server.pid), "--native", "--nolineno", "--format", "raw"]
        command += ["--rate", str(RATE_HZ), "--duration", str(seconds), "--output", str(output)]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        driven.result()
        if ran.returncode:
            raise SystemExit(f"py-spy could not look into the server (it needs ptrace, or root):\n{ran.stderr}")
        return output.read_text()


def _spy() -> str:
    """Beside the interpreter, where pip puts it, or on the path."""
    found = shutil.which("py-spy", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        raise SystemExit("missing: py-spy. `pip install --group bench` brings it along.")
    return found


def main() -> None:
    parser = arguments.parser(__doc__, quick="three seconds")
    arguments.add_load(parser)
    parser.add_argument("--app", default="guarded", help="module in benchmarks.apps")
    parser.add_argument("--seconds", type=int, default=20)
    options = parser.parse_args()
    measure.require_tools()
    os.sched_setaffinity(0, {LOAD_CORE})
    root = tree(recorded(options.app, options.load, 3 if options.quick else options.seconds))
    for module, samples in by_module(root).most_common(20):
        print(f"{samples / root.samples:6.1%}  {module}")
    stem = "flame" if (options.app, options.load) == ("guarded", "fail") else f"flame-{options.app}-{options.load}"
    title = f"A saturated server ({options.app}, {options.load}): share of samples"
    path = result_path(stem, quick=options.quick, suffix="svg")
    path.write_text(drawn(root.crown(), title))
    print(f"Written: benchmarks/results/{path.name}")


if __name__ == "__main__":
    main()
