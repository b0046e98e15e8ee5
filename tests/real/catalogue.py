"""Third-party log-ins, each with the door that guards it and the requests to it."""

from __future__ import annotations

from typing import NamedTuple


class Service(NamedTuple):
    """Attributes:
    name: as in the table of `docs/frameworks.md`.
    file: of its recorded answers.
    module: below `tests.real.services`; several may share one.
    packages: whose versions are recorded.
    door: `SEKISHO_LOGIN`.
    suggested: the rule that the log suggests if the door has none; with `?` where the operator has to decide, "" for
        none: wrong secrets are answered by a page with 400, as missing form tokens are.
    guessed: whether a success is recognised without a rule.
    account, password: names of the fields.
    owner: account and password of a user who may log in.
    more: further fields.
    page: the page of a form with a CSRF token; "" if there is none.
    situations: further log-ins to record: account and password, by name.
    """

    name: str
    file: str
    module: str
    packages: tuple[str, ...]
    door: str
    suggested: str
    guessed: bool
    account: str = "username"
    password: str = "password"
    owner: tuple[str, str] = ("hana", "right")
    more: tuple[tuple[str, str], ...] = ()
    page: str = ""
    situations: tuple[tuple[str, str, str], ...] = ()

    @property
    def path(self) -> str:
        return self.door.split()[1]

    @property
    def is_json(self) -> bool:
        return " json:" in self.door

    @property
    def rule(self) -> str:
        return next(word for word in self.door.split() if word.startswith("success=")).removeprefix("success=")


_DJANGO = ("django", "django-axes")
_INACTIVE = ("inactive", "ina", "right")

SERVICES = (
    Service(
        "Django, `LoginView`", "django_login", "django_site", _DJANGO,
        "POST /login/ form:username,password success=cookie:sessionid cookies=csrftoken",
        "cookie:sessionid", guessed=True, page="/login/",
        situations=(_INACTIVE, ("lockout", "lou", "x"), ("csrf", "", "")),
    ),
    Service(
        "Django, admin", "django_admin", "django_site", _DJANGO,
        "POST /admin/login/ form:username,password success=cookie:sessionid cookies=csrftoken",
        "cookie:sessionid?", guessed=False, more=(("next", "/admin/"),), page="/admin/login/",
        situations=(_INACTIVE, ("csrf", "", "")),
    ),
    Service(
        "django-allauth", "django_allauth", "django_site", ("django", "django-allauth"),
        "POST /allauth/login/ form:login,password "
        "success=302!/allauth/2fa,/allauth/inactive,/allauth/confirm-email cookies=csrftoken",
        "302:/accounts", guessed=True, account="login", page="/allauth/login/",
        situations=(_INACTIVE, ("second_step", "miki", "right"), ("csrf", "", "")),
    ),
    Service(
        "django-two-factor-auth", "two_factor", "two_factor_site", ("django", "django-two-factor-auth"),
        "POST /account/login/ form:auth-username,auth-password success=302:/profile cookies=csrftoken",
        "302:/profile", guessed=False, account="auth-username", password="auth-password",
        more=(("login_view-current_step", "auth"),), page="/account/login/",
        situations=(_INACTIVE, ("second_page", "miki", "right"), ("csrf", "", "")),
    ),
    Service(
        "dj-rest-auth", "dj_rest_auth", "django_site", ("django", "dj-rest-auth", "djangorestframework"),
        "POST /api/auth/login/ json:username,password success=json:key",
        "json:key", guessed=True, situations=(_INACTIVE,),
    ),
    Service(
        "simplejwt", "simplejwt", "django_site", ("django", "djangorestframework_simplejwt"),
        "POST /api/token/ json:username,password success=json:access",
        "json:access", guessed=True, situations=(_INACTIVE,),
    ),
    Service(
        "Authlib, password grant", "authlib", "django_site", ("Authlib", "django"),
        "POST /oauth/token oauth2 success=json:access_token",
        "json:access_token", guessed=True,
        more=(("grant_type", "password"), ("client_id", "shop"), ("client_secret", "shop secret")),
        situations=(_INACTIVE,),
    ),
    Service(
        "fastapi-users, cookie", "fastapi_users_cookie", "fastapi_users_site", ("fastapi-users",),
        "POST /auth/cookie/login form:username,password success=204",
        "cookie:fastapiusersauth", guessed=True, owner=("hana@example.org", "right"),
        situations=(("inactive", "ina@example.org", "right"), ("unverified", "uma@example.org", "right")),
    ),
    Service(
        "fastapi-users, bearer", "fastapi_users_bearer", "fastapi_users_site", ("fastapi-users",),
        "POST /auth/jwt/login form:username,password success=json:access_token",
        "json:access_token", guessed=True, owner=("hana@example.org", "right"),
        situations=(("inactive", "ina@example.org", "right"),),
    ),
    Service(
        "FastAPI template, `OAuth2PasswordRequestForm`", "fastapi_template", "fastapi_template_site", ("fastapi",),
        "POST /api/v1/login/access-token oauth2 success=json:access_token",
        "json:access_token", guessed=True, owner=("hana@example.org", "right"),
        situations=(("inactive", "ina@example.org", "right"),),
    ),
    Service(
        "Litestar, `SessionAuth`", "litestar", "litestar_site", ("litestar",),
        "POST /login json:username,password success=201", "2xx", guessed=True,
    ),
    Service(
        "Litestar, `JWTAuth`", "litestar_jwt", "litestar_jwt_site", ("litestar",),
        "POST /login json:username,password success=2xx", "2xx", guessed=True,
    ),
    Service(
        "FastHTML", "fasthtml", "fasthtml_site", ("python-fasthtml", "starlette"),
        "POST /login form:name,pwd success=cookie:session_", "cookie:session_?", guessed=False,
        account="name", password="pwd",
    ),
    Service(
        "Quart-Auth", "quart_auth", "quart_auth_site", ("Quart", "quart-auth"),
        "POST /login form:username,password success=cookie:QUART_AUTH", "cookie:QUART_AUTH", guessed=True,
    ),
    Service(
        "starlette-admin", "starlette_admin", "starlette_admin_site", ("starlette-admin", "starlette"),
        "POST /admin/login form:username,password success=cookie:session cookies=starlette_admin_csrftoken",
        "cookie:session", guessed=True, page="/admin/login",
        situations=(("too_short", "h", "x"), ("csrf", "", "")),
    ),
    Service(
        "sqladmin", "sqladmin", "sqladmin_site", ("sqladmin", "starlette"),
        "POST /admin/login form:username,password success=cookie:session", "", guessed=True,
    ),
    Service(
        "piccolo_api, `session_login`", "piccolo", "piccolo_site", ("piccolo", "piccolo_api"),
        "POST /login/ form:username,password success=cookie:id", "cookie:id", guessed=False,
        owner=("hana", "right right"),
    ),
)  # fmt: skip
