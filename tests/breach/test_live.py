"""A corpus replaced, removed or damaged while in use gives an answer or *could not tell*, always."""

from __future__ import annotations

import os
import shutil
import threading
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sekisho.breach import reloadable_file
from sekisho.breach.corpus_file import Identity, identify
from sekisho.breach.header import HEADER_BYTES, Header
from sekisho.breach.reloadable_file import FileWatcher, ReloadableCorpus
from tests.breach.making import BUILT, corpus_file, digests

if TYPE_CHECKING:
    from collections.abc import Callable

OLD, NEW = digests(2)
OLD_FILE = dict.fromkeys((OLD, *digests(200, "others")), 1)
NEW_FILE = dict.fromkeys((NEW, *digests(200, "others")), 4)


class Service:
    """A live corpus, its clock, and its messages."""

    def __init__(self, path: Path, key_id: str = "") -> None:
        self.path = path
        self.now_s = 100.0
        self.told: list[bool] = []
        kind = "pairs" if key_id else "passwords"
        self.corpus = ReloadableCorpus(path, kind=kind, key_id=key_id, on_change=self.told.append)
        self.lookout = FileWatcher([self.corpus], lambda: self.now_s)

    def find(self, digest: bytes) -> int | None:
        """Ask as a guard does, after reading the clock."""
        if self.now_s >= self.lookout.due_s:
            self.lookout.look()
        return self.corpus.find(digest)

    def later(self, seconds: float = 1.0) -> None:
        self.now_s += seconds


@pytest.fixture
def service(tmp_path: Path) -> Service:
    corpus_file(tmp_path / "corpus", OLD_FILE)
    return Service(tmp_path / "corpus")


def test_a_new_file_is_taken_up_within_a_second(service: Service) -> None:
    """After a rename the old answers hold until the next look, within a second; then the new ones. No message."""
    corpus_file(service.path, NEW_FILE)
    service.later(0.99)
    assert (service.find(OLD), service.find(NEW)) == (1, 0)
    service.later(0.01)
    assert (service.find(OLD), service.find(NEW)) == (0, 3)
    assert service.told == []


def test_the_build_date_is_that_of_the_file_in_use(service: Service) -> None:
    """The build date, by which its age is judged, is that of the mapped file."""
    assert service.corpus.built == BUILT
    service.path.unlink()
    service.later()
    service.find(OLD)
    assert service.corpus.built is None


def test_it_looks_once_a_second_and_not_at_every_attempt(service: Service) -> None:
    """The file is looked at once a second: an attempt costs no system call."""
    service.path.unlink()
    assert service.find(OLD) == 1
    service.later()
    assert service.find(OLD) is None


def test_a_missing_file_is_no_error_at_the_start(tmp_path: Path) -> None:
    """Without its file the service starts with a message, answers *could not tell*, and recovers when the file
    appears.
    """
    service = Service(tmp_path / "corpus")
    assert service.told == [False]
    assert service.find(OLD) is None
    corpus_file(service.path, OLD_FILE)
    service.later()
    assert service.find(OLD) == 1
    assert service.told == [False, True]


def remove(path: Path) -> None:
    path.unlink()


def damage(path: Path) -> None:
    path.write_bytes(b"?" + path.read_bytes()[1:])


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def lengthen(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"\0")


def empty(path: Path) -> None:
    path.write_bytes(b"")


def put_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def put_pairs(path: Path) -> None:
    corpus_file(path, OLD_FILE, kind="pairs", key_id="c0ffee")


def forbid(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)  # a loop: not even root can follow it


MISHAPS = [remove, damage, shorten, lengthen, empty, put_a_folder, put_pairs, forbid]


