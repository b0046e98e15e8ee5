"""The notation of doors: exactly what it says is guarded, and a useless door is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sekisho.model import Charset, Door, DoorKind, Encoding, Fields, SettingsError, SuccessBy, SuccessRule
from sekisho.settings import parse_doors
from sekisho.settings.doors import two_charsets_at_one_path

NAMES = (("username",), ("email",))
PASSWORD = (("password",),)
LOGIN = DoorKind.LOGIN


def door(text: str, kind: DoorKind = LOGIN) -> Door:
    (found,) = parse_doors(kind, text, "X")
    return found


def wrong(text: str, kind: DoorKind = LOGIN) -> str:
    with pytest.raises(SettingsError) as caught:
        parse_doors(kind, text, "X")
    assert caught.value.name == "X"
    return caught.value.problem


def test_a_method_and_a_path_suffice() -> None:
    """Method and path suffice: form and JSON, user name or e-mail, and a password."""
    assert door("POST /login") == Door(
        LOGIN,
        "POST",
        "/login",
        (Fields(Encoding.FORM, NAMES, PASSWORD), Fields(Encoding.JSON, NAMES, PASSWORD)),
    )


def test_everything_can_be_said() -> None:
    """Several doors, encodings, nested fields, alternatives and rules can be written."""
    first, second, third, fourth = parse_doors(
        LOGIN,
        "post /login form:user|mail,pw json:user.email,user.password success=302:/home|302|2xx|cookie:sid|json:a.b;"
        " POST /token oauth2; * /files/* basic ; PUT /up multipart",
        "X",
    )

    assert first == Door(
        LOGIN,
        "POST",
        "/login",
        (
            Fields(Encoding.FORM, (("user",), ("mail",)), (("pw",),)),
            Fields(Encoding.JSON, (("user", "email"),), (("user", "password"),)),
        ),
        (
            SuccessRule(SuccessBy.STATUS, statuses=range(302, 303), location="/home"),
            SuccessRule(SuccessBy.STATUS, statuses=range(302, 303)),
            SuccessRule(SuccessBy.STATUS, statuses=range(200, 300)),
            SuccessRule(SuccessBy.COOKIE, name="sid"),
            SuccessRule(SuccessBy.JSON, path=("a", "b")),
        ),
    )
    assert second.fields == (Fields(Encoding.PASSWORD_GRANT, (("username",),), PASSWORD),)
    assert (third.method, third.path, third.fields) == ("*", "/files/*", (Fields(Encoding.BASIC),))
    assert fourth.fields == (Fields(Encoding.MULTIPART, NAMES, PASSWORD),)


def test_forms_have_flat_names() -> None:
    """A dot in a form field is part of its name; in JSON it nests."""
    found = door("POST /login form:user.email,user[pw] json:user.email,pw")

    assert found.fields[0].account == (("user.email",),)
    assert found.fields[0].secret == (("user[pw]",),)
    assert found.fields[1].account == (("user", "email"),)


@pytest.mark.parametrize(
    ("kind", "secret"),
    [
        (DoorKind.SIGNUP, PASSWORD),
        (DoorKind.CHANGE, PASSWORD),
        (DoorKind.LINK, PASSWORD),
        (DoorKind.RESET, ()),
        (DoorKind.CODE, (("code",),)),
    ],
)
def test_other_doors_have_the_fields_that_are_usual_there(kind: DoorKind, secret: tuple[tuple[str, ...], ...]) -> None:
    """Other doors default to their usual fields: a password where none is sent would refuse every request."""
    found = door("POST /x", kind)

    assert found.kind is kind
    assert [(fields.account, fields.secret) for fields in found.fields] == [(NAMES, secret), (NAMES, secret)]


def test_doors_but_the_log_in_may_lack_a_field() -> None:
    """A reset may lack a secret and a code an account; a log-in has both."""
    assert door("POST /reset form:email", DoorKind.RESET).fields == (Fields(Encoding.FORM, (("email",),)),)
    assert door("POST /code form:,code", DoorKind.CODE).fields == (Fields(Encoding.FORM, (), (("code",),)),)
    assert "needs an account and a secret" in wrong("POST /login form:email")
    assert wrong("POST /login form:mail, pass").endswith(
        "has a blank after a comma; write no blanks, as in form:username,password"
    )
    assert "needs an account and a secret" in wrong("POST /login form:,password")
    assert "write it in SEKISHO_CODE, as in form:,password" in wrong("POST /login form:,password")


def test_a_third_part_is_the_password_that_is_chosen() -> None:
    """A third part names the field of the new password; at a sign-up the secret itself is new."""
    change = door("POST /password form:user,old,new|password1 json:,,user.new", DoorKind.CHANGE)
    signup = door("POST /signup form:email,password", DoorKind.SIGNUP)

    assert change.fields[0] == Fields(Encoding.FORM, (("user",),), (("old",),), (("new",), ("password1",)))
    assert change.fields[1] == Fields(Encoding.JSON, (), (), (("user", "new"),))
    assert (change.secret_is_new, signup.secret_is_new) == (False, True)
    assert not door("POST /signup form:email,invitation,password", DoorKind.SIGNUP).secret_is_new
    assert not door("POST /login").secret_is_new


@pytest.mark.parametrize(
    ("kind", "new_secret"),
    [(DoorKind.CHANGE, (("new_password",),)), (DoorKind.RESET, PASSWORD), (DoorKind.SIGNUP, ()), (DoorKind.LINK, ())],
)
def test_the_chosen_password_stands_where_it_is_usual(kind: DoorKind, new_secret: tuple[tuple[str, ...], ...]) -> None:
    """The new password's usual field is checked by default, so no breached one is set there."""
    assert {fields.new_secret for fields in door("POST /x", kind).fields} == {new_secret}


