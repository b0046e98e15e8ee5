"""Step-up settings: accepted values, dependencies and warnings."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sekisho import settings
from sekisho.model import AskedFrom, FactorClass, ProtectedRoute
from sekisho.model.oidc import OidcRegistration
from sekisho.settings import StepUpFrom, extras
from sekisho.settings.extras import missing_extras
from tests.settings.loading import SECRET, load, wrong

OTHER = "Zq9_aLx3Wm6Rt0Vb8Ye1Kc4Nj7Hs2DgU"
QUERY = "select email, locale from users where username = :account"
DATABASE = {"OWNERS": "sqlite+aiosqlite:////srv/users.db", "OWNERS_QUERY": QUERY}
MAIL = {"SMTP": "smtp://mail:pw@relay:587", "MAIL_FROM": "no-reply@shop.example", "ACCOUNT_PAGE": "shop.example/me"}
CAPTCHA = {"CAPTCHA_SITEKEY": "0x4AAA", "CAPTCHA_SECRET": "sesame", "CAPTCHA_HOSTS": "Shop.example, www.shop.example"}
WEBHOOK = {"CODE_WEBHOOK": "https://codes.internal/send", "CODE_WEBHOOK_KEY": OTHER}


def test_nothing_set_asks_for_work_and_for_no_factor() -> None:
    """The defaults ask for work and for no factor."""
    loaded = load()

    assert (loaded.challenges, loaded.challenges_set, loaded.captcha) == (("pow",), False, None)
    assert (loaded.factors, loaded.protect, loaded.owners, loaded.smtp) == ((), (), None, None)
    assert (loaded.service_name, loaded.rp_id, loaded.passkey_origins) == ("this service", None, ())


def test_all_of_it_can_be_set() -> None:
    """Each variable arrives, typed, in its attribute."""
    loaded = load(
        **DATABASE | MAIL | CAPTCHA | WEBHOOK,
        FACTORS="WebAuthn, totp,email,webhook",
        CHALLENGES="pow,hcaptcha",
        CAPTCHA_URL="http://127.0.0.1:8080/siteverify",
        PASSKEY_DOMAIN="Shop.example",
        SMTP_PASSWORD="pass word",
        SERVICE_NAME="関所商店",
        PROTECT="post /top-up max_age=300; * /payout/* max_age=60 acr=phr",
        FACTOR_FLOOR="App",
        TOTP_DRIFT="0",
    )

    assert loaded.factors == ("webauthn", "totp", "email", "webhook")
    assert (loaded.challenges, loaded.challenges_set, loaded.captcha) == (("pow", "hcaptcha"), True, "hcaptcha")
    assert (loaded.captcha_sitekey, loaded.captcha_secret) == ("0x4AAA", "sesame")
    assert loaded.captcha_hosts == {"shop.example", "www.shop.example"}
    assert loaded.captcha_url == "http://127.0.0.1:8080/siteverify"
    assert (loaded.owners, loaded.owners_query) == (DATABASE["OWNERS"], QUERY)
    assert (loaded.smtp, loaded.smtp_password, loaded.mail_from) == (MAIL["SMTP"], "pass word", MAIL["MAIL_FROM"])
    assert (loaded.service_name, loaded.account_page) == ("関所商店", "shop.example/me")
    assert (loaded.code_webhook, loaded.code_webhook_key) == ("https://codes.internal/send", OTHER.encode())
    assert (loaded.rp_id, loaded.passkey_origins) == ("shop.example", ("https://shop.example",))
    payout = ProtectedRoute("*", "/payout/*", 60, FactorClass.PHR)
    assert loaded.protect == (ProtectedRoute("POST", "/top-up", 300), payout)
    assert (loaded.factor_floor, loaded.totp_drift) == ("app", 0)
    assert loaded.protect[1].name == "* /payout/*"


def test_a_class_that_no_factor_has_is_a_mistake() -> None:
    """A floor or a route's class that no factor of the site reaches stops the start: nobody could pass."""
    for given, name in (
        ({"FACTOR_FLOOR": "phr"}, "FACTOR_FLOOR"),
        ({"PROTECT": "POST /a max_age=1 acr=phr"}, "PROTECT"),
    ):
        assert [*wrong(**DATABASE, FACTORS="totp", **given)] == [name]
    assert load(**DATABASE, FACTORS="totp", FACTOR_FLOOR="app").floor is FactorClass.APP
    assert load().floor is FactorClass.SENT