@pytest.mark.parametrize("mishap", MISHAPS)
def test_what_cannot_be_used_is_not_called_clean(
    service: Service, mishap: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    """An unusable file means *could not tell* for all digests, logged once; a valid file ends it."""
    mishap(service.path)
    for _ in range(5):
        service.later()
        assert (service.find(OLD), service.find(NEW)) == (None, None)
    assert service.told == [False]
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert str(service.path) in caplog.text

    shutil.rmtree(service.path) if service.path.is_dir() else service.path.unlink(missing_ok=True)
    corpus_file(service.path, NEW_FILE)
    service.later()
    assert (service.find(OLD), service.find(NEW)) == (0, 3)
    assert service.told == [False, True]


def test_another_key_is_noticed(tmp_path: Path) -> None:
    """A file under another key means *could not tell*: its pairs would all look absent."""
    corpus_file(tmp_path / "pairs", OLD_FILE, kind="pairs", key_id="01d")
    service = Service(tmp_path / "pairs", key_id="c0ffee")
    assert service.find(OLD) is None
    corpus_file(tmp_path / "pairs", OLD_FILE, kind="pairs", key_id="c0ffee")
    service.later()
    assert service.find(OLD) == 1


@pytest.mark.parametrize("end", [b"\xff" * 4, b"\0" * 4], ids=["behind the last entry", "before its beginning"])
def test_an_index_that_points_nowhere_ends_the_use_of_its_file(service: Service, end: bytes) -> None:
    """Damage that only a look-up meets means *could not tell*, and the file is not used again."""
    whole = service.path.read_bytes()
    header = Header.parse(whole[:HEADER_BYTES])
    end_of_bucket = header.layout.index_at + 4 * ((OLD[0] >> 8 - header.bits) + 1)
    payload = whole[HEADER_BYTES:end_of_bucket] + end + whole[end_of_bucket + 4 :]
    digest = blake2b(payload, digest_size=32).hexdigest()
    service.path.write_bytes(replace(header, payload_blake2b=digest).render() + payload)
    for _ in range(3):
        service.later()
        assert service.find(OLD) is None
    assert service.told == [False]
    corpus_file(service.path, OLD_FILE)
    service.later()
    assert service.find(OLD) == 1
    assert service.told == [False, True]


def test_a_file_rewritten_in_place_with_its_old_date_is_noticed(service: Service) -> None:
    """A file rewritten in place with its old mtime, as some copy programs do, is found by the inode's own ctime."""
    before = service.path.stat()
    other = service.path.with_name("other")
    corpus_file(other, dict.fromkeys((NEW, *digests(200, "others")), 4))
    with service.path.open("r+b") as file:
        file.write(other.read_bytes())
    os.utime(service.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    service.later()
    assert (service.find(OLD), service.find(NEW)) == (0, 3)


def test_no_look_up_is_dropped_while_files_are_swapped(service: Service) -> None:
    """Threads that ask constantly while the file is replaced twenty times always get one of the two answers."""
    others = digests(200, "others")
    files = [service.path.with_name(name) for name in ("old", "new", "old again", "new again")]
    for file in files:
        corpus_file(file, OLD_FILE if file.name.startswith("old") else NEW_FILE)
    answers: set[int | None] = set()
    done, asked = threading.Event(), threading.Event()

    def ask() -> None:
        while not done.is_set():
            answers.update(map(service.find, others))
            asked.set()

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(20):
        passing = service.path.with_name("passing")
        passing.hardlink_to(files[number % len(files)])
        passing.replace(service.path)
        service.later()
        service.find(OLD)
        # A busy machine may not have run them since; the second round began after the swap.
        for _ in range(2):
            asked.clear()
            assert asked.wait(10)
    done.set()
    for thread in threads:
        thread.join()
    assert answers == {1, 3}
    assert service.told == []


# A disk that hangs, and irregular files.


def test_what_is_no_regular_file_is_left_at_once(service: Service) -> None:
    """A FIFO, folder or device in its place is left at once; a FIFO would block the worker."""
    put_there: list[Callable[[Path], None]] = [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")]
    for put in put_there:
        passing = service.path.with_name("passing")
        put(passing)
        service.path.rename(service.path.with_name("aside"))
        passing.rename(service.path)
        service.later()
        assert service.find(OLD) is None
        service.path.rename(passing)
        service.path.with_name("aside").rename(service.path)
        service.later()
        assert service.find(OLD) == 1
        passing.rmdir() if passing.is_dir() else passing.unlink()

    assert service.told == [False, True] * 3


class Disk:
    """A disk that hangs until it is `mended`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked, self.mended = threading.Event(), threading.Event()
        self._identify = identify
        self._threads: list[threading.Thread] = []
        monkeypatch.setattr(reloadable_file, "identify", self._hang)

    def start(self, look: Callable[[], None]) -> None:
        """Start looks as a guard does."""
        thread = threading.Thread(target=look)
        self._threads.append(thread)
        thread.start()

    def mend(self) -> None:
        self.mended.set()
        for thread in self._threads:
            thread.join()

    def _hang(self, found: os.stat_result) -> Identity:
        self.asked.set()
        assert self.mended.wait(20)
        return self._identify(found)


def test_a_disk_that_hangs_keeps_nobody_waiting(
    service: Service, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With a hanging disk attempts use the mapped file, the log has one line, and changes are seen later."""
    disk = Disk(monkeypatch)
    service.lookout = FileWatcher([service.corpus], lambda: service.now_s, disk.start)
    corpus_file(service.path, NEW_FILE)
    try:
        for _ in range(30):
            service.later()
            assert (service.find(OLD), service.find(NEW)) == (1, 0)
            assert disk.asked.wait(20)
    finally:
        disk.mend()

    assert caplog.messages == [f"{service.path}: its disk does not answer; look-ups use the file that is open"]
    assert service.find(NEW) == 3


def _wait(ended: threading.Event, begun: threading.Event | None = None) -> None:
    if begun is not None:
        begun.set()
    ended.wait(20)


def _break() -> None:
    raise ZeroDivisionError


def test_one_disk_that_hangs_hides_no_other_file(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each file is looked at separately, so one hanging disk hides no other file."""
    (tmp_path / "other").mkdir()
    corpus_file(tmp_path / "other" / "corpus", OLD_FILE)
    other = Service(tmp_path / "other" / "corpus")
    hanging, ended = threading.Event(), threading.Event()
    monkeypatch.setattr(service.corpus, "look", lambda: _wait(ended, hanging))
    lookout = FileWatcher([service.corpus, other.corpus], lambda: service.now_s, reloadable_file.in_thread)
    corpus_file(other.path, NEW_FILE)
    try:
        lookout.look()
        assert hanging.wait(20)
        while other.corpus.find(NEW) != 3:
            lookout.look()
    finally:
        ended.set()


def test_what_does_not_end_in_time_is_left() -> None:
    """A call that does not end in time is left; its exception reaches the caller."""
    ended = threading.Event()
    try:
        assert not reloadable_file.within(0.01, lambda: _wait(ended))
    finally:
        ended.set()
    assert reloadable_file.within(20, lambda: None)
    with pytest.raises(ZeroDivisionError):
        reloadable_file.within(20, _break)
