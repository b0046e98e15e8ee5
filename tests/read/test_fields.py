"""Which fields are read from a request at a door, and which requests are refused instead of guessed at."""

from __future__ import annotations

import gzip
import json
import time
from base64 import b64encode
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sanic.headers import parse_credentials

from sekisho.model import Charset, Credentials, Door, DoorKind, Encoding, Fields, Unreadable
from sekisho.read import Doors, decoded, read_credentials
from tests.read.making import FORM, JSON, assert_refused, door, read, refusal, scope, typed

ALICE = Credentials("alice", "s3cret")
MULTIPART = b"multipart/form-data; boundary=XX"


def multipart(*fields: tuple[str, str]) -> bytes:
    parts = "".join(
        f'--XX\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    )
    return f"{parts}--XX--\r\n".encode()


# --- what is read


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"username=alice&password=s3cret", FORM),
        (b"password=s3cret&&csrf=x&username=alice&", FORM),
        (b"user%6eame=alice&password=s3%63ret", FORM),
        (b"username=alice&password=s3cret", b"Application/X-WWW-Form-Urlencoded ; Charset=utf-8;"),
        (b"username=alice&password=s3cret", FORM + b'; charset="UTF-8"'),
        (b"username=alice&password=s3cret", FORM + b"; charset=us-ascii"),
        (b'{"username":"alice","password":"s3cret","remember":true,"age":NaN}', JSON),
        (b' {"user\\u006eame":"alice","x":[{"y":[1e999]}],"password":"s3cret"}\n', JSON + b"; charset=utf-8"),
        (b'{"email":"alice","password":"s3cret"}', b"application/vnd.api+json"),
        (multipart(("username", "alice"), ("password", "s3cret")), MULTIPART),
        (multipart(("username", "alice"), ("password", "s3cret"))[:-2], MULTIPART + b"; charset=UTF-8"),
        (multipart(("username", "alice"), ("password", "s3cret")), b'multipart/form-data; boundary="XX"'),
    ],
)
def test_every_encoding_gives_the_same_attempt(body: bytes, content_type: bytes) -> None:
    """Row 41: form, multipart and JSON give the same attempt."""
    assert read(body, content_type) == ALICE


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ("alice@example.com", b"username=alice%40example.com&password=x"),
        ("a b+c", b"username=a+b%2Bc&password=x"),
        ("é", b"username=%C3%A9&password=x"),
        ("100%", b"username=100%&password=x"),
        ("%zz%@", b"username=%zz%%40&password=x"),
        ("a;b", b"username=a%3Bb&password=x&next=/;/"),
        ("a=b", b"username=a=b&password=x"),
        ("%40", b"username=%2540&password=x"),
    ],
)
def test_forms_are_decoded_as_frameworks_do(expected: str, body: bytes) -> None:
    """Forms are decoded as frameworks do: escapes, plus signs, and lookalikes of separators."""
    assert read(body) == Credentials(expected, "x")


def test_nested_json() -> None:
    """A dotted name leads through JSON objects."""
    nested = Door(DoorKind.LOGIN, "POST", "/t", (Fields(Encoding.JSON, (("user", "email"),), (("secret",),)),))
    assert read(b'{"user":{"email":"a","x":1},"secret":"b"}', JSON, nested) == Credentials("a", "b")
    for wrong in (b'"a"', b"null", b"[]", b'[{"email":"a"}]', b"1"):
        assert_refused((400, "account_not_text"), b'{"user":%b,"secret":"b"}' % wrong, JSON, nested)
    assert_refused((400, "json_key_repeated"), b'{"user":{"email":"a","email":"c"},"secret":"b"}', JSON, nested)
    assert_refused((400, "json_key_repeated"), b'{"user":{"email":"a"},"user":{},"secret":"b"}', JSON, nested)


def test_doors_without_a_field() -> None:
    """A field that the door does not name is empty."""
    code = Door(DoorKind.CODE, "POST", "/c", (Fields(Encoding.FORM, (), (("code",),)),))
    reset = Door(DoorKind.RESET, "POST", "/r", (Fields(Encoding.FORM, (("email",),), ()),))
    assert read(b"code=123456", FORM, code) == Credentials("", "123456")
    assert read(b"email=a", FORM, reset) == Credentials("a", "")
    assert read(b"", FORM, Door(DoorKind.LOGOUT, "POST", "/o", ())) == Credentials("", "")
    assert_refused((400, "account_missing"), b"", FORM, reset)


