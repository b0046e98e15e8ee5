"""django-two-factor-auth, set up as in its documentation: `hana` has a password alone, `miki` a second step."""

# mypy: disable-error-code="import-untyped,import-not-found,misc"
from __future__ import annotations

import tempfile
from pathlib import Path

import django
from django.conf import settings

ROOT = Path(tempfile.mkdtemp(prefix="sekisho-two-factor-"))
settings.configure(
    SECRET_KEY="not a secret",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(ROOT / "db.sqlite")}},
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    USE_TZ=True,
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django.contrib.messages",
        "django_otp",
        "django_otp.plugins.otp_static",
        "django_otp.plugins.otp_totp",
        "two_factor",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django_otp.middleware.OTPMiddleware",
    ],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
    LOGIN_URL="two_factor:login",
    LOGIN_REDIRECT_URL="/profile/",
    LOGGING_CONFIG=None,
)
django.setup()  # before the following imports

from django.contrib.auth import get_user_model
from django.core.asgi import get_asgi_application
from django.core.management import call_command
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django_otp.plugins.otp_totp.models import TOTPDevice
from two_factor.urls import urlpatterns as two_factor_urls


def profile(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"welcome {request.user.get_username()}")


urlpatterns = [path("profile/", profile), path("", include(two_factor_urls))]

call_command("migrate", verbosity=0)
users = get_user_model().objects
users.create_user("hana", "hana@example.org", "right")
users.create_user("ina", "ina@example.org", "right", is_active=False)
TOTPDevice.objects.create(user=users.create_user("miki", "miki@example.org", "right"), name="default")

app = get_asgi_application()