@pytest.mark.parametrize("path", ["/login", "/login/", "/", "/a/b.c", "/ログイン", "/a-b_c~d", "/a:b@c,d=e"])
def test_paths_are_what_the_application_sees(path: str) -> None:
    """Paths are decoded and exact, with or without a last slash, as the application sees them."""
    assert door(f"POST {path}").path == path


@pytest.mark.parametrize(
    "path",
    ["login", "/login?a=b", "/login#a", "/log%69n", "//login", "/a//b", "/a/../login", "/./login", "/a/..",
     "/users/{id:int}/login", "/users/<id>/login", "\\login", "/" + "a" * 256, "https://x/login"],
)  # fmt: skip
def test_a_path_that_never_matches_is_refused(path: str) -> None:
    """A path with a query, escape or pattern is refused: it would never match, and guard nothing."""
    assert "door 1 wants the path as the application sees it" in wrong(f"POST {path}")


@pytest.mark.parametrize("path", ["*", "/*", "/files/*"])
@pytest.mark.parametrize("method", ["*", "GET", "PROPFIND"])
def test_basic_may_stand_anywhere(method: str, path: str) -> None:
    """Basic may be read on any request (RFC 7617)."""
    found = door(f"{method} {path} basic")

    assert (found.method, found.path, found.reads_body) == (method, path, False)


@pytest.mark.parametrize(
    ("word", "charset"),
    [
        ("basic", Charset.UTF_8),
        ("basic:utf-8", Charset.UTF_8),
        ("basic:latin-1", Charset.LATIN_1),
        ("basic:utf-8|latin-1", Charset.UTF_8_OR_LATIN_1),
    ],
)
def test_basic_names_its_charset(word: str, charset: Charset) -> None:
    """Row 4.13: a Basic door names the charset that its application reads."""
    assert door(f"* /files/* {word}").fields == (Fields(Encoding.BASIC, charset=charset),)
    assert door(f"POST /login form {word}").fields[1] == Fields(Encoding.BASIC, charset=charset)


@pytest.mark.parametrize("word", ["basic:", "basic:latin1", "basic:LATIN-1", "basic:latin-1|utf-8", "basic:user,pw"])
def test_a_charset_is_one_of_three(word: str) -> None:
    """There are three charsets, which the error lists."""
    assert "one of utf-8, latin-1 and utf-8|latin-1" in wrong(f"* /files/* {word}")


@pytest.mark.parametrize("path", ["/files*", "/*/files", "/fi*les", "/files/**", "**", "*/files"])
def test_a_prefix_ends_in_a_slash_and_a_star(path: str) -> None:
    """A prefix ends in `/*`, as `/files*` would cover `/filesystem`; no other pattern exists."""
    assert "a prefix ends in /*" in wrong(f"GET {path} basic")