def test_what_is_secret_is_in_no_representation() -> None:
    """Secrets are in no `repr`."""
    loaded = load(**DATABASE | MAIL | CAPTCHA | WEBHOOK, CHALLENGES="turnstile", SMTP_PASSWORD="hunter2")
    hidden = ("/srv/users", "locale from", "pw@", "relay", "no-reply", "sesame", "codes.internal", OTHER, "hunter2")

    assert not [part for part in hidden if part in repr(loaded)]


@pytest.mark.parametrize("name", ["OWNERS", "SMTP", "SMTP_PASSWORD", "CODE_WEBHOOK_KEY", "CAPTCHA_SECRET"])
def test_secrets_may_stand_in_files(name: str) -> None:
    """Secrets may be in files, as container platforms mount them."""
    assert next(setting for setting in settings.TABLE if setting.name == name).secret


def test_none_says_none_aloud() -> None:
    """`none` is accepted, which differs from the default of CHALLENGES."""
    loaded = load(CHALLENGES="none", FACTORS="None")

    assert (loaded.challenges, loaded.challenges_set, loaded.factors) == ((), True, ())


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("FACTORS", "webauthn,sms", "names one that is none of webauthn, totp, oidc, email, webhook"),
        ("FACTORS", "recovery", "names one that is none of"),
        ("FACTORS", "totp,totp", "lists the same item twice"),
        ("FACTORS", "totp,none", "names one that is none of"),
        ("CHALLENGES", "turnstile,hcaptcha", "names two captchas"),
        ("CHALLENGES", "recaptcha", "names one that is none of pow, turnstile, hcaptcha"),
        ("OWNERS", "postgresql://db/users", "possible are postgresql+asyncpg://"),
        ("OWNERS", "mysql+aiomysql://db/users", "mysql://user@host/database (or mariadb://)"),
        ("OWNERS", "users.db", "is no URL of a database"),
        ("OWNERS_QUERY", "select email, locale from users", "with :account"),
        ("OWNERS_QUERY", "delete from users where username = :account", "is no select"),
        ("OWNERS_QUERY", "select x from users where a = :accounts", "with :account"),
        ("OWNERS_QUERY", f"select :account {'x' * 5000}", "at most 4096 characters"),
        ("SMTP", "mail.internal:25", "is no URL of a mail server"),
        ("SMTP", "http://mail.internal", "is no URL of a mail server"),
        ("SMTP", "smtp://mail/path", "is no URL of a mail server"),
        ("MAIL_FROM", "Shop <no-reply@shop.example>", "wants one address"),
        ("MAIL_FROM", "a@b.example,c@d.example", "wants one address"),
        ("MAIL_FROM", "shop.example", "wants one address"),
        ("SERVICE_NAME", "x" * 61, "at most 60 characters"),
        ("SERVICE_NAME", "a\nSubject: b", "wants one line"),
        ("SERVICE_NAME", "a\u202eb", "wants one line"),
        ("ACCOUNT_PAGE", "http://shop.example", "wants a page"),
        ("ACCOUNT_PAGE", "javascript:alert(1)", "wants a page"),
        ("ACCOUNT_PAGE", "shop.example/a b", "wants a page"),
        ("CODE_WEBHOOK", "http://codes.internal/send", "http on 127.0.0.1 alone"),
        ("CODE_WEBHOOK", "https://user:pw@codes.internal/", "no user"),
        ("CODE_WEBHOOK", "https://", "wants a URL"),
        ("CODE_WEBHOOK_KEY", "short", "is shorter than 32 bytes"),
        ("PASSKEY_DOMAIN", "https://shop.example", "wants a domain"),
        ("PASSKEY_DOMAIN", "127.0.0.1", "wants a domain"),
        ("PASSKEY_DOMAIN", "shop", "wants a domain"),
        ("PASSKEY_DOMAIN", "例え.example", "wants a domain"),
        ("PASSKEY_ORIGINS", "http://shop.example", "http is for localhost alone"),
        ("PASSKEY_ORIGINS", "http://127.0.0.1:8000", "http is for localhost alone"),
        ("PASSKEY_ORIGINS", "https://shop.example/login", "wants origins such as"),
        ("CAPTCHA_HOSTS", "https://shop.example", "wants names of hosts"),
        ("CAPTCHA_HOSTS", "192.0.2.1", "wants names of hosts"),
        ("CAPTCHA_HOSTS", "*.shop.example", "wants names of hosts"),
        ("CAPTCHA_URL", "http://captcha.internal/", "http on 127.0.0.1 alone"),
        ("CAPTCHA_SITEKEY", "<script>", "is no site key"),
        ("OIDC", "https://bank.example", "has no client_id="),
        ("OIDC", "http://bank.example client_id=shop", "begins with no issuer"),
        ("OIDC", "https://shop@bank.example client_id=shop", "begins with no issuer"),
        ("OIDC", "https://bank.example/?a=b client_id=shop", "begins with no issuer"),
        ("OIDC", "https://bank.example:x client_id=shop", "begins with no issuer"),
        ("OIDC", "https://bank.example client_id=shop secret=x", "has a word that is none of client_id=, acr="),
        ("OIDC", "https://bank.example client_id=shop client_id=b", "has a word twice"),
        ("OIDC", "https://bank.example client_id=shop class=sent", "neither app nor phr"),
        ("OIDC", "https://bank.example client_id=shop class=phr", "has class=phr and no acr="),
        ("OIDC", "https://bank.example client_id=shop max_age=29", "seconds from 30 to 3600"),
        ("OIDC", "https://bank.example client_id=shop" + " acr=a" * 5, "more than 4 acr="),
        ("OIDC", "https://bank.example client_id=shop name=" + "x" * 61, "at most 60 characters"),
        ("PROTECT", "POST /top-up", "route 1 is not written METHOD PATH max_age=SECONDS"),
        ("PROTECT", "POST /a max_age=1; /b max_age=1", "route 2 is not written"),
        (
            "PROTECT",
            "POST /a max_age=1 acr=PHR",
            "route 1 wants nothing after max_age= but acr=phr, acr=app or acr=sent",
        ),
        ("PROTECT", "POST /a max_age=1 phr", "route 1 wants nothing after max_age="),
        ("PROTECT", "POST /a max_age=1 acr=recovery", "route 1 wants nothing after max_age="),
        ("PROTECT", "POST /a max_age=1 acr=phr acr=app", "route 1 is not written"),
        ("FACTOR_FLOOR", "recovery", "is none of phr, app, sent"),
        ("FACTOR_FLOOR", "webauthn", "is none of phr, app, sent"),
        ("TOTP_DRIFT", "2", "steps between 0 and 1"),
        ("PROTECT", "POST /a max_age=0", "seconds from 1 to 86400"),
        ("PROTECT", "POST /a max_age=86401", "seconds from 1 to 86400"),
        ("PROTECT", "POST /a max_age=٣", "seconds from 1 to 86400"),
        ("PROTECT", "P0ST /a max_age=1", "wants a method"),
        ("PROTECT", "POST a max_age=1", "wants the path as the application sees it"),
        ("PROTECT", "POST /a/../b max_age=1", "wants the path as the application sees it"),
        ("PROTECT", "POST * max_age=1", "wants the path as the application sees it"),
        ("PROTECT", "POST /a max_age=1; post /A/ max_age=2", "the same method and path twice"),
        ("PROTECT", "; ".join(f"POST /{n} max_age=1" for n in range(65)), "more than 64 routes"),
    ],
)
def test_what_makes_no_sense_is_named(name: str, text: str, problem: str) -> None:
    """An error names its variable and the accepted values, and blames no other one."""
    (named,) = (found := wrong(**{name: text}))
    assert named == name
    assert problem in found[name]


