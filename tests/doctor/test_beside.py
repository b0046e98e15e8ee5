"""The examination of what stands beside the store: the owners' database, the mail server, files that are written."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from sekisho.doctor.files import files_report
from sekisho.doctor.mail import mail_report
from sekisho.doctor.owners import owners_report
from sekisho.settings import Settings, load
from tests.mail.servers import real_server
from tests.owners.worlds import QUERY, in_sqlite

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from sekisho.doctor import DoctorReport

PAGE = "https://shop.example/account"


def settings(**variables: str) -> Settings:
    usual = {"SECRET": "mB7tXq2LwPz9RkVn4HsYc6JdGf3AeUo8", "CHALLENGES": "none"}
    return load({f"SEKISHO_{name}": value for name, value in (usual | variables).items()})


async def owners(read: Settings) -> DoctorReport:
    return await owners_report(read, time.monotonic)


def found(report: DoctorReport) -> list[tuple[str, str]]:
    return [(each.hazard.number, each.write) for each in report.diagnoses]


async def test_without_them_nothing_is_examined() -> None:
    """A service without owners, mail and files has nothing to report."""
    alone = settings()

    assert (await owners(alone)) + (await mail_report(alone)) + files_report(alone) == ((), (), ())


# The owners' database.


async def test_tables_that_are_missing_are_found_and_then_not(tmp_path: Path) -> None:
    """The line to write makes the tables; then the query is tried, which names a table that is not there."""
    async with in_sqlite(tmp_path / "owners.db") as world:
        there = settings(OWNERS=world.url, OWNERS_QUERY=QUERY)
        sound = await owners(there)
        wrong = await owners(settings(OWNERS=world.url, OWNERS_QUERY=QUERY.replace("users", "members")))
        await world.execute("drop table sekisho_meta")
        empty = await owners(settings(OWNERS=f"sqlite+aiosqlite:///{tmp_path}/another.db", OWNERS_QUERY=QUERY))

    assert (found(sound), sound.facts[0][0]) == ([], "owners")
    assert found(empty) == [("SEK043", "sekisho owners migrate")]
    ((number, line),) = found(wrong)
    assert (number, line.partition("=")[0]) == ("SEK043", "SEKISHO_OWNERS_QUERY")


async def test_a_database_that_is_gone_is_found() -> None:
    """The finding says that nothing listens, and holds no password."""
    gone = await owners(settings(OWNERS="postgresql+asyncpg://shop:hunter2@127.0.0.1:1/shop", OWNERS_QUERY=QUERY))

    assert found(gone) == [("SEK043", "sekisho owners check")]
    assert "nothing listens at the host and port of SEKISHO_OWNERS" in gone.diagnoses[0].what
    assert "hunter2" not in str(gone)


# The mail server.


def mailing(url: str, **variables: str) -> Settings:
    return settings(SMTP=url, MAIL_FROM="shop@mail.example", ACCOUNT_PAGE=PAGE, **variables)


async def test_a_mail_server_is_asked_and_gets_no_mail() -> None:
    """The sender is named, and the conversation ends there."""
    async with real_server() as server:
        report = await mail_report(mailing(f"smtp://127.0.0.1:{server.port}"))

    assert (found(report), server.received) == ([], [])
    assert report.facts == (("mail", "the server takes the sender; no mail was sent"),)


async def test_a_wrong_password_is_found() -> None:
    """The finding names the setting, and neither host nor password."""
    async with real_server(login=("shop", "right")) as server:
        report = await mail_report(mailing(f"smtp://shop:hunter2@127.0.0.1:{server.port}"))

    assert found(report) == [("SEK044", "SEKISHO_SMTP_PASSWORD=PASSWORD")]
    assert "hunter2" not in str(report)


async def test_a_server_without_starttls_is_found() -> None:
    """A password would otherwise go in clear: the line is that of a server that speaks TLS from the start."""
    async with real_server() as server:
        report = await mail_report(mailing(f"smtp+starttls://127.0.0.1:{server.port}"))

    assert found(report) == [("SEK044", "SEKISHO_SMTP=smtps://USER@HOST:465")]


async def test_a_certificate_that_is_not_trusted_is_found() -> None:
    """The line names the file of the authority."""
    async with real_server(tls=True) as server:
        report = await mail_report(mailing(f"smtps://127.0.0.1:{server.port}"))

    assert found(report) == [("SEK044", "SSL_CERT_FILE=/path/to/ca.pem")]


async def test_a_mail_server_that_is_gone_is_found() -> None:
    """Nothing listens: the line is that of a server with its port."""
    assert found(await mail_report(mailing("smtp://127.0.0.1:1"))) == [("SEK044", "SEKISHO_SMTP=smtp://USER@HOST:587")]


# Files.


def test_folders_that_are_missing_are_found(tmp_path: Path) -> None:
    """Events, the audit and its checkpoints, each with its line."""
    report = files_report(
        settings(
            EVENTS_FILE=f"{tmp_path}/gone/events.jsonl",
            AUDIT=f"file:{tmp_path}/gone/audit.jsonl",
            AUDIT_CHECKPOINTS=f"file:{tmp_path}",
        )
    )

    assert found(report) == [
        ("SEK023", "SEKISHO_EVENTS_FILE=/var/log/sekisho/events.jsonl"),
        ("SEK024", "SEKISHO_AUDIT=file:/var/log/sekisho/audit.jsonl"),
        ("SEK024", "SEKISHO_AUDIT_CHECKPOINTS=file:/var/log/sekisho/checkpoints.jsonl"),
    ]
    assert [each.what.partition(": ")[2] for each in report.diagnoses] == [
        "the folder of the file is not there",
        "the folder of the file is not there",
        "it is a folder, and no file",
    ]


def test_a_file_of_another_user_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file, and a folder, that this user may not write to."""
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    (tmp_path / "events").touch()
    (tmp_path / "folder").mkdir()

    report = files_report(settings(EVENTS_FILE=f"{tmp_path}/events", AUDIT=f"file:{tmp_path}/folder/audit"))

    assert [(each.hazard.number, each.what.rpartition(" ")[2]) for each in report.diagnoses] == [
        ("SEK023", "file"),
        ("SEK024", "folder"),
    ]


def test_a_full_disk_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The alert on lost lines says that the command looks at the files: a full disk lets them be opened."""
    lines = settings(EVENTS_FILE=f"{tmp_path}/events", AUDIT=f"file:{tmp_path}/audit")
    room = files_report(lines)
    monkeypatch.setattr(os, "statvfs", lambda _: os.statvfs_result((4096, 4096, 8, 0, 0, 9, 9, 9, 0, 255)))

    assert room.diagnoses == ()
    assert [(each.hazard.number, each.what.partition(": ")[2]) for each in files_report(lines).diagnoses] == [
        ("SEK023", "its disk is full"),
        ("SEK024", "its disk is full"),
    ]
