"""Our parsers against those of applications: any difference must be a refusal, or it is a bypass."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import pytest
from blacksheep.multipart import get_boundary_from_header, parse_multipart_async
from django.conf import UserSettingsHolder, global_settings, settings  # type: ignore[import-untyped]
from django.core.files.uploadhandler import MemoryFileUploadHandler  # type: ignore[import-untyped]
from django.http.multipartparser import MultiPartParser as DjangoParser  # type: ignore[import-untyped]
from django.http.multipartparser import MultiPartParserError
from hypothesis import example, given
from hypothesis import strategies as st
from litestar._multipart import parse_multipart_form
from litestar.exceptions import ClientException
from sanic.headers import parse_content_header
from sanic.request.form import parse_multipart_form as sanic_form
from starlette.formparsers import MultiPartException
from starlette.requests import Request
from werkzeug.formparser import MultiPartParser as WerkzeugParser

from sekisho.model import Encoding, Unreadable
from sekisho.read.multipart import read_multipart
from sekisho.read.names import Mention, Names, form_names, unquoted
from sekisho.read.urlencoded import read_urlencoded
from tests.read.making import FORM, door, read, refusal, scope

if TYPE_CHECKING:
    from blacksheep.contents import StreamedFormPart

NAMES: Names = form_names(door(Encoding.FORM).fields)
Pairs = list[tuple[str, str]]


async def starlette_pairs(body: bytes, content_type: bytes) -> Pairs | None:
    """What Starlette's `form()` reads with python-multipart; `None` if it refuses."""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    try:
        async with Request(scope(headers=[(b"content-type", content_type)]), receive).form() as form:
            return [(key, value if isinstance(value, str) else "<file>") for key, value in form.multi_items()]
    except MultiPartException:
        return None