# --- dependencies


def test_factors_need_to_know_whose_account_it_is() -> None:
    """Factors need owners, from a database with a query or from an object; half of that is an error with advice."""
    assert "set it and SEKISHO_OWNERS_QUERY" in wrong(FACTORS="totp")["OWNERS"]
    assert "nobody is found" in wrong(FACTORS="totp", OWNERS=DATABASE["OWNERS"])["OWNERS_QUERY"]
    assert "set it and SEKISHO_OWNERS_QUERY" in wrong(FACTORS="totp", OWNERS_QUERY=QUERY)["OWNERS"]
    assert "asks nothing else" in wrong(OWNERS_QUERY=QUERY)["OWNERS"]
    assert load(FACTORS="totp", **DATABASE).factors == ("totp",)
    assert load(FACTORS="totp", has_owners=True).factors == ("totp",)


def test_what_is_sent_needs_a_way() -> None:
    """Codes by mail need a server, a sender and a page; a webhook needs its own key, or is a callable."""
    assert list(wrong(FACTORS="email", **DATABASE)) == ["SMTP"]
    assert list(wrong(SMTP="smtp://relay")) == ["MAIL_FROM", "ACCOUNT_PAGE"]
    assert list(wrong(FACTORS="webhook", **DATABASE)) == ["CODE_WEBHOOK"]
    assert load(FACTORS="webhook", has_sender=True, **DATABASE).code_webhook is None
    assert list(wrong(CODE_WEBHOOK="https://codes.internal")) == ["CODE_WEBHOOK_KEY"]
    assert "could make tokens" in wrong(**WEBHOOK | {"CODE_WEBHOOK_KEY": SECRET})["CODE_WEBHOOK_KEY"]
    assert list(wrong(SMTP_PASSWORD="hunter2")) == ["SMTP_PASSWORD"]


