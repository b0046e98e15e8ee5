"""`sekisho corpus build` makes any input a corpus that the service reads, complete or not at all."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
from hashlib import sha1
from typing import TYPE_CHECKING

import pytest

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.pairs import PairDigests, Pairs
from sekisho.cli import FAILED, INTERRUPTED, MISUSED, main
from sekisho.model import Pair, prevalence
from tests.acceptance.processes import ended
from tests.breach.ranges import PREFIXES, Ranges
from tests.cli.corpora import KEY, Terminal, pairs, passwords, piped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

COUNTS = {f"password{number}": 1 + number * number for number in range(2_000)}
CANARY = "hunter2-canary"


def digest(password: str) -> bytes:
    return sha1(password.encode()).digest()


def rows(counts: dict[str, int]) -> list[bytes]:
    """`SHA1:count`, sorted by hash."""
    return sorted(b"%s:%d\r\n" % (digest(text).hex().upper().encode(), count) for text, count in counts.items())


def shuffled(lines: Iterable[bytes]) -> list[bytes]:
    found = list(lines)
    random.Random(7).shuffle(found)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "passwords.corpus"


def build(out: Path, *line: str) -> int:
    return main(["corpus", "build", str(out), *line])


def holds(out: Path, counts: dict[str, int] = COUNTS) -> bool:
    """Whether the file has all of these passwords in the right class, and another is absent."""
    find = Corpus.open(out, kind="passwords").find
    return all(find(digest(text)) == prevalence(count) for text, count in counts.items()) and not find(digest("other"))


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (b"".join(rows(COUNTS)), []),
        (b"".join(rows(COUNTS)), ["--sorted"]),
        (b"".join(rows(COUNTS)), ["--unsorted", "--format", "hibp"]),
        (b"".join(rows(COUNTS)).lower().replace(b"\r\n", b"\n").removesuffix(b"\n"), []),
        (b"\xef\xbb\xbf" + b"".join(rows(COUNTS)), []),
        (b"".join(shuffled(rows(COUNTS))), []),
        (gzip.compress(b"".join(rows(COUNTS))), []),
        (gzip.compress(b"".join(shuffled(rows(COUNTS)))), []),
    ],
)
def test_hashes_of_any_order_are_recognised(
    content: bytes, line: list[str], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hashes in any order are recognised, from a file or standard input, packed or not."""
    listed = out.with_name("pwned.txt")
    listed.write_bytes(content)
    assert build(out, str(listed), *line) == 0
    assert holds(out)
    out.unlink()
    assert piped(monkeypatch, content, "corpus", "build", str(out), "-", *line) == 0
    assert holds(out)


def test_a_list_of_one_line_is_a_list(out: Path) -> None:
    """A list of one line, even without a line end, is a list."""
    listed = out.with_name("pwned.txt")
    listed.write_bytes(rows({"tomato": 3})[0].strip())
    assert build(out, str(listed), "--partial") == 0
    assert holds(out, {"tomato": 3})