def picked(pairs: Pairs) -> dict[str, str]:
    """The fields of interest, without duplicates: the claim covers all that an application could take."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if (kind := NAMES.kinds.get(name)) is not None:
            assert kind not in found
            found[kind] = value
    return found


def filled(found: dict[str, str]) -> dict[str, str]:
    return {kind: value for kind, value in found.items() if value}


def ours(body: bytes) -> dict[str, str] | None:
    try:
        return read_urlencoded(body, NAMES)
    except Unreadable:
        return None


PIECES = st.sampled_from(
    [
        "username",
        "email",
        "password",
        "other",
        "&",
        "&",
        "=",
        "=",
        ";",
        "+",
        "%",
        "%3D",
        "%26",
        "%40",
        "%2B",
        "%5B",
        "[",
        "]",
        "[]",
        "[0]",
        "%75",
        "%00",
        "%C3%A9",
        "%ff",
        "%E3%81",
        "%%",
        "%4",
        "a",
        "é",
    ]
)
FORMS = st.lists(PIECES, max_size=14).map(lambda pieces: "".join(pieces).encode()) | st.binary(max_size=40)
LIKELY = st.lists(
    st.tuples(
        st.sampled_from(["username", "user%6eame", "password", "x", ""]),
        st.sampled_from(["=", ""]),
        PIECES,
        st.sampled_from(["&", "&", ";"]),
    ),
    max_size=4,
).map(lambda fields: "".join("".join(field) for field in fields).encode())


@given(FORMS | LIKELY)
@example(b"username=a&&password=b&")
@example(b"&=&username&password=%zz%40+")
@example(b"username=%%4040&password=%2540")
@example(b"password=g1&username=decoy1;username=hana")
async def test_forms_are_read_as_others_read_them(body: bytes) -> None:
    """Forms are read like `parse_qsl` (Django, Litestar, Quart) and python-multipart (Starlette, FastAPI), or
    refused.
    """
    found = ours(body)
    if found is None:
        return
    assert found == picked(parse_qsl(body.decode(), keep_blank_values=True))
    pairs = await starlette_pairs(body, FORM)
    assert pairs is not None
    # Older versions drop a name without a value, which is refused where it matters.
    assert filled(found) == filled(picked(pairs))


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=5), st.text(min_size=1), st.text())
def test_what_browsers_encode_is_read(more: Pairs, account: str, secret: str) -> None:
    """Any text encoded as WHATWG says is read back, so not all is refused."""
    others = [(f"x{name}", value) for name, value in more]
    body = urlencode([*others, ("username", account), ("password", secret)]).encode()
    assert ours(body) == {"account": account, "secret": secret}


# --- multipart


def django_pairs(body: bytes, boundary: str) -> Pairs | None:
    meta = {"CONTENT_TYPE": f"multipart/form-data; boundary={boundary}", "CONTENT_LENGTH": str(len(body))}
    # Defaults for this call alone: the settings belong to the tests of Django services.
    before, settings._wrapped = settings._wrapped, UserSettingsHolder(global_settings)
    try:
        post, files = DjangoParser(meta, BytesIO(body), [MemoryFileUploadHandler()], "utf-8").parse()
    except MultiPartParserError:
        return None
    finally:
        settings._wrapped = before
    return [(name, value) for name, values in post.lists() for value in values] + [(name, "<file>") for name in files]


async def litestar_pairs(body: bytes, boundary: str) -> Pairs | None:
    async def stream() -> Any:
        yield body

    try:
        form = await parse_multipart_form(stream(), boundary.encode())
    except (ClientException, UnicodeDecodeError, LookupError):
        return None
    found: Pairs = []
    for name, values in form.items():
        for value in values if isinstance(values, list) else [values]:
            found.append((name, value if isinstance(value, str) else "<file>"))
            if not isinstance(value, str):
                await value.close()
    return found


def werkzeug_pairs(body: bytes, boundary: str) -> Pairs | None:
    try:
        form, files = WerkzeugParser().parse(BytesIO(body), boundary.encode(), len(body))
    except ValueError:
        return None
    for file in files.values():
        file.close()
    return [*form.items(multi=True), *((name, "<file>") for name in files)]


def sanic_pairs(body: bytes, content_type: bytes) -> Pairs | None:
    _, parameters = parse_content_header(content_type.decode())
    try:
        form, files = sanic_form(body, str(parameters["boundary"]).encode())  # type: ignore[no-untyped-call]
    except (ValueError, LookupError):
        return None
    return [(name, value) for name in form for value in form.getlist(name)] + [(name, "<file>") for name in files]


async def blacksheep_pairs(body: bytes, content_type: bytes) -> Pairs | None:
    async def stream() -> Any:
        yield body

    found: Pairs = []
    try:
        async for part in parse_multipart_async(stream(), get_boundary_from_header(content_type)):
            found.append((str(part.name), await _of_blacksheep(part)))
    except (ValueError, LookupError, RuntimeError):  # a generator's end within it is a RuntimeError
        return None
    return found


async def _of_blacksheep(part: StreamedFormPart) -> str:
    value = b"".join([chunk async for chunk in part.stream()])
    return "<file>" if part.file_name else value.decode(part.charset or "utf-8")


async def assert_agreed(body: bytes, boundary: str = "XX") -> bool:
    """Assert that all parsers which read the body agree with ours. Returns whether ours read it."""
    try:
        found = read_multipart(body, boundary.encode(), NAMES)
    except Unreadable:
        return False
    content_type = f"multipart/form-data; boundary={boundary}".encode()
    theirs = [
        await starlette_pairs(body, content_type),
        django_pairs(body, boundary),
        await litestar_pairs(body, boundary),
        werkzeug_pairs(body, boundary),
        sanic_pairs(body, content_type),
        await blacksheep_pairs(body, content_type),
    ]
    assert theirs[0] is not None
    for pairs in theirs:
        assert pairs is None or picked(pairs) == found
    return True


def part(name: str, value: str, more: str = "", end: str = "\r\n") -> str:
    return f'--XX\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{value}{end}'


GOOD = part("username", "alice") + part("password", "s3cret")
END = "--XX--\r\n"
FILE = part("avatar", "\x89PNG\r\n\x1a", '; filename="a; b=é.png"\r\nContent-Type: image/png')


@pytest.mark.parametrize(
    "body",
    [
        GOOD + END,
        GOOD + "--XX--",
        GOOD + FILE + END,
        FILE + GOOD + part("empty", "", '; filename=""') + END,
        GOOD.replace('name="username"', "name=username") + END,
        GOOD.replace("; name", ";name") + END,
        GOOD.replace("\r\n\r\nalice", "\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nalice") + END,
        GOOD.replace("\r\n\r\nalice", "\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nalice") + END,
        GOOD.replace("\r\n\r\nalice", "\r\nContent-Transfer-Encoding: 8bit\r\n\r\nalice") + END,
        GOOD.replace("alice", "a\r\n\r\n--X\r\n-- X\nlice") + END,
        GOOD.replace("alice", "é\r\nあ") + END,
        GOOD.replace("alice", "") + END,
        part("other", "") + END,
    ],
)
async def test_what_clients_write_is_read_by_all(body: str) -> None:
    """Bodies by browsers, curl, requests, okhttp and .NET are read by all."""
    assert await assert_agreed(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        "",
        "--XX--\r\n" + GOOD,
        GOOD,
        GOOD + "--XX-",
        GOOD + "--XX--\r\nepilogue",
        GOOD + END + GOOD + END,
        "preamble\r\n" + GOOD + END,
        "\r\n" + GOOD + END,
        GOOD.replace("\r\n", "\n") + END,
        GOOD.replace("alice\r\n", "alice\n") + END,
        GOOD.replace("--XX\r\n", "--XX \r\n") + END,
        GOOD.replace("--XX\r\n", "--XX\n") + END,
        GOOD.replace("alice", "al--XXice") + END,
        GOOD.replace("alice", "alXXice") + END,
        part("x", 'XX\r\nContent-Disposition: form-data; name="username"\r\n\r\nbob\r\n--XX') + GOOD + END,
        part("_charset_", "unicode_escape") + GOOD.replace("alice", "\\x61lice") + END,
        part("_Charset_", "utf-16") + GOOD + END,
        GOOD.replace("alice", "al\n--XX\nice") + END,
        GOOD + part("username", "bob") + END,
        GOOD + part("email", "bob") + END,
        GOOD + part("username[]", "bob") + END,
        GOOD + part(" username", "bob") + END,
        GOOD + part("username\u00a0", "bob") + END,
        GOOD + part("%22username", "bob") + END,
        GOOD + part('x\\"; name="username', "bob") + END,
        GOOD + part("x", "bob", "; name=username") + END,
        GOOD + part("x", "bob", '; filename="a\\"; name="username"') + END,
        GOOD + part("x", "bob", "; name*=utf-8''username") + END,
        GOOD + part("x", "bob", "; filename*=utf-8''a") + END,
        GOOD + part("x", "bob", '\r\nContent-Disposition: form-data; name="username"') + END,
        GOOD + part("x", "bob", '\r\n Content-Disposition: form-data; name="username"') + END,
        GOOD + part("x", "bob", '\nContent-Disposition: form-data; name="username"') + END,
        GOOD + part("x", "bob", '\rContent-Disposition: form-data; name="username"') + END,
        GOOD + part("username", "bob", '\r\nContent-Disposition: form-data; name="x"') + END,
        GOOD + part("x", "bob", '\r\nContent-Length: 3\nContent-Disposition: form-data; name="username"') + END,
        GOOD + part("x", "bob", '\r\nContent-Length: 3\rContent-Disposition: form-data; name="username"') + END,
        GOOD + part("x", "bob", "\r\nX-Other: 1") + END,
        GOOD.replace("Content-Disposition:", "Content-Disposition :") + END,
        GOOD.replace("form-data", "attachment") + END,
        GOOD.replace("form-data; name", "form-data; Name") + END,
        GOOD.replace("Content-Disposition", "Content-Description") + END,
        part("username", "alice", '; filename="a"') + part("password", "x") + END,
        part("username", "YWxpY2U=", "\r\nContent-Transfer-Encoding: base64") + part("password", "x") + END,
        part("username", "alice", "\r\nContent-Type: text/plain; charset=utf-16") + part("password", "x") + END,
        part("username", "é", "\r\nContent-Type: text/plain; charset=us-ascii") + part("password", "x") + END,
        part("username", "alice", "\r\nContent-Type: application/json") + part("password", "x") + END,
        GOOD + part("x", "y", "\r\nContent-Type: " + "a" * 2_000) + END,
        "--XX\r\n\r\nalice\r\n" + END,
        "--XX\r\n" + END,
        "--XX\r\n\r\n" + END,
        "--XX\r\nContent-Disposition: form-data; name=username\r\n" + END,
        "--XX" * 200,
    ],
)
async def test_what_parsers_disagree_about_is_refused(body: str) -> None:
    """Every oddity that one of seven parsers forgives is refused."""
    assert not await assert_agreed(body.encode())


@pytest.mark.parametrize(
    "body",
    [
        b"--XX\r\n\xff: x\r\n\r\na\r\n--XX--",
        GOOD.replace("alice", "\udcff").encode("utf-8", "surrogateescape") + b"--XX--",
    ],
)
def test_parts_that_are_no_text_are_refused(body: bytes) -> None:
    """Parts that are no text are refused: Django and Starlette replace characters differently."""
    with pytest.raises(Unreadable, match=r"^400 not_unicode$"):
        read_multipart(body, b"XX", NAMES)


def test_the_number_of_parts_is_bounded() -> None:
    """Row 54: 100 parts are read, 10,000 refused at once."""
    body = GOOD + part("x", "y") * 98
    assert read_multipart((body + END).encode(), b"XX", NAMES) == {"account": "alice", "secret": "s3cret"}
    for more in (1, 10_000):
        with pytest.raises(Unreadable, match=r"^413 too_many_parts$"):
            read_multipart((body + part("x", "y") * more + END).encode(), b"XX", NAMES)


@pytest.mark.parametrize(
    "boundary",
    [b"", b"; boundary=", b"; boundary=" + b"a" * 71, b'; boundary="a b"', b"; Boundary*0=XX", b'; boundary="\t"'],
)
def test_boundaries_outside_the_standard_are_refused(boundary: bytes) -> None:
    """RFC 2046: 1 to 70 characters of a short list."""
    assert refusal((GOOD + END).encode(), b"multipart/form-data" + boundary) is not None


@pytest.mark.parametrize(
    ("parameters", "delimiter"),
    [
        (';x=YY ;boundary="XX"', "--YY"),
        ("; charset=utf-8 ; boundary=XX", "--utf-8"),
        ('; boundary="XX"', '--"XX"'),
        ("; boundary=XX;charset=utf-8", "--XX;charset=utf-8"),
    ],
)
async def test_a_delimiter_that_a_loose_parser_finds_is_refused(parameters: str, delimiter: str) -> None:
    """BlackSheep takes what follows the first `=` for the boundary: another parameter's value, or quotes."""
    content_type = f"multipart/form-data{parameters}".encode()
    theirs = (part("username", "bob") + part("password", "x") + "--XX--").replace("--XX", delimiter)
    body = (part("x", theirs) + GOOD + END).encode()
    assert picked(await blacksheep_pairs(body, content_type) or []) == {"account": "bob", "secret": "x"}
    assert refusal(body, content_type) in {(400, "two_meanings"), (400, "multipart_malformed")}
    assert read((GOOD + END).encode(), content_type) is not None


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b'{"username": "+AGI-ob", "password": "x"}'),
        ("application/x-www-form-urlencoded", b"username=+AGI-ob&password=x"),
        ("multipart/form-data; boundary=XX", (GOOD + END).encode()),
    ],
)
@pytest.mark.parametrize("more", ["xcharset=utf-7", 'x="charset=utf-7"', "Charset-x=utf-7", 'x="boundary=YY"'])
def test_a_parameter_inside_another_is_refused(kind: str, body: bytes, more: str) -> None:
    """BlackSheep searches the header for `charset=`: by `xcharset=utf-7`, `+AGI-ob` was `bob`."""
    assert read(body, kind.encode()) is not None
    assert refusal(body, f"{kind}; {more}".encode()) == (415, "content_type")