OIDC = {
    "OIDC": "https://bank.example client_id=shop",
    "OIDC_SECRET": "sesame",
    "PAGES_URL": "https://a.example/sekisho",
}


def test_a_provider_is_read_word_by_word() -> None:
    """Issuer, identifier, contexts, class, age and a name with blanks; the host stands in for a name."""
    text = "https://bank.example/a client_id=shop acr=urn:a acr=urn:b class=phr max_age=60 name=関所 Bank"
    acr = ("urn:a", "urn:b")
    loaded = load(**OIDC | {"OIDC": text}, FACTORS="oidc", FACTOR_FLOOR="phr", **DATABASE)
    assert loaded.oidc == OidcRegistration("https://bank.example/a", "shop", acr, FactorClass.PHR, 60, "関所 Bank")
    assert loaded.oidc_secret == "sesame"
    assert "sesame" not in repr(loaded)
    plain = load(**OIDC, FACTORS="oidc", **DATABASE)
    assert plain.oidc == OidcRegistration("https://bank.example", "shop", (), FactorClass.APP, 300, "bank.example")
    assert list(wrong(**OIDC, FACTORS="oidc", FACTOR_FLOOR="phr", **DATABASE)) == ["FACTOR_FLOOR"]


def test_a_provider_needs_its_secret_and_our_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The factor needs a provider, its client secret, the public address of our pages, and its package."""
    assert list(wrong(FACTORS="oidc", **DATABASE)) == ["OIDC", "PAGES_URL"]
    assert list(wrong(**OIDC | {"OIDC_SECRET": "?", "OIDC": "?"}, FACTORS="oidc", **DATABASE)) == ["OIDC"]
    assert list(wrong(OIDC=OIDC["OIDC"])) == ["OIDC_SECRET"]
    assert next(setting for setting in settings.TABLE if setting.name == "OIDC_SECRET").secret
    loaded = load(**OIDC, FACTORS="oidc", CHALLENGES="none", **DATABASE)
    pretend_missing(monkeypatch, "joserfc")
    assert list(map(str, missing_extras(loaded))) == [
        "SEKISHO_FACTORS: needs joserfc: pip install '.[oidc]' in a checkout of sekisho"
    ]


def test_passkeys_need_a_domain_and_few_other_sites() -> None:
    """Passkeys need a domain; of other sites, browsers read no more than five."""
    webauthn = {"FACTORS": "webauthn", **DATABASE}
    assert list(wrong(**webauthn)) == ["PASSKEY_DOMAIN"]
    assert list(wrong(PASSKEY_ORIGINS="https://shop.example")) == ["PASSKEY_ORIGINS"]
    others = ("https://other.example", "https://myshop.example", "https://shop.example.evil.example")
    related = load(**webauthn, PASSKEY_DOMAIN="shop.example", PASSKEY_ORIGINS=",".join(others))
    assert related.related_origins == others
    many = ",".join(f"https://shop{number}.example" for number in range(6))
    assert "more than 5" in wrong(**webauthn, PASSKEY_DOMAIN="shop.example", PASSKEY_ORIGINS=many)["PASSKEY_ORIGINS"]
    app = "android:apk-key-hash:" + "a" * 43
    origins = f"https://login.shop.example:8443, {app}"
    loaded = load(**webauthn, PASSKEY_DOMAIN="shop.example", PASSKEY_ORIGINS=origins)
    assert (loaded.passkey_origins, loaded.related_origins) == (("https://login.shop.example:8443", app), ())
    local = load(**webauthn, PASSKEY_DOMAIN="localhost", PASSKEY_ORIGINS="http://localhost:8000")
    assert local.passkey_origins == ("http://localhost:8000",)


def test_a_city_file_needs_log_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without owners in a database no log-ins are kept, so there is nothing to place; it needs a package."""
    assert "log-ins are kept with" in wrong(CITY_FILE="/srv/cities.mmdb")["CITY_FILE"]
    loaded = load(CITY_FILE="/srv/cities.mmdb", FACTORS="totp", **DATABASE)
    assert loaded.city_file == "/srv/cities.mmdb"
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "maxminddb" else object())
    assert [error.problem.partition(":")[0] for error in missing_extras(loaded)] == ["needs maxminddb"]