@pytest.mark.parametrize(
    "text", ["* /login", "POST /a/* form", "POST * json", "* /a form basic", "POST /a/* basic json"]
)
def test_wildcards_are_for_basic_alone(text: str) -> None:
    """Wildcards are for Basic alone: no door reads every body of a site."""
    assert "only doors whose one encoding is basic" in wrong(text)


@pytest.mark.parametrize("method", ["GET", "HEAD", "options"])
def test_a_body_needs_a_method_that_has_one(method: str) -> None:
    """A method without a body is refused: credentials in a query are not read."""
    assert f"{method.upper()} requests have none" in wrong(f"{method} /login")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("POST", "wants a method and a path first"),
        ("/login", "wants a method and a path first"),
        ("P0ST /login", "wants a method and a path first"),
        ("POST /login;", "door 2 wants a method and a path first"),
        ("POST /a; ; POST /b", "door 2 wants a method and a path first"),
        (
            "POST /login xml",
            "begins with none of form, multipart, json, basic, path, oauth2, graphql, success=, cookies=, headers=, ac",
        ),
        ("POST /login FORM", "did you mean form?"),
        ("POST /login form sucess=303:/", "did you mean success=?"),
        ("POST /login jsn:email,password", "did you mean json?"),
        ("POST /login form cookie=csrftoken", "did you mean cookies=?"),
        ("POST /login form success:303:/", "did you mean success=?"),
        ("POST /login form=username,password", "did you mean form:?"),
        ("POST /login Success=303:/", "did you mean success=?"),
        ("POST /login josn success=303:/", "did you mean json?"),
        ("POST /login form form:a,b", "names one encoding twice"),
        ("POST /login form multipart", "form beside multipart or oauth2"),
        ("POST /login form oauth2", "form beside multipart or oauth2"),
        ("POST /login basic:user", "names fields for basic, which has none"),
        ("POST /login, POST /signin", "has a second path; doors are separated by ;"),
        ("POST /login form: username, password", "write no blanks, as in form:username,password"),
        ("POST /login form:", "names no field"),
        ("POST /login form:a,a", "reads two of account, secret and new secret from the same field"),
        ("POST /login form:a|b,b", "reads two of account, secret and new secret from the same field"),
        ("POST /login form:a|,b", "has a field that is not written name"),
        ("POST /login form:a,b,c", "names a field for a new password, which is set at SIGNUP, RESET and CHANGE doors"),
        ("POST /login form:a,b,c,d", "has a field list of more than three parts"),
        ("POST /login json:a..b,c", "has a field that is not written name"),
        ("POST /login json:.a,c", "has a field that is not written name"),
        ("POST /login json:a.b.c.d.e.f.g.h.i,c", "has a field that is not written name"),
        ("POST /login form:a|a,b", "alternatives, or one of them twice"),
        ("POST /login form:a|b|c|d|e,p", "more than 4 alternatives"),
        ("POST /login success=302 success=200", "has two success= parts"),
        ("POST /login success=", "has a rule of success that is none of"),
        ("POST /login success=302|", "has a rule of success that is none of"),
        ("POST /login success=401", "has a rule of success that is none of"),
        ("POST /login success=5xx", "has a rule of success that is none of"),
        ("POST /login success=200:/home", "has a rule of success that is none of"),
        ("POST /login success=302:", "has a rule of success that is none of"),
        ("POST /login success=302:home", "has a rule of success that is none of"),
        ("POST /login success=cookie:", "has a rule of success that is none of"),
        ("POST /login success=cookie:a=b", "has a rule of success that is none of"),
        ("POST /login success=json:", "has a rule of success that is none of"),
        ("POST /login success=json:a..b", "has a field that is not written name"),
        ("POST /login success=header:x", "has a rule of success that is none of"),
        ("POST /login success=" + "|".join(f"cookie:{n}" for n in range(9)), "has more than 8 rules"),
        (";".join(f"POST /{n}" for n in range(65)), "lists more than 64 doors"),
    ],
)
def test_what_makes_no_sense_is_named(text: str, problem: str) -> None:
    """An error names the number of its door and a correct form."""
    assert problem in wrong(text)