# --- what is refused


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ((400, "account_repeated"), b"username=a&username=b&password=x"),  # row 32
        ((400, "account_repeated"), b"username=a&user%6Eame=b&password=x"),
        ((400, "account_repeated"), b"username=a&email=b&password=x"),
        ((400, "account_repeated"), b"username=a&email&password=x"),
        ((400, "secret_repeated"), b"username=a&password=x&password=x"),
        ((400, "account_bracketed"), b"username=a&username[]=b&password=x"),  # row 34
        ((400, "account_bracketed"), b"username%5B0%5D=a&password=x"),
        ((400, "account_bracketed"), b"username=a&password=x&email+[x]"),
        ((400, "secret_bracketed"), b"username=a&password[]=x&password[]=y"),  # row 35
        ((400, "account_missing"), b"password=x"),  # row 28
        ((400, "account_missing"), b"Username=a&password=x"),
        ((400, "account_missing"), b""),
        ((400, "account_empty"), b"username=&password=x"),
        ((400, "account_empty"), b"username&password=x"),
        ((400, "secret_missing"), b"username=a"),
        ((400, "secret_empty"), b"username=a&password="),
        ((400, "two_meanings"), b"username=a;password=x"),  # python-multipart before 0.0.30 splits fields here as well
        ((400, "two_meanings"), b"username=a;password=y&password=x"),
        ((400, "two_meanings"), b"password=g1&username=decoy1;username=hana"),
        ((400, "two_meanings"), b"password=g1&username=decoy1&x;user%6Eame=hana"),
        ((400, "two_meanings"), b"password=x&username=hana;"),
        ((400, "two_meanings"), b"username=hana&password=123456;x"),
        ((400, "two_meanings"), b"username=hana&password=x&y=1;email[]=b"),
        ((400, "not_unicode"), b"username=%ff&password=x"),
        ((400, "not_unicode"), b"username=a&password=%C3"),
        ((400, "not_unicode"), b"username=%ED%A0%80&password=x"),
        ((400, "not_unicode"), "username=é&password=x".encode()),
        ((400, "account_too_long"), b"username=" + b"a" * 1_025 + b"&password=x"),  # row 26
        ((400, "secret_too_long"), b"username=a&password=" + b"a" * 4_097),  # row 88
        ((400, "secret_too_long"), b"username=a&password=" + b"%E3%81%82" * 1_366),
        ((413, "too_many_fields"), b"username=a&password=x" + b"&a" * 999),  # row 54
        ((400, "two_meanings"), b'{"username":"a","password":"x","y":"&username=b&password=x&"}'),
        ((400, "two_meanings"), b" \n[1,&username=b&password=x&"),
        ((400, "two_meanings"), b"\0{\0&username=b&password=x&"),
    ],
)
def test_doubtful_forms_are_refused(expected: tuple[int, str], body: bytes) -> None:
    """A form that two parsers could read differently is refused."""
    assert_refused(expected, body)


@pytest.mark.parametrize(
    "body", [b'{"y":"&username=b&password=x&","username":"a"}', b" [&username=b&password=x&", b"{"]
)
def test_a_form_that_is_json_is_refused_where_forms_alone_are_read(body: bytes) -> None:
    """An application that tries JSON first and then a form would try another account than the one that is counted."""
    assert_refused((400, "two_meanings"), body, FORM, door(Encoding.FORM))


