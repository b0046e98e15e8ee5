"""First steps: a request with a name alone, in which no application could find a secret either."""

from __future__ import annotations

import pytest

from sekisho.model import DoorKind
from sekisho.read.first_step import is_name_alone, is_secret_alone
from sekisho.settings.doors import parse_doors
from tests.read.making import scope

FORM = b"application/x-www-form-urlencoded"
JSON = b"application/json"
MULTIPART = b'multipart/form-data; boundary="b"'


def is_alone(body: bytes, kind: bytes = FORM, query: bytes = b"", **more: bytes) -> bool:
    text = "POST /login form:user,pin json:login.user,login.pin success=302:/home first=name"
    (door,) = parse_doors(DoorKind.LOGIN, text, "LOGIN")
    by_name = {b"content-type": kind, **{name.encode(): value for name, value in more.items()}}
    return is_name_alone(door, scope("/login", query_string=query), by_name, body)


def part(name: bytes) -> bytes:
    return b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\nhana\r\n--b--\r\n' % name


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"user=hana", FORM),
        (b"user=hana&next=%2Fpin%2Fchange&csrf_token=x", FORM),
        (b"user=pin%3D1234&shipping=1", FORM),
        (b"user=hana&passkeys=1&bypass=0&secretary=1", FORM),
        (b'{"login": {"user": "pin", "remember": true}}', JSON),
        (part(b"user"), MULTIPART),
    ],
)
def test_a_name_alone_is_a_first_step(body: bytes, kind: bytes) -> None:
    """Other fields, and words for the secret in values, do not matter."""
    assert is_alone(body, kind)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"user=hana&PIN=1", FORM),
        (b"user=hana;Pin=1", FORM),
        (b"user=hana&login%5Bpin%5D=1", FORM),
        (b"user=hana&p%69n_1=1", FORM),
        (b"user=hana&login.pin=1", FORM),
        (b'{"login": {"user": "hana"}, "x": [{"Pin": 1}]}', JSON),
        (b'{"login": {"user": "hana", "p\\u0069n": 1}}', JSON),
        (b'["pin", "1"]', JSON),
        (part(b"user") + part(b"login[pin]"), MULTIPART),
        (b"user=hana", b"text/plain"),
        (b"user=hana&password=1", FORM),
        (b"user=hana&login%5Bpasswd%5D=1", FORM),
        (b"user=hana&old_pwd=1", FORM),
        (b"user=hana&pass=1", FORM),
        (b"user=hana&mot_de_passe=1", FORM),
        (b"user=hana&contrase%C3%B1a=1", FORM),
        (b'{"login": {"user": "hana"}, "Secret": "1"}', JSON),
        ('{"login": {"user": "hana"}, "contraseña": "1"}'.encode(), JSON),
        (part(b"user") + part(b"pass_word"), MULTIPART),
        ("user=hana&Contraseña=1".encode(), FORM),
        ("user=hana&Contraseña=1".encode("latin-1"), FORM),
        (b"user=hana&contrase%F1a=1", FORM),
        (part(b"user") + part("contraseña".encode()), MULTIPART),
    ],
)
def test_a_name_like_the_secrets_is_none(body: bytes, kind: bytes) -> None:
    """A more lenient parser could read a secret there, whose guesses nothing would count."""
    assert not is_alone(body, kind)


def test_credentials_elsewhere_make_it_none() -> None:
    """A secret in the query, an `Authorization` header and a compressed body are no first steps."""
    assert not is_alone(b"user=hana", query=b"Pin=1")
    assert not is_alone(b"user=hana", authorization=b"Basic aGFuYTpyaWdodA==")
    assert not is_alone(b"user=hana", **{"content-encoding": b"gzip"})


@pytest.mark.parametrize(
    ("body", "is_alone"),
    [
        (b"pin=1&csrf_token=x&next=%2Fuser", True),
        (b"pin=1&User=otto", False),
        (b"pin=1&login%5Buser%5D=otto", False),
    ],
)
def test_a_secret_alone_names_no_account(body: bytes, is_alone: bool) -> None:
    """A more lenient parser could read another account there than the session's."""
    (door,) = parse_doors(DoorKind.LOGIN, "POST /login form:user,pin success=302:/home first=name", "LOGIN")

    assert is_secret_alone(door, scope("/login"), {b"content-type": FORM}, body) is is_alone
