"""Words in an answer that indicate a failure or a success.

Only whole words count: `/admin/auth/user/` and `barcodes` indicate neither. Japanese has no spaces between words, and
other languages change the ends of theirs, so their terms match anywhere in a text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from sekisho.read.response.tree import plain


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _any_of(*words: str) -> re.Pattern[str]:
    # One pattern looks for the first letter of any word: most texts have none, and are passed over at once.
    return re.compile("|".join(map(re.escape, words)))


# `mfaRequired` is two words, and so is `requires2FA`.
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORD = re.compile(r"[123]fa|[a-z]+")

_SECOND_STEP = _words(
    "mfa 2fa 3fa tf otp otps totp hotp factor factors twofactor secondfactor multifactor twostep challenge challenges "
    "verify verification verifying confirm confirmation captcha recaptcha hcaptcha turnstile nextstep stepup"
)
_FAILURE = _words(
    "error errors err fail fails failed failure failures failing fault invalid incorrect wrong denied deny denies lock "
    "locked lockout unauthorized unauthorised unauthenticated forbidden reject rejected refused expired retry bad "
    "mismatch inactive disabled suspended blocked banned throttled deactivated attempts"
)
# In prose only: as field names they indicate nothing.
_PROSE = _words(
    "not no cannot couldn didn doesn unable unknown again try attempts limit exceeded expire expires reset code codes "
    "pending required ng missing already sorry please"
)
_PLACES = _words(
    "code codes step reset retry expired login logon signin logout logoff signout register signup password passwd "
    "activate activation pending unverified consent authn oops sorry "
    "anmelden anmeldung connexion entrar accedi accesso inloggen logga sesion"
)
_JAPANESE_PLACES = ("ログイン", "サインイン", "会員登録")
_STATUS = re.compile(r"[45][0-9]{2}")
_AGAINST = _SECOND_STEP | _FAILURE
_AGAINST_IN_WORDS = _AGAINST | _PROSE
_NO_PLACES = _AGAINST | _PLACES
_PAIRS = (
    "two step",
    "second step",
    "next step",
    "second factor",
    "log in",
    "sign in",
    "log on",
    "sign up",
    "log out",
    "try again",
)
# For words joined in lower case, as in `loginfailed` or `errormessage`. Long ones only: `author` begins with `auth`.
_BEGINNINGS = ("error", "failed", "failure", "invalid", "twofactor", "secondfactor", "multifactor", "mfarequ", "locked")
_ENDINGS = ("failed", "failure", "errors", "invalid", "denied", "incorrect", "expired", "rejected")

_JAPANESE_NO = _any_of(
    *("失敗", "誤り", "誤って", "間違", "エラー", "無効", "不正", "拒否", "ロック", "期限切れ", "停止", "凍結", "制限"),
    *("できません", "できない", "ませんでした", "ありません", "正しくな", "一致しな", "一致しま", "未登録", "存在しま"),
    *("やり直", "再度", "もう一度", "再入力", "確認コード", "認証コード", "追加認証", "本人確認", "ワンタイム"),
    *("二段階", "2段階", "二要素", "2要素", "多要素", "ません", "違い", "違う", "違って", "異な", "見つから"),
)
# Wrong, invalid or failed, in the languages of the largest services' users.
_NO_ABROAD = _any_of(
    *("incorrect", "incorret", "invalid", "inválid", "inválido", "erróne", "erroné", "errat", "falsch", "ungültig"),
    *("onjuist", "ongeldig", "felaktig", "forkert", "nieprawid", "błęd", "nespráv", "yanlış", "hatalı", "geçersiz"),
    *("неверн", "неправильн", "ошибк", "помилк", "错误", "錯誤", "不正确", "不正確", "不匹配", "失败", "无效", "無效"),
    *(
        "틀렸",
        "틀립",
        "잘못",
        "실패",
        "올바르지",
        "일치하지",
        "غير صحيح",
        "خطأ",
        "שגוי",
        "λάθος",
        "ไม่ถูกต้อง",
        "sai mật khẩu",
    ),
    *("không đúng", "không chính xác", "salah"),
)
_JAPANESE_YES = ("成功", "ログインしました", "サインインしました", "ようこそ", "認証しました")

_NO = _words(
    "false no n ng nok 0 off none null nil nan undefined ko fail failed failure failing error err invalid denied"
)
_NOTHING = _words("false no 0 none null nil undefined [] {}")
_YES = _words("true yes ok okay success successful successfully succeeded authenticated welcome loggedin done")

# Field names in lower case, letters and digits only.
_YES_OR_NO = _words(
    "ok success succeeded successful issuccess authenticated isauthenticated authorized isauthorized loggedin "
    "isloggedin signedin issignedin login signin loggedon valid isvalid passed matched"
)
_SOMEBODY = _words(
    "user account profile member customer session sessions sessionid sid data token tokens accesstoken authtoken "
    "idtoken jwt auth identity me"
)
_TOKEN_CHARS = 40  # longer tokens contain words by chance
_TOLD_IN_WORDS = _words(
    "status state result message msg messages detail details reason code next step type title outcome info notice "
    "alert description errordescription statustext text nextstep nextaction action scope tokentype purpose "
    "errmsg retmsg mensaje mensagem messaggio meldung nachricht"
)
_LEADS = _words("url redirect redirecturl redirectto redirecturi location href goto returnurl")
_GUESTS = _words("guest isguest anonymous isanonymous anon")
_ROLES = _words("role scope type kind usertype")
_ACTIVE = _words("active isactive enabled isenabled approved isapproved")
_SUBJECTS = _words(
    "login log logged sign signed password passwords credentials authentication username email account user"
)
_JAPANESE_SUBJECTS = ("ログイン", "サインイン", "パスワード", "認証", "アカウント", "メール", "ユーザー", "会員")
_NUMBERS = _words(
    "code status statuscode resultcode returncode retcode rc ret result httpstatus httpcode errno errcode errorno"
)
_NAMES = _words("id uid userid accountid memberid sub uuid pk name username email mail login displayname roles role")


@lru_cache(maxsize=256)
def place_is_doubtful(path: str) -> bool:
    """Whether a path leads to a page for clients that are not, or not yet, logged in."""
    segments = [segment for segment in path.split("/") if segment]
    # `/auth` is a log-in page; `/admin/auth/user/` is not.
    if segments and plain(segments[-1]) in {"auth", "authenticate", "authentication", "authorize", "oauth", "sso"}:
        return True
    # Rails' page of a log-in is `/session/new`.
    if segments[-1:] == ["new"] and {"session", "sessions"} & set(segments[-2:]):
        return True
    return any(map(_is_doubtful_segment, segments))


def _is_doubtful_segment(segment: str) -> bool:
    if _has(segment, _NO_PLACES) or _says_no_abroad(segment) or _STATUS.fullmatch(segment):
        return True
    return any(word in segment for word in _JAPANESE_PLACES)


def is_doubtful(key: str, value: Any) -> bool:
    """Whether one entry of a JSON answer indicates that the client may not be logged in."""
    name = plain(key)
    if name in _NUMBERS and (number := _number(value)) is not None:
        return _number_is_doubtful(name, number)
    if name in _TOLD_IN_WORDS:
        return value is False or (isinstance(value, str) and (_tells_no(value) or plain(value) in _GUESTS))
    return (
        (name in _YES_OR_NO and says_no(value))
        or (name in _SOMEBODY and _is_nobody(value))
        or (name in _ACTIVE and value is False)
        or (name in _GUESTS and not says_no(value))
        or (isinstance(value, str) and _is_of_nobody(name, value))
        # A value may be a name, such as Kim Ng; only a sentence about logging in counts as a *no*.
        or (isinstance(value, str) and _speaks_of_logging_in(value) and _tells_no(value))
        or (not _is_nothing(value) and _has(key, _AGAINST))
    )


def is_promising(key: str, value: Any) -> bool:
    """Whether one entry of a JSON answer indicates that the client is logged in."""
    name = plain(key)
    if name in _YES_OR_NO and not isinstance(value, dict | list):
        return not says_no(value)
    if name in _SOMEBODY or name in _NAMES:
        return not _is_nothing(value)
    return name in _TOLD_IN_WORDS and isinstance(value, str) and _tells_yes(value)


def names_second_step(text: str) -> bool:
    """Whether a path or a field's name speaks of a second step, such as `/accounts/2fa` or `mfaRequired`."""
    return not _SECOND_STEP.isdisjoint(_split(text))