def test_the_bounds_themselves_pass() -> None:
    """The bounds pass: 1,024 characters of account, 4,096 bytes of secret, 1,000 fields."""
    assert read(b"username=" + b"a" * 1_024 + b"&password=" + b"b" * 4_096) == Credentials("a" * 1_024, "b" * 4_096)
    assert read(b"username=alice&password=s3cret" + b"&a" * 998) == ALICE


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        ((400, "json_key_repeated"), b'{"username":"a","username":"b","password":"x"}'),  # row 33
        ((400, "json_key_repeated"), b'{"username":"a","\\u0075sername":"a","password":"x"}'),
        ((400, "json_key_repeated"), b'{"username":"a","password":"x","z":{"q":1,"q":2}}'),
        ((400, "account_repeated"), b'{"username":"a","email":"b","password":"x"}'),
        ((400, "account_not_text"), b'{"username":["a","b"],"password":"x"}'),  # row 34
        ((400, "account_not_text"), b'{"username":{"a":"b"},"password":"x"}'),
        ((400, "account_not_text"), b'{"username":1,"password":"x"}'),
        ((400, "account_not_text"), b'{"username":true,"password":"x"}'),
        ((400, "account_not_text"), b'{"username":null,"password":"x"}'),
        ((400, "secret_not_text"), b'{"username":"a","password":["x","y"]}'),  # row 35
        ((400, "account_missing"), b'{"password":"x"}'),
        ((400, "account_empty"), b'{"username":"","password":"x"}'),
        ((400, "secret_empty"), b'{"username":"a","password":""}'),
        ((400, "json_not_object"), b'[{"username":"a","password":"x"}]'),  # row 51
        ((400, "json_not_object"), b'"username"'),
        ((400, "json_malformed"), b""),
        ((400, "json_malformed"), b'{"username":"a","password":"x"'),
        ((400, "json_malformed"), b'{"username":"a","password":"x"}{}'),
        ((400, "json_malformed"), b'\xef\xbb\xbf{"username":"a","password":"x"}'),
        ((400, "json_malformed"), b'{"username":"a\x01","password":"x"}'),
        ((400, "json_malformed"), b'{"username":"a","password":"x","n":' + b"9" * 5_000 + b"}"),
        ((400, "json_malformed"), b'{"x":' + b"[" * 100_000),
        ((400, "json_malformed"), b'{"x":' * 100_000),
        ((400, "not_unicode"), b'{"username":"\\ud800","password":"x"}'),  # row 27
        ((400, "not_unicode"), b'{"username":"a","password":"\\udfff\\ud800"}'),
        ((400, "not_unicode"), b'{"username":"\xff","password":"x"}'),
        ((400, "json_malformed"), '{"username":"a","password":"x"}'.encode("utf-16-le")),
        ((400, "not_unicode"), '{"username":"a","password":"x"}'.encode("utf-16")),
        ((400, "two_meanings"), b'{"username":"a","password":"x","y":"&username=b&password=x&"}'),
        ((400, "two_meanings"), b'{"username":"a","password":"x","y":"&pass%77ord[]=x&"}'),
    ],
)
def test_doubtful_json_is_refused(expected: tuple[int, str], body: bytes) -> None:
    """Duplicates, coercions, batches, other encodings, and JSON that is also a form are refused."""
    assert_refused(expected, body, JSON)


def test_an_ampersand_in_json_is_no_form() -> None:
    """An ampersand in JSON makes no form, unless it names a field of interest."""
    assert read(b'{"username":"a&b","password":"x&y=z&"}', JSON) == Credentials("a&b", "x&y=z&")


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        b"",
        b"text/plain",  # row 40
        b"application/x-www-form-urlencoded, application/json",
        b"application/x-www-form-urlencoded/json",
        b"application /json",
        b"application/xml",
        b"text/json",
        b"json",
        b"application/json; charset",
        b"application/json; charset=utf-8; charset=utf-8",
        b"application/json; charset*=utf-8''x",
        b'application/json; charset="utf-8',
        b'application/json; charset="utf\\-8"',
        b"application/json; charset =utf-8",
        b"application/json; a=b c",
        b"application/json\x00",
        "application/jsonü".encode(),
        b"application/json;" + b" " * 1_024,
        b"multipart/mixed; boundary=XX",
    ],
)
def test_other_content_types_are_refused(content_type: bytes | None) -> None:
    """Row 40: other content types are refused, never passed as *no user*."""
    assert_refused((415, "content_type"), b"username=a&password=x", content_type)


@pytest.mark.parametrize("charset", [b"utf-16", b"ibm037", b"utf-7", b"utf-8-sig", b"latin-1", b'"utf-16"', b"u8"])
@pytest.mark.parametrize("content_type", [FORM, JSON, MULTIPART])
def test_other_charsets_are_refused(charset: bytes, content_type: bytes) -> None:
    """Row 38: other charsets are refused: the application would decode differently."""
    assert_refused((415, "charset"), b"username=a&password=x", content_type + b"; charset=" + charset)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"username=%C3%A9&password=x", FORM),
        ('{"username":"é","password":"x"}'.encode(), JSON),
        (multipart(("username", "é"), ("password", "x")), MULTIPART),
    ],
)
def test_ascii_means_ascii(body: bytes, content_type: bytes) -> None:
    """Under us-ascii Django reads replacement characters where Starlette reads letters, so others are refused."""
    assert refusal(body, content_type) is None
    assert_refused((415, "charset"), body, content_type + b"; charset=us-ascii")