def test_a_captcha_needs_its_keys() -> None:
    """A captcha's three keys are reported at once."""
    assert list(wrong(CHALLENGES="turnstile")) == ["CAPTCHA_SITEKEY", "CAPTCHA_SECRET", "CAPTCHA_HOSTS"]
    assert load(CHALLENGES="turnstile", **CAPTCHA).captcha == "turnstile"
    assert load(CAPTCHA_HOSTS="web1,10.example,localhost").captcha_hosts == {"web1", "10.example", "localhost"}


@pytest.mark.parametrize(
    "route",
    ["POST /login", "* /login", "POST /LOGIN/", "POST /*", "POST /sekisho", "GET /sekisho/step-up", "* /sekisho/*"],
)
def test_no_door_and_none_of_our_pages_can_be_protected(route: str) -> None:
    """Doors and our own pages cannot be protected routes: a proof would be asked for where it is shown."""
    assert list(wrong(FACTORS="totp", **DATABASE, PROTECT=f"{route} max_age=60")) == ["PROTECT"]


def test_protected_routes_without_any_factor_stop_the_start() -> None:
    """Protected routes without a factor stop the start (open or closed to all); wrong factors are reported once."""
    assert wrong(PROTECT="POST /top-up max_age=60") == {
        "PROTECT": "is set, and SEKISHO_FACTORS is not: nobody could prove anything there; set that, or unset this"
    }
    assert list(wrong(FACTORS="?", PROTECT="POST /top-up max_age=60")) == ["FACTORS"]


def test_what_only_looks_like_a_door_can_be_protected() -> None:
    """Another method, or a path with a similar start, can be protected."""
    text = "GET /login max_age=9; POST /login/history max_age=9; POST /sekishop max_age=9; * /a/* max_age=9"
    assert len(load(FACTORS="totp", **DATABASE, PROTECT=text).protect) == 4