def test_a_redirect_may_lead_to_another_site() -> None:
    """A redirect rule may name another site, as single sign-on needs."""
    assert door("POST /login success=303:https://app.example/home").success[0].location == "https://app.example/home"


@pytest.mark.parametrize(
    ("login", "is_wrong"),
    [
        ("GET /a basic; PUT /A/ basic:latin-1", True),
        ("GET /a/* basic:utf-8|latin-1; PUT /a/* basic:latin-1", True),
        ("GET /a basic:latin-1; PUT /a basic:latin-1", False),
        ("* /a/* basic:latin-1; * * basic", False),
        ("POST /a form basic; GET /a basic:latin-1", False),
    ],
)
def test_one_path_reads_basic_in_one_charset(login: str, is_wrong: bool) -> None:
    """A path has one Basic charset: a method without its own door would get the first one's."""
    doors = parse_doors(LOGIN, login, "X")
    assert (two_charsets_at_one_path(doors) is doors[-1]) is is_wrong


@pytest.mark.parametrize(
    "text", ["POST /a; POST /a json", "POST /a; POST /A/", "* /a/* basic; * /a/* basic", "POST /; POST / basic"]
)
def test_one_request_has_one_door(text: str) -> None:
    """Two doors for one request are refused, as one would have no effect."""
    assert "repeats a method and path that already is a door" in wrong(text)


def test_methods_of_one_path_are_different_doors() -> None:
    """Different methods, and a path and its prefix, are different doors."""
    names = [one.name for one in parse_doors(LOGIN, "POST /a; PUT /a; * /a basic; * /a/* basic; * * basic", "X")]

    assert names == ["POST /a", "PUT /a", "* /a", "* /a/*", "* *"]


@given(st.text(max_size=80), st.sampled_from(DoorKind))
def test_any_text_is_doors_or_one_kind_of_error(text: str, kind: DoorKind) -> None:
    """Any text is doors or one kind of error, and no door lacks a path."""
    try:
        doors = parse_doors(kind, text, "X")
    except SettingsError:
        doors = ()

    assert all(one.path.startswith(("/", "*")) and one.fields for one in doors)


WORDS = st.text(st.characters(categories=["Ll", "Nd"]), min_size=6, max_size=12)


@given(
    WORDS.filter(lambda word: not word.isascii()),
    st.sampled_from(
        [
            "{0}",
            "POST {0}",
            "POST /a%{0}",
            "POST /a {0}",
            "POST /a form:{0}",
            "POST /a success={0}:x",
            "{0} /a",
            "* /{0}",
        ]
    ),
)
def test_no_error_repeats_what_was_written(word: str, shape: str) -> None:
    """No error repeats a method, path, encoding, field or rule."""
    assert word not in wrong(shape.format(word))


def test_a_log_in_may_be_shown_some_cookies_and_headers() -> None:
    """A log-in may name cookies and headers that its run needs; the default is none."""
    assert door("POST /login cookies=csrftoken,__Host-lang form").cookies == {"csrftoken", "__Host-lang"}
    assert door("POST /login").cookies == frozenset()
    assert door("POST /login headers=X-Tenant,x-client").headers == {"x-tenant", "x-client"}
    assert door("POST /login").headers == frozenset()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("POST /login cookies=", "is not written csrftoken,lang"),
        ("POST /login cookies=a,,b", "is not written csrftoken,lang"),
        ('POST /login cookies="a"', "is not written csrftoken,lang"),
        ("POST /login cookies=a cookies=b", "has two cookies= parts"),
        ("POST /login cookies=a,a", "or one of them twice"),
        ("POST /login cookies=a,b,c,d,e,f,g,h,i", "names more than 8 cookies"),
        ("POST /login headers=x-a,,b", "is not written x-tenant,x-client"),
        ("POST /login headers=x-a headers=b", "has two headers= parts"),
        ("POST /login headers=x-a,X-A", "or one of them twice"),
        ("POST /login headers=a,b,c,d,e,f,g,h,i", "names more than 8 headers"),
        ("POST /login headers=Authorization", "names a header in headers= that carries a session"),
        ("POST /login headers=x-a,cookie", "names a header in headers= that carries a session"),
    ],
)
def test_cookies_and_headers_are_few_and_named(text: str, problem: str) -> None:
    """Cookies and headers are few and named, as each one passes the seal."""
    assert problem in wrong(text)