def test_multipart_that_is_a_form_as_well_is_refused() -> None:
    """Multipart that is also a form is refused: an application that splits at `&` would read another account."""
    body = (GOOD + part("x", "&username=bob&password=y&") + END).encode()
    assert refusal(body, b"multipart/form-data; boundary=XX") == (400, "two_meanings")
    assert read((GOOD + part("x", "a&b=c&") + END).encode(), b"multipart/form-data; boundary=XX") is not None


CHUNKS = st.lists(
    st.sampled_from(
        [
            *["--XX", "--XX--", "XX", "--", "\r\n", "\r", "\n", "\r\n\r\n"],
            *[" ", "\t", ";", ":", '"', "\\", "=", "é", "\0"],
            part("username", "alice"),
            part("password", "s3cret"),
            part("other", "z"),
            part("username", "alice", "", ""),
            FILE,
            END,
            "Content-Disposition: form-data; name=username",
            "; filename=x",
            'name="password"',
        ]
    ),
    max_size=9,
)


@given(CHUNKS.map("".join))
async def test_multipart_is_read_as_others_read_it(body: str) -> None:
    """Multipart is read as Starlette, Django, Litestar and Quart read it, or refused."""
    await assert_agreed(body.encode())


@given(
    st.integers(0, len(GOOD + END)),
    st.integers(0, 3),
    st.sampled_from(["", "\r", "\n", "\r\n", " ", "-", '"', ";", "%", "\0"]),
)
async def test_one_slip_never_divides_the_parsers(at: int, dropped: int, put: str) -> None:
    """A valid body with one change is read alike by all, or refused."""
    body = GOOD + END
    await assert_agreed((body[:at] + put + body[at + dropped :]).encode())