def test_only_the_doors_encodings_are_read() -> None:
    """A JSON body at a form door is refused, and the other way round."""
    assert_refused((415, "content_type"), b"{}", JSON, door(Encoding.FORM))
    assert_refused((415, "content_type"), b"username=a&password=x", FORM, door(Encoding.JSON))
    assert_refused((415, "content_type"), b"username=a&password=x", FORM, door(Encoding.MULTIPART))
    body = multipart(("email", "a"), ("password", "b"))
    assert read(body, MULTIPART, door(Encoding.MULTIPART)) == Credentials("a", "b")


def test_two_content_types_are_refused() -> None:
    """Two content types are refused: frameworks differ about which counts."""
    request = scope(headers=[(b"content-type", FORM), (b"content-type", JSON)])
    with pytest.raises(Unreadable, match=r"^400 content_type_repeated$"):
        read_credentials(door(), request, b"username=a&password=x")


@pytest.mark.parametrize("query", [b"password=x", b"a=b&p%61ssword", b"password[]=x", b"&&password=%ff"])
def test_credentials_in_the_query_are_refused(query: bytes) -> None:
    """Row 42: credentials in the query are refused, also beside a valid body."""
    assert_refused((400, "credentials_in_query"), b"username=a&password=x", query_string=query)
    assert refusal(b"username=a&password=x", query_string=b"next=/home&user=password") is None


@pytest.mark.parametrize(
    "content_type",
    [
        b"a/b" + b';a="' * 200,
        b"application/json; " + b"a=\\" * 300,
        b'application/json; charset="' + b'\\"' * 400,
        b"multipart/form-data; boundary=" + b'"' * 900,
        b";" * 100_000,
        b" " * 100_000,
    ],
)
def test_hostile_content_types_cost_nothing(content_type: bytes) -> None:
    """Row 57: hostile content types take far less than 50 ms."""
    began = time.perf_counter()
    assert refusal(b"", content_type) is not None
    assert time.perf_counter() - began < 0.05


# --- compressed


def test_compressed_bodies_are_read_from_what_they_hold() -> None:
    """Row 53: compressed bodies are judged by their decoded bytes."""
    body = b"username=alice&password=s3cret"
    packed = gzip.compress(body)
    request = scope(headers=[(b"content-type", FORM), (b"content-encoding", b"gzip")])
    plain = decoded(request["headers"], packed, 1_000)
    assert read_credentials(door(), request, plain, raw=packed) == ALICE


def test_compressed_bodies_are_refused_where_nobody_decoded_them() -> None:
    """A compressed body is refused if nothing decoded it, so a missing step cannot open the door."""
    request = scope(headers=[(b"content-type", FORM), (b"content-encoding", b"gzip")])
    body = b"username=a&password=x"
    for raw in (None, body):
        with pytest.raises(Unreadable, match=r"^415 content_encoding$"):
            read_credentials(door(), request, body, raw=raw)


def with_comment(data: bytes, comment: bytes) -> bytes:
    """Gzip with a file name, which may hold anything except NUL (RFC 1952)."""
    packed = gzip.compress(data)
    return packed[:3] + b"\x08" + packed[4:10] + comment + b"\0" + packed[10:]


@pytest.mark.parametrize(
    ("content_type", "data", "comment"),
    [
        (FORM, b"username=decoy&password=x", b"&username=alice&password=x&"),
        (MULTIPART, multipart(("username", "decoy"), ("password", "x")), b"\r\n" + multipart(("username", "alice"))),
    ],
)
def test_compressed_bodies_that_are_forms_themselves_are_refused(
    content_type: bytes, data: bytes, comment: bytes
) -> None:
    """A compressed body that is a form itself is refused: an undecoding application would read a form in the file
    name.
    """
    raw = with_comment(data, comment)
    request = scope(headers=[(b"content-type", content_type), (b"content-encoding", b"gzip")])
    plain = decoded(request["headers"], raw, 10_000)
    assert plain == data
    with pytest.raises(Unreadable, match=r"^400 two_meanings$"):
        read_credentials(door(), request, plain, raw=raw)


# --- HTTP Basic


def basic(value: str | bytes) -> tuple[bytes, bytes]:
    raw = value.encode() if isinstance(value, str) else value
    return b"authorization", b"Basic " + b64encode(raw)


BASIC = door(Encoding.BASIC, method="*", path="*")