def test_other_doors_are_shown_none() -> None:
    """Other doors name none: their answers are not escrowed."""
    assert "LOGIN doors alone" in wrong("POST /signup cookies=a", DoorKind.SIGNUP)
    assert "LOGIN doors alone" in wrong("POST /signup headers=a", DoorKind.SIGNUP)


def test_placeholders_stand_for_steps_of_a_path() -> None:
    """Placeholders for path segments name account and secret; a body may give the rest."""
    (asked, done, looked) = parse_doors(
        DoorKind.RESET,
        "POST /password-recovery/{email} path:email; POST /reset/{key}/ path:,key form:,,password1; "
        "POST /users/{id}/reset form:code",
        "SEKISHO_RESET",
    )
    assert asked.fields == (Fields(Encoding.PATH, (("email",),)),)
    assert done.fields == (
        Fields(Encoding.PATH, (), (("key",),)),
        Fields(Encoding.FORM, (), (), (("password1",),)),
    )
    assert (asked.reads_body, done.reads_body, looked.reads_body) == (False, True, True)
    assert parse_doors(DoorKind.LINK, "GET /magic/{token} path:,token", "SEKISHO_LINK")[0].method == "GET"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("POST /reset/{key} path:email", "not, once, a placeholder in its path"),
        ("POST /reset/{key}/{key} path:,key", "not, once, a placeholder in its path"),
        ("POST /reset/{uid}-{key} path:,key", "a placeholder that is not a whole step"),
        ("POST /reset/{key path:,key", "no patterns in {} or <>"),
        ("POST /reset/{1} path:,key", "no patterns in {} or <>"),
        ("POST /reset/{key} path", "has path without placeholders"),
        ("POST /reset/{key} path:,,key", "more than one account and one secret"),
        ("POST /reset/{a}/{b} path:a|b", "more than one account and one secret"),
        ("POST /reset/{email} path:email form:email,code", "from its path and from a body"),
        ("POST /reset/{email} path:email form", "from its path and from a body"),
        ("GET /reset/{key} path:,key form:,,password", "reads a body, and GET requests have none"),
        ("POST /reset/{a} path:,a; POST /Reset/{b}/ path:,b", "repeats a method and path"),
        ("* /reset/{key} path:,key", "has a *"),
    ],
)
def test_placeholders_that_make_no_sense_are_named(text: str, problem: str) -> None:
    """A wrong placeholder is reported by the number of its door."""
    with pytest.raises(SettingsError, match=re.escape(problem)):
        parse_doors(DoorKind.RESET, text, "SEKISHO_RESET")


def test_a_log_in_reads_no_path() -> None:
    """A log-in reads neither account nor secret from its path, and may have placeholders for something else."""
    assert "needs an account and a secret" in wrong("POST /users/{name}/login path:name form:,password")
    assert "LOGIN doors read nothing from" in wrong("POST /users/{a}/{b}/login path:a,b")
    assert door("POST /{language}/login").path == "/{language}/login"


def test_tenants_precede_the_name() -> None:
    """`account=` puts placeholders of the path, or fixed text, before the field of the account."""
    found = door("POST /realms/{realm}/login form:username,password account={realm}/{username}")
    assert found.tenant == ("{realm}",)
    assert found.fields == (Fields(Encoding.FORM, (("username",),), PASSWORD),)
    assert door("POST /{a}/{b} json:u.name,p account={b}/main/{a}/{u.name}").tenant == ("{b}", "main", "{a}")
    assert door("POST /{realm}/token oauth2 account={realm}/{username}").tenant == ("{realm}",)
    asked = door("POST /{realm}/reset/{email} path:email account={realm}/{email}", DoorKind.RESET)
    assert asked.tenant == ("{realm}",)


