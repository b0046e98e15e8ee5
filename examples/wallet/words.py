"""The wallet's texts, in English and Japanese."""

from __future__ import annotations

from typing import Final

NAME: Final = {"en": "Tsubame Pay", "ja": "つばめペイ"}

WORDS: Final[dict[str, dict[str, str]]] = {
    "en": {
        "log_in": "Log in", "sign_up": "Open an account", "log_out": "Log out", "reset": "Forgotten your password?",
        "email": "Email address", "password": "Password", "old_password": "Present password",
        "new_password": "New password", "birthday": "Date of birth", "send_to": "Send the link to",
        "send": "Send the link", "balance": "Balance", "link": "Link a bank account", "number": "Account number",
        "pin": "PIN of the cash card", "top_up": "Top up", "pay_out": "Pay out", "amount": "Amount in yen",
        "change": "Change the password", "moves": "Recent transactions", "none": "Nothing yet", "back": "Back",
        "linked": "Linked bank accounts", "to": "To bank account", "from": "From bank account",
        "previous": "Last log-in",
        "passkey": "Log in with a passkey",
        "failed_passkey": "No passkey was read. Please try again, or use your password.",
        "tagline": "Pay like a swallow flies", "security": "Devices and second factors",
        "failed_login": "That address and password do not belong together.",
        "failed_signup": "This address cannot be used. Please try another one.",
        "failed_link": "That number and PIN do not belong together.",
        "failed_money": "That is not possible: please check the account and the amount.",
        "failed_change": "The password was not changed: the present one is not yours.",
        "failed_reset": "This link is no longer valid. Please ask for another one.",
        "sent": "If the details are right, the link is on its way.",
        "busy": "Many members are logging in right now. Please try again in a moment.",
        "unusable": "That password cannot be used. Please go back and choose another.",
    },
    "ja": {
        "log_in": "ログイン", "sign_up": "新規登録", "log_out": "ログアウト", "reset": "パスワードをお忘れの方",
        "email": "メールアドレス", "password": "パスワード", "old_password": "現在のパスワード",
        "new_password": "新しいパスワード", "birthday": "生年月日", "send_to": "リンクの送信先",
        "send": "リンクを送信する", "balance": "残高", "link": "銀行口座を登録する", "number": "口座番号",
        "pin": "キャッシュカードの暗証番号", "top_up": "チャージ", "pay_out": "出金", "amount": "金額（円）",
        "change": "パスワードを変更する", "moves": "最近のお取引", "none": "まだありません", "back": "戻る",
        "linked": "登録済みの銀行口座", "to": "出金先の口座", "from": "チャージ元の口座",
        "previous": "前回のログイン",
        "passkey": "パスキーでログイン",
        "failed_passkey": "パスキーを読み取れませんでした。もう一度お試しいただくか、パスワードをご利用ください。",
        "tagline": "つばめのように軽やかなお支払い", "security": "端末と二要素認証",
        "failed_login": "メールアドレスまたはパスワードが正しくありません。",
        "failed_signup": "このメールアドレスはご利用になれません。別のものをお試しください。",
        "failed_link": "口座番号または暗証番号が正しくありません。",
        "failed_money": "お取引できませんでした。口座と金額をお確かめください。",
        "failed_change": "パスワードを変更できませんでした。現在のパスワードをお確かめください。",
        "failed_reset": "このリンクは無効です。もう一度お手続きください。",
        "sent": "入力内容が正しければ、リンクをお送りしました。",
        "busy": "ただいま混み合っています。少し時間をおいてお試しください。",
        "unusable": "このパスワードはご利用になれません。別のものをお選びください。",
    },
}  # fmt: skip


def language(accept_language: str) -> str:
    """The language of a browser that prefers Japanese, else English."""
    first = accept_language.partition(",")[0].partition(";")[0].strip().lower()
    return "ja" if first.partition("-")[0] == "ja" else "en"