def says_no(value: Any) -> bool:
    """Whether a value means *no*, as a boolean, a number or a word."""
    return not value or (isinstance(value, str) and value.strip().lower() in _NO)


def _is_nothing(value: Any) -> bool:
    """Whether a value is empty, or a word for nothing."""
    return not value or (isinstance(value, str) and value.strip().lower() in _NOTHING)


def _is_nobody(value: Any) -> bool:
    """Whether the value of a user's or token's field is empty, or a word like `expired`."""
    if isinstance(value, str):
        return len(value) < _TOKEN_CHARS and (value.strip().lower() in _NO or _has(value, _AGAINST))
    return value is None or value is False or value == {}


def _is_of_nobody(name: str, value: str) -> bool:
    """Whether a text is a guest's role, the address of a log-in page, or a failure in another language."""
    if name in _ROLES:
        return plain(value) in _GUESTS
    if name in _LEADS:
        return place_is_doubtful(value) or not _SUBJECTS.isdisjoint(_split(value))
    return not value.isascii() and _says_no_abroad(value)


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) else None


def _number_is_doubtful(name: str, value: int) -> bool:
    if 200 <= value < 300:
        return False
    # As a status or result, 0 means *no error* or *not ok*, depending on the application; as a code, *no error*.
    return value != 1 if name == "status" else value != 0 or name == "result"


def _tells_no(text: str) -> bool:
    return text.strip().lower() in _NO or _has(text, _AGAINST_IN_WORDS) or _says_no_abroad(text)


def _tells_yes(text: str) -> bool:
    words = _split(text)
    return text.strip() in {"200", "201"} or not _YES.isdisjoint(words) or any(word in text for word in _JAPANESE_YES)


def _speaks_of_logging_in(text: str) -> bool:
    if text.isascii():
        return " " in text and not _SUBJECTS.isdisjoint(_split(text))
    return any(word in text for word in _JAPANESE_SUBJECTS)


def _says_no_abroad(text: str) -> bool:
    if _NO_ABROAD.search(text.casefold()) is not None:
        return True
    return not text.isascii() and _JAPANESE_NO.search(text) is not None


def _split(text: str) -> list[str]:
    words: list[str] = _WORD.findall(_HUMP.sub(" ", text).lower())
    return words


def _has(text: str, wanted: frozenset[str]) -> bool:
    words = _split(text)
    if any(word in wanted or word.startswith(_BEGINNINGS) or word.endswith(_ENDINGS) for word in words):
        return True
    joined = f" {' '.join(words)} "
    return any(f" {pair} " in joined for pair in _PAIRS)