def test_a_link_may_be_written_as_a_protected_route() -> None:
    """A LINK door may be written there for its age, class and page: its own route, no wider one, and without a cap."""
    door = {"FACTORS": "totp", "LINK": "POST /link form:number,pin", **DATABASE}
    routes = load(**door, PROTECT="POST /link max_age=300 acr=app page=/link").protect
    assert [(route.name, route.max_age_s) for route in routes] == [("POST /link", 300), ("GET /link", 150)]
    assert list(wrong(**door, PROTECT="* /link max_age=300")) == ["PROTECT"]
    cap = {"PROTECT": "POST /link max_age=300", "CAPS": "POST /link form:amount 100/1day"}
    assert wrong(**door, **cap)["CAPS"].startswith("route 1 is a door")


def test_a_stand_in_for_a_mistake_contradicts_nobody() -> None:
    """A wrong setting's default contradicts nothing: one mistyped variable is one error."""
    assert list(wrong(FACTORS="totp", **DATABASE | {"OWNERS": "?"})) == ["OWNERS"]
    assert list(wrong(FACTORS="email", **DATABASE, SMTP="?")) == ["SMTP"]
    assert list(wrong(FACTORS="webauthn", **DATABASE, PASSKEY_DOMAIN="?")) == ["PASSKEY_DOMAIN"]


# --- missing packages