def read_header(*headers: tuple[bytes, bytes], at: Door = BASIC, body: bytes = b"") -> Any:
    try:
        return read_credentials(at, scope("/files", "GET", list(headers)), body)
    except Unreadable as error:
        return error.status, error.reason


@pytest.mark.parametrize(
    ("expected", "header"),
    [
        (Credentials("alice", "s3cret"), basic("alice:s3cret")),
        (Credentials("alice", "s3:cret"), basic("alice:s3:cret")),
        (Credentials("é", "あ"), basic("é:あ")),
        (Credentials("alice", "s3cret"), (b"authorization", b"bASIC YWxpY2U6czNjcmV0")),
        (None, (b"authorization", b"Bearer x")),
        (None, (b"accept", b"*/*")),
        ((400, "account_empty"), basic(":x")),
        ((400, "secret_empty"), basic("a:")),
        ((400, "basic_malformed"), basic("alice")),
        ((400, "not_unicode"), basic(b"\xff:x")),
        ((400, "basic_malformed"), (b"authorization", b"Basic")),
        ((400, "basic_malformed"), (b"authorization", b"Basic\tYTpi")),
        ((400, "basic_malformed"), (b"authorization", b"Basic  YTpi")),
        ((400, "basic_malformed"), (b"authorization", b"Basic YTpi, Basic YTpj")),
        ((400, "basic_malformed"), (b"authorization", b"Basic YTp")),
        ((400, "basic_malformed"), (b"authorization", b"Basic YT-pi")),
        ((400, "basic_malformed"), (b"authorization", b"Basic YTpi\n")),
        ((400, "basic_malformed"), (b"authorization", b"Basic YTpi====")),
        ((400, "basic_malformed"), basic("a:" + "b" * 50_000)),
        ((400, "secret_too_long"), basic("a:" + "b" * 4_097)),
        ((400, "account_too_long"), basic("a" * 1_025 + ":b")),
    ],
)
def test_basic(expected: Any, header: tuple[bytes, bytes]) -> None:
    """Row 48: RFC 7617, read strictly."""
    assert read_header(header) == expected


def basic_in(charset: Charset) -> Door:
    return Door(DoorKind.LOGIN, "*", "*", (Fields(Encoding.BASIC, charset=charset),))


MUELLER = Credentials("müller", "geheim-ö")
IN_LATIN_1 = basic(b"m\xfcller:geheim-\xf6")
IN_UTF_8 = basic("müller:geheim-ö")


def test_basic_is_read_in_the_charset_that_the_door_names() -> None:
    """Row 4.13: a door that names Latin-1 reads Basic in it."""
    assert read_header(IN_LATIN_1) == (400, "not_unicode")
    assert read_header(IN_LATIN_1, at=basic_in(Charset.LATIN_1)) == MUELLER
    assert read_header(IN_LATIN_1, at=basic_in(Charset.UTF_8_OR_LATIN_1)) == MUELLER
    assert read_header(IN_UTF_8, at=basic_in(Charset.UTF_8_OR_LATIN_1)) == MUELLER
    assert read_header(basic("alice:s3:cret"), at=basic_in(Charset.LATIN_1)) == Credentials("alice", "s3:cret")


@pytest.mark.parametrize(
    "raw",
    [
        "müller:x".encode(),
        "müller:geheim-ö".encode(),
        "x:geheim-ö".encode(),
        "Ã¼:x".encode("latin-1"),
        "müller".encode() + b":geheim-\xf6",
        b"m\xfcller:" + "geheim-ö".encode(),
        "あ:x".encode(),
    ],
)
def test_what_latin_1_and_utf_8_read_differently_is_refused(raw: bytes) -> None:
    """A header that Latin-1 and UTF-8 read differently is refused: `mÃ¼ller` would be asked, and `müller` opened."""
    assert read_header(basic(raw), at=basic_in(Charset.LATIN_1)) == (400, "two_meanings")


@pytest.mark.parametrize("raw", ["müller".encode() + b":geheim-\xf6", b"m\xfcller:" + "geheim-ö".encode()])
def test_two_charsets_in_one_header_are_refused(raw: bytes) -> None:
    """Two charsets in one header are refused: some applications decode the pair, others each half."""
    assert read_header(basic(raw), at=basic_in(Charset.UTF_8_OR_LATIN_1)) == (400, "two_meanings")


