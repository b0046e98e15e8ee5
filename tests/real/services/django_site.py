"""Django: its own log-in, its admin, django-allauth with a second step, dj-rest-auth, simplejwt, an OAuth 2.0 password
grant by Authlib; django-axes locks out. One project, as one process has but one.
"""

# mypy: disable-error-code="import-untyped,untyped-decorator,misc"
from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import django
from django.conf import settings

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # loopback
ROOT = Path(tempfile.mkdtemp(prefix="sekisho-django-"))

settings.configure(
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(ROOT / "db.sqlite3")}},
    INSTALLED_APPS=[
        "django.contrib.admin",
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.messages",
        "django.contrib.sessions",
        "django.contrib.sites",
        "rest_framework",
        "rest_framework.authtoken",
        "dj_rest_auth",
        "allauth",
        "allauth.account",
        "allauth.mfa",
        "axes",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "allauth.account.middleware.AccountMiddleware",
        "axes.middleware.AxesMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [str(ROOT)],
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                ]
            },
        }
    ],
    AUTHENTICATION_BACKENDS=[
        "axes.backends.AxesStandaloneBackend",
        "django.contrib.auth.backends.ModelBackend",
        "allauth.account.auth_backends.AuthenticationBackend",
    ],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    SITE_ID=1,
    USE_TZ=True,
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    ACCOUNT_EMAIL_VERIFICATION="none",
    ACCOUNT_RATE_LIMITS=False,
    EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
    LOGIN_REDIRECT_URL="/accounts/profile/",
    MFA_SUPPORTED_TYPES=["totp"],
    # For one user alone: the others shall show the guard.
    AXES_FAILURE_LIMIT=lambda _request, credentials: 5 if "lou" in (credentials or {}).values() else 1_000,
    AXES_LOCKOUT_PARAMETERS=["username"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    LOGGING_CONFIG=None,
)
django.setup()  # before the following imports

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from authlib.integrations.django_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.views import LoginView
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from rest_framework_simplejwt.views import TokenObtainPairView

(ROOT / "registration").mkdir()
(ROOT / "registration" / "login.html").write_text(
    "<form method=post>{% csrf_token %}{{ form }}<button>Log in</button></form>"
)


class Client:
    """The one application that may use the password grant."""

    client_id = "shop"

    @property
    def objects(self) -> Client:
        return self

    def get(self, client_id: str) -> Client:
        if client_id != self.client_id:
            raise self.DoesNotExist
        return self

    class DoesNotExist(Exception):  # noqa: N818 - Django's name for it
        pass

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == "shop secret"

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return True

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "password"

    def get_allowed_scope(self, scope: str) -> str:
        return scope or ""


class PasswordGrant(grants.ResourceOwnerPasswordCredentialsGrant):
    """As Authlib's documentation writes it."""

    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post"]

    def authenticate_user(self, username: str, password: str) -> Any:
        user = get_user_model().objects.filter(username=username, is_active=True).first()
        return user if user is not None and user.check_password(password) else None


class Server(AuthorizationServer):
    def save_token(self, token: Any, request: Any) -> Any:
        return token


server = Server(Client(), None)
server.register_grant(PasswordGrant)


@csrf_exempt
def token(request: HttpRequest) -> Any:
    return server.create_token_response(request)


def welcome(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"welcome {request.user.get_username()}")


urlpatterns = [
    path("admin/", admin.site.urls),
    path("login/", LoginView.as_view()),
    path("accounts/profile/", welcome),
    path("allauth/", include("allauth.urls")),
    path("api/auth/", include("dj_rest_auth.urls")),
    path("api/token/", TokenObtainPairView.as_view()),
    path("oauth/token", token),
]

call_command("migrate", verbosity=0)
users = get_user_model().objects
users.create_superuser("hana", "hana@example.org", "right")
users.create_user("ina", "ina@example.org", "right", is_active=False, is_staff=True)
users.create_user("lou", "lou@example.org", "right", is_staff=True)
TOTP.activate(users.create_user("miki", "miki@example.org", "right"), generate_totp_secret())
assert Authenticator.objects.count() == 1

app = get_asgi_application()