def pretend_missing(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    there = extras._is_there
    monkeypatch.setattr(extras, "_is_there", lambda module: module not in modules and there(module))


def test_work_is_asked_for_where_it_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its packages work is off by default, with a warning; asking for it explicitly is an error."""
    pretend_missing(monkeypatch, "altcha")
    assert load().challenges == ()
    assert missing_extras(load()) == []
    ((mistake),) = missing_extras(load(CHALLENGES="pow"))
    assert str(mistake) == "SEKISHO_CHALLENGES: needs altcha: pip install '.[step-up]' in a checkout of sekisho"


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing package is named with its extra, in one error per setting."""
    everything = load(
        FACTORS="webauthn,totp,email", CHALLENGES="none", PASSKEY_DOMAIN="shop.example", **DATABASE | MAIL
    )
    assert missing_extras(everything) == []
    pretend_missing(monkeypatch, "segno", "aiosqlite", "aiosmtplib", "webauthn", "asyncpg")
    assert list(map(str, missing_extras(everything))) == [
        "SEKISHO_FACTORS: needs webauthn, segno: pip install '.[step-up]' in a checkout of sekisho",
        "SEKISHO_OWNERS: needs aiosqlite: pip install '.[owners]' in a checkout of sekisho",
        "SEKISHO_SMTP: needs aiosmtplib: pip install '.[mail]' in a checkout of sekisho",
    ]


def test_opentelemetry_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter is missed at the start, and not at the first export."""
    assert missing_extras(load(CHALLENGES="none", OTEL="on")) == []
    pretend_missing(monkeypatch, "opentelemetry.exporter.otlp.proto.http")
    assert missing_extras(load(CHALLENGES="none")) == []
    assert list(map(str, missing_extras(load(CHALLENGES="none", OTEL="on")))) == [
        "SEKISHO_OTEL: needs opentelemetry.exporter.otlp.proto.http: pip install '.[otel]' in a checkout of sekisho",
    ]


@pytest.mark.parametrize("scheme", ["mysql", "mariadb", "mysql+asyncmy", "mariadb+asyncmy"])
def test_mysql_has_an_extra_of_its_own(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """MySQL has its own extra: most services need no second driver."""
    loaded = load(CHALLENGES="none", FACTORS="totp", **DATABASE | {"OWNERS": f"{scheme}://db.internal/shop"})
    assert missing_extras(loaded) == []
    pretend_missing(monkeypatch, "asyncmy", "asyncpg", "aiosqlite")
    assert list(map(str, missing_extras(loaded))) == [
        "SEKISHO_OWNERS: needs asyncmy: pip install '.[mysql]' in a checkout of sekisho",
    ]


def test_looking_for_packages_imports_none() -> None:
    """Checking for packages imports none, so workers load no unused ones."""
    look = """
import sys, sekisho.settings as settings
before = set(sys.modules)
settings.load({}, ephemeral_secret=bytes(range(40)))
print(*set(sys.modules) - before)
"""
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, check=True, text=True)

    assert not {"cryptography", "altcha", "webauthn", "sqlalchemy", "jinja2"}.intersection(done.stdout.split())


# Familiar strangers.


def test_familiar_strangers_are_asked_as_others_unless_it_is_set() -> None:
    assert load().familiar_from is StepUpFrom.ALWAYS
    assert not load().goes_by_posture
    assert load(STEP_UP="elevated").familiar_from is StepUpFrom.ELEVATED
    assert load(STEP_UP_FAMILIAR="elevated").step_up is StepUpFrom.ALWAYS
    assert load(STEP_UP_FAMILIAR="elevated").goes_by_posture
    assert load(STEP_UP="attack", STEP_UP_FAMILIAR="never").familiar_from is StepUpFrom.NEVER


@pytest.mark.parametrize(("step_up", "from_posture"), [("always", 1), ("elevated", 1), ("attack", 2)])
def test_in_an_alarm_a_loud_network_is_asked_as_others_are(step_up: str, from_posture: int) -> None:
    """In a quiet one its familiar strangers are spared."""
    found = load(STEP_UP=step_up, STEP_UP_FAMILIAR="own-network")

    assert found.asked == AskedFrom(found.step_up.level, from_posture, own_network=True)
    assert load(STEP_UP=step_up).asked == AskedFrom(found.step_up.level, found.step_up.level)


def test_strangers_cannot_all_be_spared() -> None:
    """`never` is for familiar strangers: a stolen password would open every account of the others."""
    assert wrong(STEP_UP="never") == {"STEP_UP": "is none of always, elevated, attack"}
    assert wrong(STEP_UP="own-network") == {"STEP_UP": "is none of always, elevated, attack"}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"STEP_UP": "attack", "STEP_UP_FAMILIAR": "elevated"}, "before SEKISHO_STEP_UP asks others"),
        ({"STEP_UP_FAMILIAR": "elevated", "HISTORY": "off"}, "SEKISHO_HISTORY=off remembers no networks"),
    ],
)
def test_familiar_strangers_that_cannot_be_told_or_are_asked_first_stop_the_start(
    given: dict[str, str], problem: str
) -> None:
    found = wrong(**given)
    assert found.keys() == {"STEP_UP_FAMILIAR"}
    assert problem in found["STEP_UP_FAMILIAR"]


# Aged devices.


def test_aged_devices_need_somebody_to_tell() -> None:
    """With factors, their owners are told by mail; before, nothing is sent yet."""
    assert load(AGED_DEVICE_DAYS="14").aged_device_days == 14
    assert not load(AGED_DEVICE_DAYS="14").estimates_posture
    problem = "is set, and SEKISHO_SMTP is not: no owner could be told of such a device; set that, or unset this"
    assert wrong(AGED_DEVICE_DAYS="14", FACTORS="totp", **DATABASE) == {"AGED_DEVICE_DAYS": problem}
    assert load(AGED_DEVICE_DAYS="14", FACTORS="totp", **DATABASE, **MAIL).estimates_posture
    assert wrong(AGED_DEVICE_DAYS="13") == {"AGED_DEVICE_DAYS": "is no whole number of days between 14 and 400"}


def test_a_file_of_systems_needs_something_that_counts_by_it() -> None:
    assert list(wrong(ASN_FILE="/srv/asn.mmdb")) == ["ASN_FILE"]
    for more in ({"LIMIT_PROVIDER": "2000/hour"}, {"STEP_UP": "attack"}, {"PRESET": "familiar"}):
        assert load(ASN_FILE="/srv/asn.mmdb", **more).asn_file == "/srv/asn.mmdb"


def test_a_log_in_begins_with_a_passkey_only_where_there_are_passkeys() -> None:
    """The door without the factor would let nobody in: the start names the setting that is missing."""
    door = {"PASSKEY": "POST /login/passkey"}
    assert "has no webauthn" in wrong(**door)["FACTORS"]
    assert "has no webauthn" in wrong(**door, FACTORS="totp", **DATABASE)["FACTORS"]
    assert load(**door, FACTORS="webauthn", PASSKEY_DOMAIN="shop.example", **DATABASE).doors[-1].shows_passkey
