"""The flame graph: widths are shares of samples, and common frames are left out."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from benchmarks.flame import by_module, drawn, tree

ANYBODY = "the event loop and the kernel"

FOLDED = """main (run.py);serve (loop.c);read (sekisho/read/body.py);Py_DECREF (object.h);copy (libc.so.6) 30
main (run.py);serve (loop.c);read (sekisho/read/body.py) 10
main (run.py);serve (loop.c);write (app.py);write (app.py);send (libc.so.6) 60
main (run.py);stop (run.py) 1
"""


def test_stacks_grow_from_where_they_part() -> None:
    """Ninety in a hundred samples share `main` and `serve`, so stacks are drawn from where they part."""
    assert tree(FOLDED).crown().name == "serve (loop.c)"


def test_compiled_code_is_on_the_account_of_its_caller() -> None:
    """Compiled code counts for its caller, and reference counting is left out."""
    assert by_module(tree(FOLDED)) == {"app.py": 60, "sekisho/read/body.py": 40, "run.py": 1, ANYBODY: 0}


def test_a_frame_is_as_wide_as_its_share() -> None:
    """A frame is as wide as its share, beneath its caller, and drawn once if it calls itself."""
    root = ET.fromstring(drawn(tree(FOLDED).crown(), "a <title>"))
    widths = {group[0].text: float(group[1].attrib["width"]) for group in root.findall("{http://www.w3.org/2000/svg}g")}

    assert widths == {
        "serve (loop.c): 100.0%": 1_200.0,
        "read (sekisho/read/body.py): 40.0%": 480.0,
        "copy (libc.so.6): 30.0%": 360.0,
        "write (app.py): 60.0%": 720.0,
        "send (libc.so.6): 60.0%": 720.0,
    }
