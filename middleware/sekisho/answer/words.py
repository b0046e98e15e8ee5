"""The texts that people read. They help account owners, their most frequent readers, and no attacker: no
sentence says whether an account exists, or whether a password was right.
"""

from __future__ import annotations

from typing import Final, NamedTuple

LANGUAGES: Final = ("en", "ja")  # the first is the default


class Words(NamedTuple):
    """One code in one language: a title, and one or two sentences about what happened and what to do."""

    title: str
    detail: str


WORDS: Final[dict[str, dict[str, Words]]] = {
    "en": {
        "too_many_attempts": Words(
            "Too many attempts",
            "There have been many attempts to log in lately, so we are taking a short break. Please try again later.",
        ),
        "challenge_required": Words(
            "One more step",
            "Please complete the check on this page or in your app, then log in again.",
        ),
        "step_up_required": Words(
            "Please confirm that it is you",
            "This device is new to us. One more proof of who you are is needed before you can continue.",
        ),
        "contact_required": Words(
            "Please confirm how to reach you",
            "A code is on its way to the address or number that you entered. Please enter it to continue.",
        ),
        "proof_failed": Words(
            "That did not work",
            "We could not confirm that it is you. Please check your code or security key, and try once more.",
        ),
        "start_again": Words(
            "Please start again",
            "This step has taken too long or is already finished. Please go back to where you came from and begin "
            "once more.",
        ),
        "denied": Words(
            "Not possible from here",
            "Logging in is not possible from this connection. If you think this is a mistake, please contact support.",
        ),
        "cap_reached": Words(
            "This is more than the limit",
            "The amount would exceed what can be moved in this period. Nothing was moved. Please choose a smaller "
            "amount, or try again later.",
        ),
        "unreadable_attempt": Words(
            "We could not read this request",
            "Something was missing or in an unexpected form. Please go back, reload the page and try again.",
        ),
        "breached_password": Words(
            "Please choose another password",
            "This password appears in lists of stolen passwords that attackers try first. "
            "A different one keeps your account safe.",
        ),
        "reset_requested": Words(
            "Please look at your mail",
            "If this address belongs to an account, a message with the next step is on its way.",
        ),
        "disposable_address": Words(
            "Please use another mail address",
            "Accounts cannot be opened with an address of this provider, because its mailboxes are temporary. Please "
            "use the address where we can reach you.",
        ),
        "unavailable": Words(
            "Logging in is paused for a moment",
            "We cannot check this attempt safely right now. Nothing is wrong with your account. "
            "Please try again shortly.",
        ),
        "misconfigured": Words(
            "This service is not set up correctly",
            "Its login protection could not start. For the operator:",
        ),
    },
    "ja": {
        "too_many_attempts": Words(
            "しばらくお待ちください",
            "短時間にログインの操作が続いたため、一時的に受け付けを止めています。時間をおいて、もう一度お試しください。",
        ),
        "challenge_required": Words(
            "確認をお願いします",
            "画面またはアプリの案内に沿って確認を済ませてから、もう一度ログインしてください。",
        ),
        "step_up_required": Words(
            "ご本人の確認をお願いします",
            "初めてお使いの端末のようです。お手続きを続けるには、ご本人であることの確認がもう一つ必要です。",
        ),
        "contact_required": Words(
            "ご連絡先の確認をお願いします",
            "ご入力の連絡先に確認コードをお送りします。届いたコードを入力して、お手続きを続けてください。",
        ),
        "proof_failed": Words(
            "確認できませんでした",
            "ご本人であることを確認できませんでした。確認コードまたはセキュリティキーをお確かめのうえ、もう一度お試しください。",
        ),
        "start_again": Words(
            "もう一度最初からお願いします",
            "お手続きの有効期限が切れたか、すでに完了しています。元の画面に戻り、最初からやり直してください。",
        ),
        "denied": Words(
            "この接続からはご利用になれません",
            "現在の接続からはログインできません。誤りと思われる場合は、サポート窓口までお問い合わせください。",
        ),
        "cap_reached": Words(
            "ご利用限度額を超えています",
            "この金額では、一定期間にお取り扱いできる限度額を超えます。お取引は行われていません。"
            "金額を減らすか、時間をおいてお試しください。",
        ),
        "unreadable_attempt": Words(
            "内容を読み取れませんでした",
            "入力内容に不足があるか、形式が正しくない可能性があります。前の画面に戻って再読み込みし、もう一度お試しください。",
        ),
        "breached_password": Words(
            "別のパスワードをお選びください",
            "このパスワードは、過去に流出したパスワードの一覧に含まれており、悪用されるおそれがあります。"
            "アカウントを守るため、別のものをご利用ください。",
        ),
        "reset_requested": Words(
            "メールをご確認ください",
            "ご入力のアドレスがアカウントに登録されている場合は、お手続きのご案内をお送りします。",
        ),
        "disposable_address": Words(
            "別のメールアドレスをご利用ください",
            "一時的なメールアドレスでは、アカウントを開設できません。今後もご連絡が届くアドレスをご入力ください。",
        ),
        "unavailable": Words(
            "ただいまログインを一時停止しています",
            "現在、ログインの安全を確認できない状態です。お客様のアカウントに問題があるわけではありません。"
            "少し時間をおいて、もう一度お試しください。",
        ),
        "misconfigured": Words(
            "サービスの設定に誤りがあります",
            "ログイン保護の機能を開始できませんでした。運営者向けの情報：",
        ),
    },
}


def wait(seconds: int, language: str) -> str:
    """Say in `language` when to try again, as "You can try again in about 5 minutes".

    Rounded up, so that a client that waits so long is not refused again.
    """
    unit, length = next((pair for pair in _UNITS if seconds >= pair[1] * 2), _UNITS[-1])
    number = -(-seconds // length)
    if language == "ja":
        return f"約{number}{_JAPANESE[unit]}後に、もう一度お試しいただけます。"
    return f"You can try again in about {number} {unit}{'' if number == 1 else 's'}."


_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_JAPANESE: Final = {"day": "日", "hour": "時間", "minute": "分", "second": "秒"}
