"""Combination lists: which lines are read, which are skipped and counted, and which pairs are found again."""

from __future__ import annotations

import gzip
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from traceback import format_exception
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.header import HEADER_BYTES, CorpusError
from sekisho.breach.pairs import PairDigests, Pairs
from sekisho.corpus.combination_lists import BuiltPairs, ListReading, Skip, build_pairs
from sekisho.corpus.reading import LINE_BYTES_MAX
from sekisho.model import Unreadable
from sekisho.model.breach import Pair
from sekisho.read.account import canonical
from sekisho.read.names import ACCOUNT_CHARS_MAX, SECRET_BYTES_MAX

KEY = b"a key of pairs, for tests alone.."


def build(folder: Path, raw: bytes, **options: Any) -> BuiltPairs:
    """A file `pairs` from a list of this content."""
    (folder / "list").write_bytes(raw)
    return build_pairs([folder / "list"], folder / "pairs", KEY, **options)


def found(folder: Path, account: str, password: str) -> Pair | None:
    return Pairs(Corpus.open(folder / "pairs", kind="pairs"), PairDigests(KEY)).find(account, password)


def lines(raw: bytes, encoding: str | None = None, *, chunk_bytes: int = 2**20) -> list[str]:
    chunks = [raw[start : start + chunk_bytes] for start in range(0, len(raw), chunk_bytes)]
    return [line for block in ListReading(encoding).lines(chunks) for line in block]


def pairs(raw: bytes, encoding: str | None = None) -> list[object]:
    """The pair of each line of a list."""
    return [ListReading(encoding).pair(line) for line in lines(raw, encoding)]


class TestLine:
    @pytest.mark.parametrize(
        ("line", "account", "password"),
        [
            ("taro@example.jp:secret", "taro@example.jp", "secret"),
            ("taro@example.jp;secret", "taro@example.jp", "secret"),
            ("taro@example.jp\tsecret", "taro@example.jp", "secret"),
            ("taro@example.jp|secret", "taro@example.jp", "secret"),
            ("taro:se:cr;et|\t", "taro", "se:cr;et|\t"),
            ("taro;se:cret", "taro", "se:cret"),
            ("taro|se;cr:et", "taro", "se;cr:et"),
            ("taro::secret", "taro", ":secret"),
            ("taro: secret ", "taro", " secret "),
            ("taro:p@ss.word:x", "taro", "p@ss.word:x"),
            ("SHOP\\Taro:secret", "shop\\taro", "secret"),
            ("  TARO@Example.JP :secret", "taro@example.jp", "secret"),
            ("たろう:さくら", "たろう", "さくら"),
            ("taro,yamada:secret", "taro,yamada", "secret"),
        ],
    )
    def test_the_first_separator_separates(self, line: str, account: str, password: str) -> None:
        """The first separator splits: passwords often have one, accounts hardly ever."""
        assert ListReading().pair(line) == (account, password)

    @pytest.mark.parametrize(
        "site",
        [
            "https://shop.example/login",
            "http://shop.example",
            "https://shop.example:8443/a/b?c=d;e",
            "https://shop.example:8443",
            "HTTPS://SHOP.EXAMPLE/",
            " https://shop.example/ ",
            "ftp://files.shop.example",
            "android://c2lnbmF0dXJl@jp.example.app/",
            "http://[2001-db8--1]/login",
            "shop.example/login",
            "www.shop.example:8443/login/",
        ],
    )
    @pytest.mark.parametrize("separator", [":", "|", "\t"])
    def test_the_address_in_front_is_dropped(self, site: str, separator: str) -> None:
        """The address in front, which stealers log, is dropped; otherwise `https` would be the account of millions."""
        line = f"{site}{separator}taro@example.jp{separator}se:cr/et"
        assert ListReading().pair(line) == ("taro@example.jp", "se:cr/et")

    @pytest.mark.parametrize(
        ("line", "pair"),
        [
            ("https://shop.example:12345:secret", ("12345", "secret")),  # an account of digits, not a port
            ("https://shop.example:443:12345:secret", ("12345", "secret")),
            ("taro:https://shop.example/:x", ("taro", "https://shop.example/:x")),
            ("taro@example.jp:ab/cd:ef", ("taro@example.jp", "ab/cd:ef")),
            ("a/b:secret", ("a/b", "secret")),
            ("shop.example/taro:secret", ("shop.example/taro", "secret")),
        ],
    )
    def test_what_only_looks_like_an_address_stays(self, line: str, pair: tuple[str, str]) -> None:
        assert ListReading().pair(line) == pair

    @pytest.mark.parametrize(
        ("written", "password"),
        [
            ("$HEX[70c3a473]", "päs"),
            ("$HEX[70E473]", "päs"),  # Windows-1252
            ("$HEX[613a62]", "a:b"),
            ("$hex[61]", "a"),
            ("$HEX[7]", "$HEX[7]"),
            ("$HEX[zz]", "$HEX[zz]"),
            ("$HEX[61]x", "$HEX[61]x"),
            ("$HEX", "$HEX"),
        ],
    )
    def test_passwords_in_hex_are_read(self, written: str, password: str) -> None:
        assert ListReading().pair(f"taro:{written}") == ("taro", password)

    def test_passwords_in_hex_are_in_the_encoding_of_the_list(self) -> None:
        written = "さくら".encode("cp932").hex()
        assert ListReading("cp932").pair(f"taro:$HEX[{written}]") == ("taro", "さくら")