def test_plain_passwords_are_hashed(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Plain passwords are hashed and counted."""
    text = "".join(f"{name}\n" * (1 + number % 5) for number, name in enumerate(COUNTS))
    assert piped(monkeypatch, text.encode(), "corpus", "build", str(out), "-", "--format", "plain") == 0
    assert holds(out, {name: 1 + number % 5 for number, name in enumerate(COUNTS)})


def test_ranges_and_lists_are_made_into_one_file(out: Path) -> None:
    """A folder from `fetch` and further lists make one file."""
    ranges = Ranges(rows=20)
    ranges.plant("tomato", 70)
    folder = out.with_name("ranges")
    folder.mkdir()
    for number in (0, 1, PREFIXES - 1, int(digest("tomato").hex()[:5], 16)):
        (folder / f"{number:05X}.gz").write_bytes(gzip.compress(ranges.body(f"{number:05X}")))
    listed = out.with_name("own.txt")
    listed.write_bytes(b"".join(rows(COUNTS)))
    assert build(out, str(folder), str(listed), "--partial") == 0
    assert holds(out, {**COUNTS, "tomato": 70})


def test_of_several_lists_none_has_to_be_sorted(out: Path) -> None:
    """Several lists are sorted together, however they begin."""
    first, second = out.with_name("first.txt"), out.with_name("second.txt")
    found = rows(COUNTS)
    first.write_bytes(b"".join([*found[500:1_500], *found[:500]]))
    second.write_bytes(b"".join(found[1_500:]))
    assert build(out, str(first), str(second)) == 0
    assert holds(out)


def test_a_folder_with_a_hole_is_refused(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with missing ranges is refused unless declared as partial."""
    folder = out.with_name("ranges")
    folder.mkdir()
    (folder / "00000").write_bytes(Ranges(rows=20).body("00000"))
    assert build(out, str(folder)) == FAILED
    assert "1048575 of 1048576 ranges are missing" in capsys.readouterr().err
    assert not out.exists()


def test_the_summary_says_what_there_is_and_what_to_set(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The summary has entries, size, bytes per hash, error rate, duration and the setting; progress is separate."""
    listed = out.with_name("pwned.txt")
    listed.write_bytes(b"".join(rows(COUNTS)))
    assert build(out, str(listed)) == 0
    said = capsys.readouterr()
    size = out.stat().st_size
    first, second, third, last = said.out.splitlines()
    assert first.startswith(f"{out}: 2,000 entries, made in ")
    assert second == f"{size / 1000:.3g} kB, {size / 2000:.2f} bytes an entry"
    assert third.startswith("false positives: one look-up in ")
    assert last == f"Set SEKISHO_CORPUS={out}; services that have it set notice the new file"
    assert f"reading {listed}: " in said.err


def test_machines_get_figures(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the figures, and at the second build those of the replaced file."""
    listed = out.with_name("pwned.txt")
    listed.write_bytes(b"".join(rows(COUNTS)))
    assert build(out, str(listed), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["path"], told["kind"], told["entries"]) == (str(out), "passwords", 2_000)
    assert (told["bytes"], told["replaced_entries"]) == (out.stat().st_size, None)
    assert told["false_positive_rate"] < 1.2e-7
    assert told["seconds"] >= 0
    assert build(out, str(listed), "--json") == 0
    assert json.loads(capsys.readouterr().out)["replaced_entries"] == 2_000


def test_a_file_that_shrank_is_pointed_out(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file that shrank is pointed out, as a nightly build from the wrong list would shrink it."""
    passwords(out, COUNTS)
    listed = out.with_name("pwned.txt")
    listed.write_bytes(b"".join(rows({"tomato": 1})))
    assert build(out, str(listed), "--partial") == 0
    assert "It took the place of a file of 2,000 entries, WHICH IS MORE\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "line", "problem"),
    [
        (lambda found: found.insert(1_000, found.pop(0)), ["--sorted"], "line 1001: is not sorted by hash from here"),
        (lambda found: found.insert(1_000, found.pop(0)), [], "line 1001: is not sorted by hash from here"),
        (lambda found: found.insert(1_500, b"hunter2-canary\n"), [], "line 1501: does not begin with 40 hex digits"),
        (lambda found: found.insert(0, b"hunter2-canary\n"), ["--format", "hibp"], "line 1: does not begin with"),
        (lambda found: found.__delitem__(slice(1_000, None)), [], "so it was cut short"),
        (lambda found: found.append(found.pop()[:20]), [], "line 2000: does not begin with 40 hex digits"),
    ],
)
def test_what_is_damaged_is_named_by_its_line_and_changes_nothing(
    spoil: Callable[[list[bytes]], None],
    line: list[str],
    problem: str,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Damage is named by its line without its text: exit code 1, the old file and no other."""
    found = rows(COUNTS)
    spoil(found)
    listed = out.with_name("pwned.txt")
    listed.write_bytes(b"".join(found))
    before = passwords(out, {"tomato": 1}).read_bytes()
    assert build(out, str(listed), *line) == FAILED
    said = capsys.readouterr()
    assert f"{listed}" in said.err
    assert problem in said.err
    assert "canary" not in said.out + said.err
    assert out.read_bytes() == before
    assert sorted(out.parent.iterdir()) == [out, listed]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (["{out}", "{plain}"], "INPUT does not begin with a line of SHA1:count; if it is a list of passwords, say"),
        (["{out}", "{hashes}", "{plain}"], "INPUT 2 of 2 does not begin with a line of SHA1:count"),
        (["{out}", CANARY], "INPUT is neither an existing file nor a folder (not repeated"),
        (["{out}", "{hashes}", CANARY], "INPUT 2 of 2 is neither an existing file nor a folder"),
        (["{out}", CANARY * 400], "INPUT is neither an existing file nor a folder"),
        (["{out}", "-", "-"], "standard input (-) can be read once"),
        (["{out}", "-"], "INPUT is standard input, and nothing is piped into it"),
        (["{out}", "{folder}", "--format", "plain"], "INPUT is a folder, and a folder holds ranges"),
        (["{out}", "{hashes}", "--format", "ranges"], "INPUT is no folder, and ranges need one"),
        (["{out}", "{plain}", "--format", "plain", "--sorted"], "--sorted applies to hashes"),
        (["{out}", "{plain}", "--pairs", "--format", "plain"], "apply to passwords, not to --pairs"),
        (["{out}", "{plain}", "--pairs", "--partial"], "apply to passwords, not to --pairs"),
        (["{out}", "{hashes}", "--strict"], "--encoding, --hashes and --strict need --pairs"),
        (["{out}", "{folder}", "--pairs"], "INPUT is a folder; name the lists in it"),
        (["{plain}", "{hashes}"], "OUT exists and is no corpus; --force replaces it"),
        (["{hashes}", "{hashes}", "--force"], "OUT is also an INPUT"),
        (["{folder}", "{hashes}", "--force"], "OUT exists and is no file"),
        (["/dev/null", "{hashes}", "--force"], "OUT exists and is no file"),
        (["-", "{hashes}"], "OUT must be a file: it is replaced once it is complete, and cannot be standard output"),
        (["{pairs}", "{hashes}"], "OUT holds leaked pairs of account and password, not leaked passwords; --force"),
    ],
)
def test_what_cannot_be_meant_is_not_tried(
    line: list[str],
    problem: str,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An impossible request gets exit code 2 and a reason without typed text, and changes no file."""
    plain, hashes, folder = (out.with_name(name) for name in ("plain.txt", "pwned.txt", "folder"))
    plain.write_text(f"{CANARY}\n")
    hashes.write_bytes(b"".join(rows(COUNTS)))
    folder.mkdir()
    listed = pairs(out.with_name("pairs.corpus"), [("hana", "x")])
    before = {path: path.read_bytes() for path in (plain, hashes, listed)}
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", KEY)
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.chdir(out.parent)
    given = [word.format(out=out, plain=plain, hashes=hashes, folder=folder, pairs=listed) for word in line]
    assert main(["corpus", "build", *given]) == MISUSED
    said = capsys.readouterr()
    assert problem in said.err
    assert CANARY not in said.out + said.err
    assert {path: path.read_bytes() for path in before} == before
    assert sorted(path for path in out.parent.iterdir() if path.is_file()) == sorted(before)


@pytest.mark.parametrize("content", [b"", b"sekisho corpus\nand then nothing", b"notes, and --force"])
def test_what_was_to_be_a_corpus_is_replaced(content: bytes, out: Path) -> None:
    """An empty placeholder or a damaged corpus is replaced; any other file only with force."""
    out.write_bytes(content)
    listed = out.with_name("pwned.txt")
    listed.write_bytes(b"".join(rows(COUNTS)))
    assert build(out, str(listed), *(["--force"] if b"force" in content else [])) == 0
    assert holds(out)


def test_pairs_are_made_under_the_key_of_the_environment(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pairs are built under the environment's key, found by the service, and skipped lines counted; no output shows the
    key.
    """
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", KEY)
    listed = out.with_name("combo.txt")
    listed.write_bytes(
        "hana@example.jp:Sunshine2019!\nHANA@example.jp;tomato soup\nnonsense\n太郎:パスワード\n".encode()
    )
    assert build(out, "--pairs", str(listed)) == 0
    said = capsys.readouterr()
    found = Pairs(Corpus.open(out, kind="pairs"), PairDigests(KEY.encode()))
    assert found.find("hana@example.jp", "Sunshine2019!") is Pair.EXACT
    assert found.find("hana@example.jp", "tomato soup") is Pair.EXACT
    assert found.find("hana@example.jp", "sunshine1") is Pair.VARIANT
    assert found.find("太郎", "パスワード") is Pair.EXACT
    assert found.find("taro@example.jp", "Sunshine2019!") is Pair.ABSENT
    assert said.out.startswith(f"{out}: 3 leaked pairs of account and password, 6 entries, made in ")
    assert "Lines skipped: 1 (no separator)\n" in said.out
    assert f"Set SEKISHO_PAIRS={out}; services" in said.out
    for secret in (KEY, "Sunshine", "hana", "nonsense"):
        assert secret not in said.out + said.err


def test_pairs_in_other_encodings_can_be_read(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pairs in a named encoding are read; without a name it is guessed, and said."""
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", KEY)
    text = "太郎:パスワード\n".encode("cp932")
    assert piped(monkeypatch, text, "corpus", "build", str(out), "-", "--pairs", "--encoding", "cp932", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["pairs"], told["skipped"], told["guessed_encoding"]) == (1, {}, 0)
    find = Pairs(Corpus.open(out), PairDigests(KEY.encode())).find
    assert find("太郎", "パスワード") is Pair.EXACT
    assert piped(monkeypatch, "andré:café\n".encode("cp1252"), "corpus", "build", str(out), "-", "--pairs") == 0
    assert "not UTF-8, and read as Windows-1252: 1 line;" in capsys.readouterr().out
    assert piped(monkeypatch, text, "corpus", "build", str(out), "-", "--pairs", "--encoding", "klingon") == FAILED
    assert "no such encoding" in capsys.readouterr().err


def test_a_strict_build_stops_at_the_first_line_that_makes_no_sense(
    out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A strict build stops at the first wrong line, with its number and not its text."""
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", KEY)
    text = f"hana:tomato\n{CANARY}\n".encode()
    assert piped(monkeypatch, text, "corpus", "build", str(out), "-", "--pairs", "--strict") == FAILED
    said = capsys.readouterr()
    assert "standard input, line 2: no separator" in said.err
    assert CANARY not in said.out + said.err
    assert not out.exists()


@pytest.mark.parametrize(
    ("key", "problem"), [("", "is not set, and pairs"), ("brief-canary", "is shorter than 32 bytes")]
)
def test_without_a_good_key_no_pairs_are_written(
    key: str, problem: str, out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a good key no pairs are built; the error says how to make one. An argument would be visible to all
    processes.
    """
    monkeypatch.setenv("SEKISHO_PAIRS_KEY", key)
    assert piped(monkeypatch, b"hana:tomato\n", "corpus", "build", str(out), "-", "--pairs") == FAILED
    said = capsys.readouterr().err
    assert f"sekisho corpus build: SEKISHO_PAIRS_KEY: {problem}" in said
    assert "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(48))'" in said
    assert "canary" not in said
    assert not out.exists()


def building(out: Path, *line: str) -> subprocess.Popen[bytes]:
    """A build that waits for its input."""
    return subprocess.Popen(
        [sys.executable, "-m", "tests.cli.shown", "corpus", "build", str(out), "-", *line],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "SEKISHO_PAIRS_KEY": KEY},
    )


LINES = {
    "--sorted": b"".join(b"%040X:1\n" % (number << 120) for number in range(200_000)),
    "--unsorted": b"".join(b"%040X:1\n" % (number << 120) for number in range(200_000)),
    "--pairs": b"".join(b"user%d:password%d\n" % (number, number) for number in range(200_000)),
}


@pytest.mark.parametrize("how", LINES)
@pytest.mark.parametrize(("by", "code"), [(signal.SIGINT, INTERRUPTED), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_interrupted_it_leaves_the_old_file_and_no_other(by: signal.Signals, code: int, how: str, out: Path) -> None:
    """Interrupted in its input (Ctrl-C, service manager, closed terminal) it leaves the old file and no other."""
    before = passwords(out, COUNTS).read_bytes()
    with ended(building(out, how, "--force")) as process:
        assert process.stdin is not None
        process.stdin.write(LINES[how])  # more than a pipe holds: some was read when this is through
        process.stdin.flush()
        process.send_signal(by)
        _, said = process.communicate(timeout=60)
    assert process.returncode == code
    assert b"Traceback" not in said
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_killed_it_leaves_the_old_file_and_no_other(out: Path) -> None:
    """Killed, it leaves the old file and no other: its temporary file has no name."""
    before = passwords(out, COUNTS).read_bytes()
    with ended(building(out, "--unsorted")) as process:
        assert process.stdin is not None
        process.stdin.write(LINES["--unsorted"])
        process.stdin.flush()
        process.kill()
        process.communicate(timeout=60)
    assert out.read_bytes() == before
    assert list(out.parent.iterdir()) == [out]


def test_the_whole_way(out: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Build, verify, info and check work on one file."""
    listed = out.with_name("pwned.txt")
    listed.write_bytes(b"".join(rows(COUNTS)))
    assert build(out, str(listed)) == 0
    assert main(["corpus", "verify", str(out)]) == 0
    assert main(["corpus", "info", str(out)]) == 0
    monkeypatch.setenv("SEKISHO_CORPUS", str(out))
    capsys.readouterr()
    assert piped(monkeypatch, b"password100\n", "corpus", "check") == 1
    assert capsys.readouterr().out == "password: seen at least 8,192 times\n"