@pytest.mark.parametrize(
    ("rest", "problem"),
    [
        ("account={username}", "not written account={realm}/{username}"),
        ("account={other}/{username}", "not written account={realm}/{username}"),
        ("account=a:b/{username}", "not written account={realm}/{username}"),
        ("account=/{username}", "not written account={realm}/{username}"),
        ("account=a/b/c/d/{username}", "not written account={realm}/{username}"),
        ("account={realm}/{username} account={realm}/{username}", "not written account={realm}/{username}"),
        ("account={realm}/{name}", "something else than the field of its account"),
        ("account={realm}/username", "something else than the field of its account"),
        ("account={realm}/", "something else than the field of its account"),
    ],
)
def test_tenants_that_cannot_be_read_are_refused(rest: str, problem: str) -> None:
    """A part that is in no path, an empty one, too many, and a name that is not the account's."""
    assert problem in wrong(f"POST /realms/{{realm}}/login form:username,password {rest}")


def test_graphql_operations_are_doors() -> None:
    """Each operation is a door of its own; several share a path, and places may be inside an input object."""
    first, second = parse_doors(
        LOGIN, "POST /graphql graphql:login(email|name,password); POST /graphql graphql:adminLogin(in.user,in.pw)", "X"
    )
    assert first.fields == (Fields(Encoding.GRAPHQL, (("email",), ("name",)), PASSWORD, operation="login"),)
    assert second.fields == (Fields(Encoding.GRAPHQL, (("in", "user"),), (("in", "pw"),), operation="adminLogin"),)
    assert (first.name, second.name) == ("POST /graphql login", "POST /graphql adminLogin")
    assert door("POST /{shop}/graphql graphql:login(email,pw) account={shop}/{email}").tenant == ("{shop}",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("POST /g graphql", "graphql without an operation"),
        ("POST /g graphql:login", "graphql without an operation"),
        ("POST /g graphql:(a,b)", "graphql without an operation"),
        ("POST /g graphql:log-in(a,b)", "graphql without an operation"),
        ("POST /g graphql:login(a)", "needs an account and a secret"),
        ("POST /g graphql:login(a,b,c,d)", "more than three parts"),
        ("POST /g graphql:login(a,b) form", "graphql beside another encoding"),
        ("POST /g graphql:login(a,b) success=2xx", "rule of success by status"),
        ("POST /g graphql:login(a,b) success=!401", "rule of success by status"),
        ("GET /g graphql:login(a,b)", "reads a body"),
        ("* /g graphql:login(a,b)", "has a *"),
        ("POST /g graphql:login(a,b); POST /g graphql:login(a,c)", "repeats a method and path"),
        ("POST /g graphql:login(a,b); POST /g", "repeats a method and path"),
        ("POST /g; POST /g/ graphql:login(a,b)", "repeats a method and path"),
    ],
)
def test_graphql_that_cannot_be_read_is_refused(text: str, problem: str) -> None:
    """An operation without a name or a secret, company, and a rule that every answer fits."""
    assert problem in wrong(text)


def test_a_reset_may_be_asked_for_at_an_address_on_file() -> None:
    """`on_file=` names the account's field, or another one of a form or JSON."""
    own = door("POST /forgot form:email on_file=email", DoorKind.RESET)
    assert (own.on_file, own.fields) == (True, (Fields(Encoding.FORM, (("email",),)),))
    other = door("POST /forgot form:user on_file=send_to", DoorKind.RESET)
    assert other.fields == (Fields(Encoding.FORM, (("user",),), address=(("send_to",),)),)
    assert not door("POST /forgot form:email", DoorKind.RESET).on_file


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("POST /login on_file=email", LOGIN, "RESET doors alone"),
        ("POST /forgot form:email on_file=email on_file=email", DoorKind.RESET, "RESET doors alone"),
        ("POST /reset form:email,token on_file=email", DoorKind.RESET, "where no reset is asked for"),
        ("POST /reset form:,,password on_file=email", DoorKind.RESET, "where no reset is asked for"),
        ("POST /forgot/{email} path:email on_file=other", DoorKind.RESET, "neither its account nor another field"),
    ],
)
def test_an_address_that_cannot_be_checked_is_refused(text: str, kind: DoorKind, problem: str) -> None:
    """Other doors, tokens, and fields that are not read."""
    assert problem in wrong(text, kind)