@pytest.mark.parametrize("charset", [Charset.LATIN_1, Charset.UTF_8_OR_LATIN_1])
@pytest.mark.parametrize("raw", [b"a\x80:b", b"a:b\x80", b"\xfc\x9f:b"])
def test_what_windows_1252_reads_differently_is_refused(raw: bytes, charset: Charset) -> None:
    """0x80 is `€` in Windows-1252 and a control character in Latin-1, so it is refused."""
    assert read_header(basic(raw), at=basic_in(charset)) == (400, "two_meanings")


@pytest.mark.parametrize("charset", [Charset.LATIN_1, Charset.UTF_8_OR_LATIN_1])
def test_latin_1_is_read_as_strictly_as_utf_8(charset: Charset) -> None:
    """Latin-1 is read as strictly as UTF-8."""
    at = basic_in(charset)
    assert read_header(basic(b"m\xfcller"), at=at) == (400, "basic_malformed")
    assert read_header(basic(b":\xfc"), at=at) == (400, "account_empty")
    assert read_header(basic(b"\xfc:"), at=at) == (400, "secret_empty")
    assert read_header(basic(b"\xfc:" + b"\xfc" * 2_049), at=at) == (400, "secret_too_long")
    assert read_header(basic(b"\xfc" * 1_025 + b":b"), at=at) == (400, "account_too_long")


@pytest.mark.parametrize("order", [1, -1])
def test_a_form_door_reads_basic_in_the_charset_of_the_nearest_prefix(order: int) -> None:
    """A form door reads Basic in the charset of the nearest prefix, whose application decodes the header."""
    wide = Door(DoorKind.LOGIN, "*", "*", (Fields(Encoding.BASIC),))
    near = Door(DoorKind.LOGIN, "*", "/a/*", (Fields(Encoding.BASIC, charset=Charset.LATIN_1),))
    far = Door(DoorKind.LOGIN, "*", "/another/long/path/*", (Fields(Encoding.BASIC),))
    doors = Doors([door(path="/a/login"), *[wide, near, far][::order]])
    request = scope("/a/login", headers=[(b"content-type", FORM), IN_LATIN_1])

    found = doors.find(request)

    assert found is not None
    assert read_credentials(found, request, b"") == MUELLER
    assert read(b"username=alice&password=s3cret", FORM, found) == ALICE


@pytest.mark.parametrize("before", ["\xa0", "  ", "\x85", "\x1f", " \t\xa0", "\xa0" * 9])
def test_basic_behind_what_applications_strip_is_basic(before: str) -> None:
    """Row 130: `str.split` drops all of these, HTTP/2 and uvicorn pass them on: the scheme is found, and refused."""
    value = f"{before}Basic YTpi"
    assert value.split() == ["Basic", "YTpi"]
    header = (b"authorization", value.encode("latin-1"))
    assert Doors([BASIC]).find(scope(headers=[header])) is not None
    assert read_header(header) == (400, "basic_malformed")


@pytest.mark.parametrize("value", [b"x Basic YTpi", b"XBasicYTpi", b"Bearer Basic YTpi", b"Digest x, Basic \xa0YTpi"])
def test_a_pair_behind_another_scheme_is_basic(value: bytes) -> None:
    """Row 130: Sanic looks for `Basic` anywhere in the header."""
    assert parse_credentials(value.decode("latin-1"))[0] == "Basic"
    assert Doors([BASIC]).find(scope(headers=[(b"authorization", value)])) is not None
    assert read_header((b"authorization", value)) == (400, "basic_malformed")


def test_another_scheme_is_not_basic() -> None:
    """A scheme that only ends or goes on like it is another, and so is a token that happens to hold its name."""
    for value in (b"Bearer Basic", b"xbasic YTpi", b"\xa0Bearer basic", b"Bearer eyJhBasicx/8z+Q.abc"):
        assert Doors([BASIC]).find(scope(headers=[(b"authorization", value)])) is None


def test_several_authorizations_are_refused() -> None:
    """Several `Authorization` headers are refused: frameworks differ about which counts."""
    assert read_header(basic("a:b"), basic("a:c")) == (400, "authorization_repeated")
    assert read_header((b"authorization", b"Bearer x"), basic("a:c")) == (400, "authorization_repeated")