@given(st.text("%+=&aAfF0123456789;é\r\n", max_size=60) | st.text(max_size=30))
def test_values_are_decoded_as_the_standard_library_does(value: str) -> None:
    """Values are decoded like the standard library, with many stray `%` in no more time than letters."""
    raw = value.encode("utf-8", "surrogatepass")
    assert unquoted(raw) == unquote_to_bytes(raw)


PARTS = ["username", "%75sername", "user%", "%%75sername", "&", "=", ";", "[", "%5B", "+", "\r", "%26"]


@given(st.lists(st.sampled_from(PARTS)))
def test_a_field_is_found_wherever_it_stands(parts: list[str]) -> None:
    """The quick search misses no field that the thorough one finds."""
    text = "".join(parts).encode()
    thorough = re.compile(rb"(?:^|[&;])(?:u|%75)sername(?=[=&;[]|%5[bB]|$)", re.DOTALL)
    assert Mention(["username"]).search(text) is (thorough.search(text) is not None)


def test_so_many_fields_that_nobody_can_tell_count_as_found() -> None:
    """A form with too many fields to search counts as holding the field, at its sender's expense."""
    mention = Mention(["username"])
    assert mention.search(b"a&" * 999 + b"username")
    assert not mention.search(b"a&" * 30_000)
    with pytest.raises(Unreadable, match=r"^413 too_many_fields$"):
        mention.finditer(b"x&" * 1_000 + b"username")