def test_a_sign_up_may_prove_its_address_first() -> None:
    """`contact=` names the account's field, or another one of a form or JSON; the other fields stay."""
    own = door("POST /signup form:email,password contact=email", DoorKind.SIGNUP)
    assert (own.contact, own.is_answered_first, own.fields[0].address) == (True, True, ())
    other = door("POST /signup json:user,password contact=mail.to", DoorKind.SIGNUP)
    assert other.fields[0] == Fields(Encoding.JSON, (("user",),), (("password",),), address=(("mail", "to"),))
    plain = door("POST /signup form:email,password", DoorKind.SIGNUP)
    assert (plain.contact, plain.is_answered_first) == (False, False)


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("POST /login contact=email", LOGIN, "SIGNUP doors alone"),
        ("POST /signup contact=email contact=email", DoorKind.SIGNUP, "SIGNUP doors alone"),
        ("POST /{shop}/signup contact=email", DoorKind.SIGNUP, "placeholder in its path"),
        ("POST /signup form:email,password contact=password", DoorKind.SIGNUP, "contact= what is neither its account"),
        ("POST /signup basic contact=email", DoorKind.SIGNUP, "contact= what is neither its account"),
    ],
)
def test_an_address_that_cannot_be_proved_is_refused(text: str, kind: DoorKind, problem: str) -> None:
    """Other doors, paths to which no page sends a form, and fields that hold no address."""
    assert problem in wrong(text, kind)


def test_a_log_in_may_send_the_name_first() -> None:
    """`first=name` lets a request with a name alone pass; without it none does."""
    assert door("POST /login form:user,pass success=302:/home first=name").name_first
    assert not door("POST /login form:user,pass success=302:/home").name_first


@pytest.mark.parametrize(
    ("text", "kind", "problem"),
    [
        ("POST /login success=302:/ first=password", LOGIN, "once, first=name, at a LOGIN door"),
        ("POST /login success=302:/ first=name first=name", LOGIN, "once, first=name, at a LOGIN door"),
        ("POST /code form:user,code success=302:/ first=name", DoorKind.CODE, "once, first=name, at a LOGIN door"),
        ("* /api/* basic success=!401 first=name", LOGIN, "reads no form, multipart or JSON"),
        ("POST /login form:user,pass first=name", LOGIN, "first=name and no success="),
    ],
)
def test_a_first_step_that_could_not_be_told_from_a_log_in_is_refused(text: str, kind: DoorKind, problem: str) -> None:
    """Other doors and encodings, and doors without a rule of success."""
    assert problem in wrong(text, kind)


def test_a_log_out_is_a_route_without_fields() -> None:
    """A log-out is written METHOD PATH; GET as well, and `forget=device`. Anything else is refused."""
    doors = parse_doors(DoorKind.LOGOUT, "POST /logout; get /out forget=device; POST /{shop}/logout", "SEKISHO_LOGOUT")
    assert [(door.name, door.fields, door.forgets_device) for door in doors] == [
        ("POST /logout", (), False),
        ("GET /out", (), True),
        ("POST /{shop}/logout", (), False),
    ]
    for text in (
        "POST",
        "POST /o form:a,b",
        "POST /o success=303",
        "* /o",
        "POST /o/*",
        "POST /o forget=all",
        "POST o",
    ):
        with pytest.raises(SettingsError):
            parse_doors(DoorKind.LOGOUT, text, "SEKISHO_LOGOUT")


def test_a_log_in_that_begins_with_a_passkey_has_one_field() -> None:
    """It is written METHOD PATH, and `success=`; the field is always `credential`, of a form or JSON."""
    (door,) = parse_doors(DoorKind.PASSKEY, "POST /login/passkey success=cookie:session", "SEKISHO_PASSKEY")
    assert [(one.encoding, one.account, one.secret) for one in door.fields] == [
        (Encoding.FORM, (), (("credential",),)),
        (Encoding.JSON, (), (("credential",),)),
    ]
    assert (door.name, door.shows_passkey, door.has_owner) == ("POST /login/passkey", True, False)
    assert door.success == (SuccessRule(SuccessBy.COOKIE, name="session"),)


@pytest.mark.parametrize(
    "text",
    ["POST", "POST /p form:a,b", "POST /p cookies=a", "POST /{shop}/p", "GET /p", "* /p", "POST /p/*", "POST p"],
)
def test_no_other_field_begins_a_log_in_with_a_passkey(text: str) -> None:
    """Another field would not be verified, and a request without a body shows no passkey."""
    with pytest.raises(SettingsError):
        parse_doors(DoorKind.PASSKEY, text, "SEKISHO_PASSKEY")