def test_two_kinds_of_credentials_are_refused() -> None:
    """At a form door under a Basic wildcard a request with both credentials is refused."""
    request = scope(headers=[(b"content-type", FORM), basic("alice:s3cret")])
    both = Doors([door(), BASIC]).find(request)
    assert both is not None
    with pytest.raises(Unreadable, match=r"^400 two_credentials$"):
        read_credentials(both, request, b"username=bob&password=x")
    assert read_credentials(both, request, b"") == ALICE
    assert read(b"username=alice&password=s3cret", FORM, both) == ALICE
    # Without such a wildcard the header belongs to a proxy.
    assert read_credentials(door(), request, b"username=bob&password=x") == Credentials("bob", "x")


# --- the password grant


GRANT = door(Encoding.PASSWORD_GRANT, path="/token")


@pytest.mark.parametrize(
    ("expected", "body"),
    [
        (ALICE, b"grant_type=password&username=alice&password=s3cret"),  # row 47
        (ALICE, b"grant_type=password&username=alice&password=s3cret&scope=a+b&client_id=x"),
        (ALICE, b"username=alice&password=s3cret"),  # FastAPI's form does not insist on the grant
        (ALICE, b"grant_type=&username=alice&password=s3cret"),
        (ALICE, b"grant_type=refresh_token&username=alice&password=s3cret"),
        (None, b"grant_type=refresh_token&refresh_token=x"),
        (None, b"grant_type=client_credentials&client_secret=x&username=alice"),
        ((400, "grant_type_repeated"), b"grant_type=refresh_token&grant_type=password&username=a&password=x"),
        ((400, "grant_type_bracketed"), b"grant_type[]=password&username=a&password=x"),
        ((400, "account_missing"), b"grant_type=password&password=x"),
        ((400, "secret_missing"), b"grant_type=password&username=a"),
        ((400, "account_missing"), b"grant_type=other&password=x"),
    ],
)
def test_the_password_grant(expected: Any, body: bytes) -> None:
    """Only a grant without a password is no guess at one."""
    client = basic("client:secret")
    request = scope("/token", headers=[(b"content-type", FORM), client])
    try:
        found: Any = read_credentials(GRANT, request, body)
    except Unreadable as error:
        found = (error.status, error.reason)
    assert found == expected


def test_a_grant_without_names_reads_the_standards() -> None:
    """A grant door without field names reads those of RFC 6749."""
    plain = Door(DoorKind.LOGIN, "POST", "/token", (Fields(Encoding.PASSWORD_GRANT),))
    assert read(b"grant_type=password&username=alice&password=s3cret", FORM, plain) == ALICE
    assert_refused((400, "credentials_in_query"), b"grant_type=password", FORM, plain, query_string=b"password=x")


def test_a_form_door_does_not_look_at_the_grant() -> None:
    """A door for plain forms reads every form, whichever grant it names."""
    both = door(Encoding.FORM, Encoding.PASSWORD_GRANT)
    assert_refused((400, "account_missing"), b"grant_type=refresh_token", FORM, both)


# --- any input


DOORS = [
    door(),
    GRANT,
    BASIC,
    door(Encoding.MULTIPART),
    door(*Encoding),
    Door(DoorKind.CODE, "POST", "/c", (Fields(Encoding.JSON, (), (("a", "b"),)),)),
]
TYPES = st.sampled_from([FORM, JSON, MULTIPART, FORM + b"; charset=us-ascii", b"x"]) | st.binary(max_size=60)
BODIES = st.binary(max_size=80) | st.sampled_from(
    [b"username=a&password=b", b'{"username":"a","password":"b"}', multipart(("username", "a"), ("password", "b"))]
)


@given(st.sampled_from(DOORS), TYPES, BODIES, st.binary(max_size=30), st.binary(max_size=30))
def test_anything_is_read_or_refused(at: Door, content_type: bytes, body: bytes, query: bytes, token: bytes) -> None:
    """Any bytes are read or raise `Unreadable`, whose text holds nothing of the input."""
    headers = [(b"content-type", content_type), (b"authorization", b"Basic " + token)]
    found, refused = None, None
    try:
        found = read_credentials(at, scope(headers=headers, query_string=query), body)
    except Unreadable as error:
        refused = error
    assert found is None or (found.account + found.secret).encode()
    if refused is not None:
        assert refused.status in {400, 413, 415}
        assert refused.reason.replace("_", "").isalpha()
        assert refused.__context__ is None


KEYS = st.sampled_from(["username", "email", "password", "other"])


