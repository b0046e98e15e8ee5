"""The comparison with another commit sends the stated load, and compares like with like."""

from __future__ import annotations

from rich.console import Console

from benchmarks.beside import beside_table
from benchmarks.login_post import numbered_login


def test_attempts_differ_in_address_account_and_password() -> None:
    """Attempts differ: a repeated attempt would be free, and a repeated address over its limit."""
    sent = [numbered_login("fail", number) for number in range(1, 201)]

    assert len({each.partition(b"X-Forwarded-For: ")[2].partition(b"\r")[0] for each in sent}) == 200
    assert len({each.rpartition(b"\r\n")[2] for each in sent}) == 200
    assert sent[0].endswith(b"username=user0000001%40mail.example&password=wrong0000001")


def test_one_address_is_shed() -> None:
    """The load `shed` comes from one address."""
    assert {b"X-Forwarded-For: 198.51.100.7\r\n" in numbered_login("shed", number) for number in range(1, 10)} == {True}


def test_the_body_is_as_long_as_it_says() -> None:
    """Otherwise the server would wait for the rest."""
    head, _, body = numbered_login("success", 7).partition(b"\r\n\r\n")

    assert f"Content-Length: {len(body)}".encode() in head


def test_the_ratio_is_of_this_tree_to_the_other() -> None:
    """The ratio is of this tree to the other: above one is dearer."""
    console = Console(record=True, width=100)
    console.print(beside_table({"wrong": {"base": 200.0, "here": 206.0}}, "base"))

    assert "1.030" in console.export_text()