class TestSkipped:
    @pytest.mark.parametrize(
        ("line", "why"),
        [
            ("taro@example.jp", Skip.NO_SEPARATOR),
            ("taro@example.jp,secret", Skip.NO_SEPARATOR),
            ("taro secret", Skip.NO_SEPARATOR),
            ("https://shop.example/login", Skip.NO_SEPARATOR),
            ("https://shop.example/login:taro", Skip.NO_SEPARATOR),
            (":secret", Skip.ACCOUNT_EMPTY),
            ("  :secret", Skip.ACCOUNT_EMPTY),
            ("https://shop.example/::secret", Skip.ACCOUNT_EMPTY),
            ("taro:", Skip.PASSWORD_EMPTY),
            ("taro:$HEX[]", Skip.PASSWORD_EMPTY),
            ("https://shop.example/:taro:", Skip.PASSWORD_EMPTY),
            ("ta\0ro:secret", Skip.ACCOUNT_UNREADABLE),
            ("\u200b:secret", Skip.ACCOUNT_UNREADABLE),
            ("taro:secr\ufffdt", Skip.UNDECODABLE),
            ("t\ufffdro", Skip.UNDECODABLE),
            ("taro:$HEX[81]", Skip.UNDECODABLE),
            ("a" * (ACCOUNT_CHARS_MAX + 1) + ":secret", Skip.TOO_LONG),
            ("taro:" + "a" * (SECRET_BYTES_MAX + 1), Skip.TOO_LONG),
            ("taro:" + "さ" * (SECRET_BYTES_MAX // 3 + 1), Skip.TOO_LONG),
            ("a" * 60_000, Skip.TOO_LONG),
        ],
    )
    def test_a_line_that_holds_no_pair_tells_why(self, line: str, why: Skip) -> None:
        assert ListReading().pair(line) is why

    @pytest.mark.parametrize("line", ["", " ", "\u3000"])
    def test_blank_lines_are_nothing_to_speak_of(self, line: str) -> None:
        assert ListReading().pair(line) is None

    def test_what_the_guard_would_read_is_within_the_bounds(self) -> None:
        account, password = "a" * ACCOUNT_CHARS_MAX, "あ" * (SECRET_BYTES_MAX // 3)
        assert ListReading().pair(f"{account}:{password}") == (account, password)

    @pytest.mark.parametrize(
        "written",
        [
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "5F4DCC3B5AA765D61D8327DEB882CF99",
            "5f4dcc3b5aa765d61d8327deb882cf99:salt",
            "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8",
            "*2470C0C06DEE42FD1618BB99005ADCA2EC9D1E19",
            "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8",
            "$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy",
            "$1$O3JMY.Tw$AdLnLjQ/5jXF9.MTp3gHv/",
            "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFd",
            "$P$B7889EMq/erHIuZapMB8GEizebcIy9.",
            "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
            "pbkdf2_sha256$870000$salt$OJNNnCAOSH5QQ9zZfQ8VxZNLGhuCWXTyvLT0hhiE/lg=",
            "{SSHA}DkMTwBl+a/3DQTxCYEApdUtNXGgdUac3",
        ],
    )
    def test_hashes_are_no_passwords(self, written: str) -> None:
        assert ListReading().pair(f"taro:{written}") is Skip.HASH
        assert ListReading(hashes=True).pair(f"taro:{written}") == ("taro", written)

    @pytest.mark.parametrize(
        "password",
        ["deadbeef", "$money$", "$1$", "5f4dcc3b5aa765d61d8327deb882cf9", "correct horse battery staple 12345", "{x}"],
    )
    def test_what_resembles_a_hash_a_little_is_a_password(self, password: str) -> None:
        assert ListReading().pair(f"taro:{password}") == ("taro", password)

    @given(st.text())
    @example("https://" + "a." * 100)
    @example("$HEX[" + "00" * 9 + "]")
    def test_any_line_is_read_or_refused(self, line: str) -> None:
        """Any line is read or refused, and a pair that is read is canonical, not empty and within its bounds, as the
        guard asks.
        """
        match ListReading().pair(line):
            case (account, password):
                assert account == canonical(account)
                assert password
            case why:
                assert why is None or isinstance(why, Skip)

    @pytest.mark.parametrize(
        "line", ["a." * 30_000, "a./" * 20_000, "https://" + "a/:" * 20_000, "x.y/" * 15_000 + ":", "$" * 60_000]
    )
    def test_no_line_is_read_for_long(self, line: str) -> None:
        """No line takes long: a backtracking expression would need minutes; `timeout` is the tests' own."""
        assert ListReading().pair(line) is not None


class TestFile:
    @pytest.mark.parametrize(
        ("raw", "expected"),
        [
            (b"", []),
            (b"\n", [""]),
            (b"a:1\nb:2\n", ["a:1", "b:2"]),
            (b"a:1\r\nb:2\r\n", ["a:1", "b:2"]),
            (b"a:1\nb:2", ["a:1", "b:2"]),
            (b"a:1\n\nb:2\n", ["a:1", "", "b:2"]),
            (b"a:1\x0b\x0c\x1c\xc2\x85\xe2\x80\xa8b:2\n", ["a:1\x0b\x0c\x1c\x85\u2028b:2"]),
            (b"\xef\xbb\xbfa:1\nb:2\n", ["a:1", "b:2"]),
            (b"\xef\xbb", ["ï»"]),
        ],
    )
    @pytest.mark.parametrize("chunk_bytes", [1, 3, 2**20])
    def test_lines_end_in_line_feeds_and_in_nothing_else(
        self, raw: bytes, expected: list[str], chunk_bytes: int
    ) -> None:
        """Line feeds alone end lines: Python's `splitlines` knows ten more ends, which occur in passwords."""
        assert lines(raw, chunk_bytes=chunk_bytes) == expected

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp932", "euc_jp"])
    @pytest.mark.parametrize("chunk_bytes", [1, 7, 2**20])
    def test_japanese_lists_are_read_in_their_encoding(self, encoding: str, chunk_bytes: int) -> None:
        raw = "taro:パスワード\r\nハナコ:さくら：２\n".encode(encoding)
        named = encoding if encoding in {"cp932", "euc_jp"} else None
        assert lines(raw, named, chunk_bytes=chunk_bytes) == ["taro:パスワード", "ハナコ:さくら：２"]

    @pytest.mark.parametrize(("mark", "encoding"), [(b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")])
    def test_both_orders_of_utf_16_are_told_by_their_mark(self, mark: bytes, encoding: str) -> None:
        assert pairs(mark + "taro:さくら\nx:😀\n".encode(encoding)) == [("taro", "さくら"), ("x", "😀")]

    def test_a_mark_stands_above_a_name(self) -> None:
        assert pairs("taro:さくら".encode("utf-8-sig"), "cp932") == [("taro", "さくら")]

    def test_lines_that_are_not_utf_8_are_windows_1252_one_by_one(self) -> None:
        """Each line that is not UTF-8 is read as Windows-1252: one list mixes many sources."""
        raw = "a:müller\n".encode() + "b:müller\n".encode("cp1252") + "c:さくら\n".encode()
        assert pairs(raw) == [("a", "müller"), ("b", "müller"), ("c", "さくら")]

    def test_how_many_lines_were_guessed_is_told(self) -> None:
        reading = ListReading()
        list(reading.lines([b"a:m\xfcller\nb:m\xc3\xbcller\nc:\x81\xff\nd:plain\n"]))
        assert reading.guessed == 1

    def test_bytes_of_no_encoding_are_undecodable_and_cost_no_neighbour(self) -> None:
        raw = b"a:\x81\x8d\nb:secret\n"
        assert pairs(raw) == [Skip.UNDECODABLE, ("b", "secret")]

    def test_a_named_encoding_is_not_guessed_at(self) -> None:
        """A named encoding is not guessed; half a character at a line's end spoils that line alone."""
        assert pairs(b"a:\x83\nb:\x83p\x83X\n", "cp932") == [Skip.UNDECODABLE, ("b", "パス")]
        assert pairs(b"a:m\xfcller\n", "utf-8") == [Skip.UNDECODABLE]

    @pytest.mark.parametrize("name", ["no-such", "", "hex", "rot13", "idna", "a\0b"])
    def test_an_encoding_that_is_none_is_refused(self, name: str) -> None:
        with pytest.raises(CorpusError, match=r"^no such encoding"):
            ListReading(name)

    @pytest.mark.parametrize("chunk_bytes", [4096, 2**20])
    def test_a_line_without_an_end_is_held_in_bounded_memory(self, chunk_bytes: int) -> None:
        raw = b"a:1\n" + b"x" * (3 * 2**20) + b":2\nb:3\n"
        found = lines(raw, chunk_bytes=chunk_bytes)
        assert [ListReading().pair(line) for line in found] == [("a", "1"), Skip.TOO_LONG, ("b", "3")]
        assert max(map(len, found)) <= LINE_BYTES_MAX + chunk_bytes


def is_account(text: str) -> bool:
    """Whether the guard reads an account in this text: some letters become a blank and a mark that stands alone."""
    try:
        return bool(canonical(text))
    except Unreadable:
        return False


class TestBuild:
    def test_every_pair_of_a_list_is_found(self, tmp_path: Path) -> None:
        listed = [(f"user{number}@example.jp", f"Secret{number}word!") for number in range(3_000)]
        built = build(tmp_path, "\n".join(map(":".join, listed)).encode())
        assert (built.pairs, built.header.entries, built.skipped, built.guessed) == (3_000, 6_000, {}, 0)
        assert {found(tmp_path, *pair) for pair in listed} == {Pair.EXACT}
        assert {found(tmp_path, account, "Another!") for account, _ in listed} == {Pair.ABSENT}

    @given(
        st.lists(
            st.tuples(
                st.text(st.characters(categories=["L", "N"]), max_size=20)
                .map("u{}@example.jp".format)
                .filter(is_account),
                st.text(
                    st.characters(exclude_characters="\r\n\ufffd", exclude_categories=["Cs"]), min_size=1, max_size=20
                ),
            ),
            min_size=1,
            max_size=30,
        ),
        st.sampled_from(":;|\t"),
        st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
        st.sampled_from(["\n", "\r\n"]),
    )
    def test_a_listed_pair_is_found_in_any_spelling(
        self, listed: list[tuple[str, str]], separator: str, encoding: str, end: str
    ) -> None:
        """A listed pair is found in any line format and any spelling of its account."""
        text = "".join(f"{account}{separator}{password}{end}" for account, password in listed)
        with TemporaryDirectory() as folder:
            assert build(Path(folder), text.encode(encoding)).pairs == len(listed)
            pairs = Pairs(Corpus.open(Path(folder) / "pairs"), PairDigests(KEY))
            assert {pairs.find(canonical(account), password) for account, password in listed} == {Pair.EXACT}

    @pytest.mark.parametrize(
        "typed", ["taro@example.jp", "TARO@example.JP", "ｔａｒｏ＠ｅｘａｍｐｌｅ．ｊｐ", " taro@example.jp\u200b"]
    )
    @pytest.mark.parametrize("listed", ["taro@example.jp", "Taro@Example.jp ", "ｔａｒｏ＠example.jp"])
    def test_an_account_is_found_however_it_was_listed_and_is_typed(
        self, tmp_path: Path, listed: str, typed: str
    ) -> None:
        build(tmp_path, f"{listed}:secret".encode())
        assert found(tmp_path, canonical(typed), "secret") is Pair.EXACT

    def test_passwords_with_separators_are_found_whole(self, tmp_path: Path) -> None:
        build(tmp_path, b"taro:a:b;c|d\n")
        assert [found(tmp_path, "taro", word) for word in ("a:b;c|d", "b;c|d")] == [Pair.EXACT, Pair.ABSENT]

    def test_many_lists_make_one_file_gzip_or_not(self, tmp_path: Path) -> None:
        inputs = [tmp_path / "one", tmp_path / "two"]
        inputs[0].write_bytes(b"taro:secret\n")
        inputs[1].write_bytes(gzip.compress("hanako:秘密\n".encode("utf-16")))
        build_pairs(inputs, tmp_path / "pairs", KEY)
        assert found(tmp_path, "taro", "secret") is found(tmp_path, "hanako", "秘密") is Pair.EXACT

    def test_a_list_comes_from_standard_input_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"taro:secret\n")))
        build_pairs([None], tmp_path / "pairs", KEY)
        assert found(tmp_path, "taro", "secret") is Pair.EXACT

    def test_a_list_is_not_written_over(self, tmp_path: Path) -> None:
        (tmp_path / "pairs").write_bytes(b"taro:secret\n")
        with pytest.raises(CorpusError, match=r"is an input and the output"):
            build_pairs([tmp_path / "pairs"], tmp_path / "pairs", KEY)
        assert (tmp_path / "pairs").read_bytes() == b"taro:secret\n"

    def test_a_list_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError, match=r"missing: No such file"):
            build_pairs([tmp_path / "missing"], tmp_path / "pairs", KEY)

    def test_pairs_that_do_not_fit_into_memory_are_sorted_outside_of_it(self, tmp_path: Path) -> None:
        listed = [(f"user{number}", f"secretword{number}") for number in range(2_000)]
        build(tmp_path, "\n".join(map(":".join, listed)).encode(), memory_bytes=4_096)
        assert {found(tmp_path, *pair) for pair in listed} == {Pair.EXACT}
        Corpus.open(tmp_path / "pairs").verify()

    def test_a_pair_that_is_listed_often_is_kept_once(self, tmp_path: Path) -> None:
        built = build(tmp_path, b"taro:secret\n" * 500)
        assert (built.pairs, built.header.entries) == (500, 2)

    def test_the_header_names_kind_key_and_date_and_not_the_key(self, tmp_path: Path) -> None:
        header = build(tmp_path, b"taro:secret\n", built=1_700_000_000).header
        assert (header.kind, header.key_id, header.built) == ("pairs", PairDigests(KEY).key_id, 1_700_000_000)
        assert KEY not in (tmp_path / "pairs").read_bytes()

    def test_the_same_lists_under_two_keys_share_no_entry(self, tmp_path: Path) -> None:
        """Under two keys the same list gives no equal entries, or a stolen file could be used to test candidates."""
        raw = b"".join(b"user%d:secret%d\n" % (number, number) for number in range(1_000))
        (tmp_path / "list").write_bytes(raw)
        entries = []
        for key in (KEY, KEY[::-1]):
            build_pairs([tmp_path / "list"], tmp_path / "pairs", key)
            payload = (tmp_path / "pairs").read_bytes()[HEADER_BYTES:]
            entries.append({payload[at : at + 4] for at in range(0, 8_000, 4)})
        assert len(entries[0] & entries[1]) <= 1  # 2,000 of 2**28 suffixes: one in common may be chance

    def test_without_the_key_not_one_pair_of_the_file_is_confirmed(self, tmp_path: Path) -> None:
        listed = [(f"user{number}", f"secret{number}") for number in range(1_000)]
        build(tmp_path, "\n".join(map(":".join, listed)).encode())
        thief = Pairs(Corpus.open(tmp_path / "pairs"), PairDigests(KEY[::-1]))
        assert {thief.find(*pair) for pair in listed} == {Pair.ABSENT}


class TestReport:
    BAD = b"taro:secret\n\nhanako\n:x\ny:\na\x00:b\nz:\x81\nu:5f4dcc3b5aa765d61d8327deb882cf99\nv:" + b"x" * 5_000

    def test_what_is_left_out_is_counted_by_reason(self, tmp_path: Path) -> None:
        assert build(tmp_path, self.BAD).skipped == dict.fromkeys(Skip, 1)

    def test_strict_names_the_first_line_that_holds_no_pair_and_nothing_of_it(self, tmp_path: Path) -> None:
        with pytest.raises(CorpusError) as error:
            build(tmp_path, self.BAD, strict=True)
        assert str(error.value) == f"{tmp_path / 'list'}, line 3: no separator"
        assert not (tmp_path / "pairs").exists()

    def test_strict_counts_lines_through_blocks_and_inputs(self, tmp_path: Path) -> None:
        (tmp_path / "good").write_bytes(b"taro:secret\n" * 9)
        (tmp_path / "bad").write_bytes(b"taro:secret\n" * 300_000 + b"hanako\n")
        with pytest.raises(CorpusError, match=r"bad, line 300001: no separator$"):
            build_pairs([tmp_path / "good", tmp_path / "bad"], tmp_path / "pairs", KEY, strict=True)

    def test_strict_takes_a_clean_list(self, tmp_path: Path) -> None:
        assert build(tmp_path, b"taro:secret\n\n", strict=True).pairs == 1

    @pytest.mark.parametrize(
        ("raw", "told"),
        [
            (b"", "no line of the input holds a pair"),
            (b"\n\n", "no line of the input holds a pair"),
            (b"a\nb\nc:\n", "no line of the input holds a pair; no separator: 2; empty password: 1"),
        ],
    )
    def test_a_list_without_a_pair_is_an_error_and_leaves_the_old_file(
        self, tmp_path: Path, raw: bytes, told: str
    ) -> None:
        """A list without a pair is an error and leaves the old file: an empty one would report everyone as unknown to
        leaks.
        """
        build(tmp_path, b"taro:secret\n")
        with pytest.raises(CorpusError) as error:
            build(tmp_path, raw)
        assert str(error.value) == told
        assert found(tmp_path, "taro", "secret") is Pair.EXACT
        assert sorted(path.name for path in tmp_path.iterdir()) == ["list", "pairs"]

    def test_a_list_without_a_pair_does_not_spoil_the_others(self, tmp_path: Path) -> None:
        (tmp_path / "empty").write_bytes(b"\n")
        (tmp_path / "good").write_bytes(b"taro:secret\n")
        assert build_pairs([tmp_path / "empty", tmp_path / "good"], tmp_path / "pairs", KEY).pairs == 1

    def test_no_error_holds_anything_of_a_line(self, tmp_path: Path) -> None:
        for line in ("hunter2", "hunter2:", ":hunter2", "hunter2\0:x", "x:hunter2\ufffd"):
            for strict in (False, True):
                with pytest.raises(CorpusError) as error:
                    build(tmp_path, line.encode(), strict=strict)
                assert "hunter2" not in "".join(format_exception(error.value))

    def test_progress_reaches_the_size_of_the_input(self, tmp_path: Path) -> None:
        steps = _Steps()
        raw = b"taro:secret\n" * 300_000
        build(tmp_path, raw, progress=steps)
        assert steps.stages[0] == (f"reading {tmp_path / 'list'}", len(raw), "B")
        assert steps.done[0] == len(raw)


class _Steps:
    """Records its messages."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None, str]] = []
        self.done: list[int] = []

    def begin(self, stage: str, total: int | None, unit: str) -> None:
        self.stages.append((stage, total, unit))
        self.done.append(0)

    def advance(self, amount: int) -> None:
        self.done[-1] += amount