@given(st.lists(st.tuples(KEYS, st.text(min_size=1, max_size=5)), max_size=5))
def test_json_is_read_only_without_duplicates(pairs: list[tuple[str, str]]) -> None:
    """Row 33: JSON is read only if first-wins and last-wins parsers agree."""
    body = "{" + ",".join(f"{json.dumps(key)}:{json.dumps(value)}" for key, value in pairs) + "}"
    try:
        found = read(body.encode(), JSON)
    except Unreadable:
        return
    assert found is not None
    for tree in (dict(pairs), dict(reversed(pairs))):
        assert found == Credentials(tree.get("username", "") + tree.get("email", ""), tree["password"])


def test_many_doors_do_not_pile_up() -> None:
    """The memory prepared per door is bounded, and never mixed up between doors."""
    for number in range(600):
        each = Door(DoorKind.LOGIN, "POST", "/x", (Fields(Encoding.FORM, ((f"u{number}",),), (("p",),)),))
        assert read_credentials(each, typed(FORM), f"u{number}=a&p=b".encode()) == Credentials("a", "b")


# --- the new password

CHANGE = Door(
    DoorKind.CHANGE,
    "POST",
    "/password",
    (
        Fields(Encoding.FORM, (("user",),), (("old",),), (("new",), ("password1",))),
        Fields(Encoding.JSON, (("user",),), (("old",),), (("set", "new"),)),
    ),
)


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"user=a&old=b&new=c"),
        (FORM, b"password1=c&user=a&old=b&password2=d"),
        (MULTIPART, multipart(("user", "a"), ("old", "b"), ("new", "c"))),
        (JSON, b'{"user":"a","old":"b","set":{"new":"c"}}'),
    ],
)
def test_a_chosen_password_is_read_in_every_encoding(content_type: bytes, body: bytes) -> None:
    """A new password is read in every encoding, or a breached one could be set by the unread encoding."""
    assert read(body, content_type, CHANGE) == Credentials("a", "b", "c")


@pytest.mark.parametrize(("content_type", "body"), [(FORM, b"user=a&old=b"), (JSON, b'{"user":"a","old":"b"}')])
def test_a_request_may_leave_out_the_new_password(content_type: bytes, body: bytes) -> None:
    """No new password is fine: one page may send a mail and later take the password."""
    assert read(body, content_type, CHANGE) == Credentials("a", "b", "")


@pytest.mark.parametrize(
    ("expected", "content_type", "body"),
    [
        ((400, "new_secret_repeated"), FORM, b"user=a&old=b&new=c&password1=d"),
        ((400, "new_secret_repeated"), FORM, b"user=a&old=b&new=c&new=d"),
        ((400, "new_secret_bracketed"), FORM, b"user=a&old=b&new[]=c"),
        ((400, "new_secret_not_text"), JSON, b'{"user":"a","old":"b","set":{"new":["c"]}}'),
        ((400, "secret_too_long"), FORM, b"user=a&old=b&new=" + b"c" * 4_097),
        ((400, "two_meanings"), JSON, b'{"user":"a","old":"b","set":{"new":"c"},"x":"&new=d&"}'),
    ],
)
def test_a_doubtful_choice_is_refused(expected: tuple[int, str], content_type: bytes, body: bytes) -> None:
    """A doubtful new password is refused as strictly as a secret: the application could set the other one."""
    assert_refused(expected, body, content_type, CHANGE)


def test_a_chosen_password_has_no_place_in_a_query() -> None:
    """A new password in the query, which ends up in logs, is refused."""
    assert_refused((400, "credentials_in_query"), b"user=a&old=b", FORM, CHANGE, query_string=b"new=c")


@pytest.mark.parametrize("body", [b"_method=PUT&username=a&password=x", b"a=1&%5Fmethod=PUT", b'{"_method": "PUT"}'])
def test_a_log_out_is_no_way_into_the_log_in_beside_it(body: bytes) -> None:
    """A log-out's body is read only for a method override to another door at its path (row 43)."""
    out = Door(DoorKind.LOGOUT, "POST", "/login", (), shares_path=True)
    assert out.reads_body
    assert read(b"", at=out) == read(b"all=1", at=out) == Credentials("", "")
    assert_refused((400, "method_override"), body, at=out)


@pytest.mark.parametrize("body", [b"username=a&password=x&_method=PUT", b"username=a&password=x&%5Fmethod"])
def test_a_method_in_a_form_matters_where_doors_share_a_path(body: bytes) -> None:
    """A `_method` field matters only where doors share a path: a single door is the door by any method (row 43)."""
    assert read(body) == Credentials("a", "x")
    assert_refused((400, "method_override"), body, at=replace(door(), shares_path=True))
