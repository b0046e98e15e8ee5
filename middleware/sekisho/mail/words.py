"""The sentences of every message, subject first. Account owners may be alarmed: keep it calm, short and actionable.

Placeholders are filled with the operator's texts, and with facts that cannot contain sentences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

WORDS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "en": {
        "code": (
            "Your log-in code for {service}",
            (
                "Somebody has just logged in to your account at {service} with the right password, from a device that "
                "we do not know yet. If it was you, type the code below into the page that you have open."
            ),
            (
                "The code is valid for {minutes} minutes and works once. We will never ask you for it, "
                "by telephone or in a chat."
            ),
            (
                "If it was not you, tell the code to nobody: somebody else knows your password. Please open {page} "
                "yourself, by typing it, and choose another password."
            ),
        ),
        "recovery_code": (
            "Your code to replace a lost log-in step at {service}",
            (
                "Somebody has entered one of your recovery codes at {service}, to replace a passkey or an app that is "
                "lost. If it was you, type the code below into the page that you have open."
            ),
            (
                "The code is valid for {minutes} minutes and works once. A day later the second steps of your log-in "
                "are removed, unless you log in with one of them before. We will never ask you for this code, by "
                "telephone or in a chat."
            ),
            (
                "If it was not you, tell the code to nobody: somebody else has your password and a recovery code. "
                "Please open {page} yourself, by typing it, choose another password and make new recovery codes."
            ),
        ),
        "signup_code": (
            "Your code to open an account at {service}",
            (
                "Somebody is opening an account at {service} with this mail address. If it is you, type the code below "
                "into the page that you have open."
            ),
            (
                "The code is valid for {minutes} minutes and works once. We will never ask you for it, "
                "by telephone or in a chat."
            ),
            (
                "If it is not you, there is nothing to do: without the code no account is opened. Tell it to nobody. "
                "If you have an account with us already, you find it at {page}."
            ),
        ),
        "new_device": (
            "A new device logged in at {service}",
            "A device that we had not seen before has logged in to your account.",
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it was you, there is nothing to do. If it was not, please open {page} yourself, by typing it, "
                "and choose another password."
            ),
        ),
        "aged_device": (
            "A device of yours stays known at {service}",
            (
                "{service} now asks for a second proof at a log-in from a new device. You have logged in from the "
                "device below for weeks, so it is not asked."
            ),
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it is yours, there is nothing to do. If it is not, please open {page} yourself, by typing it, "
                "and choose another password."
            ),
        ),
        "step_up_not_completed": (
            "A log-in at {service} was stopped",
            (
                "Somebody entered the right password for your account, and did not show the second proof that we ask "
                "of a new device. They have not got in."
            ),
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it was you, just try again. If it was not, somebody else knows your password: please open {page} "
                "yourself, by typing it, and choose another one."
            ),
        ),
        "password_changed": (
            "Your password at {service} has changed",
            "The password of your account was changed.",
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it was you, there is nothing to do. If it was not, please open {page} yourself, by typing it, "
                "have a new password sent to you and tell us."
            ),
        ),
        "address_changed": (
            "Your address at {service} has changed",
            "The mail address of your account was changed. We write to the earlier and to the new one.",
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it was you, there is nothing to do. If it was not, please open {page} yourself, by typing it, "
                "choose another password and tell us at once."
            ),
        ),
        "payout_changed": (
            "The account that {service} pays out to has changed",
            "The bank account, or another place, that money of your account is paid out to was changed.",
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it was you, there is nothing to do. If it was not, please open {page} yourself, by typing it, "
                "choose another password and tell us at once, before money is paid out."
            ),
        ),
        "link_added": (
            "Your account at {service} was linked",
            "Your account was linked with another account.",
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it was you, there is nothing to do. If it was not, please open {page} yourself, by typing it, "
                "remove the link, choose another password and tell us."
            ),
        ),
        "password_breached": (
            "Your password at {service} is in a list of leaked passwords",
            (
                "You have logged in with a password that is in a public list of leaked passwords. It leaked elsewhere, "
                "perhaps from another service, and others may try it here."
            ),
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            "Please open {page} yourself, by typing it, and choose another password, which you use nowhere else.",
        ),
        "cap_reached": (
            "A payment at {service} was above the limit",
            "A payment from your account would have exceeded the limit for a period. It was held back.",
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it was you, there is nothing to do. If it was not, please open {page} yourself, by typing it, "
                "look at your last payments, choose another password and tell us at once."
            ),
        ),
        "failed_attempts": (
            "Wrong passwords were tried at your account at {service}",
            (
                "Somebody has tried many wrong passwords or codes at your account. None of these attempts got in. We "
                "ask for more at log-ins from new devices until it is over; your own devices are not asked."
            ),
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "There is nothing to do. If you use your password elsewhere too, please open {page} yourself, by "
                "typing it, and choose another one. We write about this once a week at most."
            ),
        ),
        "link_attempted": (
            "Somebody tried to link your account at {service}",
            "Somebody tried to link your account with another account, and did not succeed.",
            "When: {when}",
            "Browser: {browser}",
            "Network: {network}",
            (
                "If it was you, there is nothing to do. If it was not, tell no code and no PIN to anybody. To see "
                "what is linked, please open {page} yourself, by typing it. We write about this once a week at most."
            ),
        ),
        "factor_reset_asked": (
            "The second step of your log-in at {service} is about to be reset",
            (
                "We were asked to delete the second step of your log-in, as one does when a telephone is lost. "
                "This takes effect on {when}, and not before."
            ),
            (
                "If you asked for it, there is nothing to do. If you did not, please open {page} yourself, by typing "
                "it, and tell us before then."
            ),
        ),
        "factor_changed": (
            "The second step of your log-in at {service} has changed",
            "{factor}: {change}, {when}.",
            (
                "If it was you, there is nothing to do. If it was not, please open {page} yourself, by typing it, "
                "choose another password and tell us."
            ),
        ),
    },
    "ja": {
        "code": (
            "{service} ログイン確認コードのお知らせ",
            (
                "{service}で、お客様のアカウントに、初めての端末から正しいパスワードによるログインの操作がありました。"
                "ご本人による操作の場合は、開いている画面に、下の確認コードを入力してください。"
            ),
            (
                "確認コードの有効期間は{minutes}分で、一度だけお使いいただけます。"
                "電話やチャットで確認コードをお尋ねすることは、決してありません。"
            ),
            (
                "お心当たりのない場合は、確認コードを誰にも伝えないでください。パスワードが第三者に知られています。"
                "お手数ですが、ご自身で {page} を入力して開き、パスワードを変更してください。"
            ),
        ),
        "recovery_code": (
            "{service} 二段階認証を作り直すための確認コードのお知らせ",
            (
                "{service}で、紛失したパスキーや認証アプリを作り直すために、お客様のリカバリーコードが入力されました。"
                "ご本人による操作の場合は、開いている画面に、下の確認コードを入力してください。"
            ),
            (
                "確認コードの有効期間は{minutes}分で、一度だけお使いいただけます。1日後に、登録済みの二段階認証が"
                "削除されます。それまでにいずれかの方法でログインすると、取り消されます。"
                "電話やチャットで確認コードをお尋ねすることは、決してありません。"
            ),
            (
                "お心当たりのない場合は、確認コードを誰にも伝えないでください。"
                "パスワードとリカバリーコードが第三者に知られています。お手数ですが、ご自身で {page} を入力して開き、"
                "パスワードを変更し、リカバリーコードを作り直してください。"
            ),
        ),
        "signup_code": (
            "{service} アカウント開設の確認コードのお知らせ",
            (
                "{service}で、このメールアドレスによるアカウント開設の操作がありました。"
                "ご本人による操作の場合は、開いている画面に、下の確認コードを入力してください。"
            ),
            (
                "確認コードの有効期限は{minutes}分で、一度だけお使いいただけます。"
                "電話やチャットで確認コードをお尋ねすることは、決してありません。"
            ),
            (
                "お心当たりのない場合は、何もしていただく必要はありません。確認コードがなければ、アカウントは開設されません。"
                "確認コードは誰にも伝えないでください。すでにアカウントをお持ちの場合は、{page} をご覧ください。"
            ),
        ),
        "new_device": (
            "{service} 新しい端末からのログインのお知らせ",
            "初めての端末から、お客様のアカウントにログインがありました。",
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人による操作の場合は、何もしていただく必要はありません。お心当たりのない場合は、"
                "ご自身で {page} を入力して開き、パスワードを変更してください。"
            ),
        ),
        "aged_device": (
            "{service} ご利用中の端末についてのお知らせ",
            (
                "{service} では、新しい端末からのログインの際に、追加の本人確認をお願いすることになりました。"
                "下記の端末からは以前からログインされているため、確認を省略しています。"
            ),
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人の端末の場合は、何もしていただく必要はありません。お心当たりのない場合は、"
                "ご自身で {page} を入力して開き、パスワードを変更してください。"
            ),
        ),
        "step_up_not_completed": (
            "{service} ログインを中止したことのお知らせ",
            (
                "お客様のアカウントに正しいパスワードが入力されましたが、新しい端末で必要な二段階認証が完了しませんでした。"
                "ログインはされていません。"
            ),
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人による操作の場合は、もう一度お試しください。お心当たりのない場合は、パスワードが第三者に知られています。"
                "ご自身で {page} を入力して開き、パスワードを変更してください。"
            ),
        ),
        "password_changed": (
            "{service} パスワード変更のお知らせ",
            "お客様のアカウントのパスワードが変更されました。",
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人による操作の場合は、何もしていただく必要はありません。お心当たりのない場合は、"
                "ご自身で {page} を入力して開き、パスワードを再設定のうえ、お知らせください。"
            ),
        ),
        "address_changed": (
            "{service} メールアドレス変更のお知らせ",
            "お客様のアカウントのメールアドレスが変更されました。変更前と変更後の両方のアドレスにお送りしています。",
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人による操作の場合は、何もしていただく必要はありません。お心当たりのない場合は、"
                "ご自身で {page} を入力して開き、パスワードを変更のうえ、すぐにお知らせください。"
            ),
        ),
        "payout_changed": (
            "{service} 出金先変更のお知らせ",
            "お客様のアカウントからの出金先（銀行口座など）が変更されました。",
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人による操作の場合は、何もしていただく必要はありません。お心当たりのない場合は、出金される前に、"
                "ご自身で {page} を入力して開き、パスワードを変更のうえ、すぐにお知らせください。"
            ),
        ),
        "link_added": (
            "{service} アカウント連携のお知らせ",
            "お客様のアカウントが、別のアカウントと連携されました。",
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人による操作の場合は、何もしていただく必要はありません。お心当たりのない場合は、"
                "ご自身で {page} を入力して開き、連携を解除し、パスワードを変更のうえ、お知らせください。"
            ),
        ),
        "password_breached": (
            "{service} お使いのパスワードについての重要なお知らせ",
            (
                "ログインに使われたパスワードが、公開されている漏えいパスワードの一覧に載っています。"
                "他のサービスなどから漏れたもので、第三者がこのサービスで試すおそれがあります。"
            ),
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            "ご自身で {page} を入力して開き、他では使っていないパスワードに変更してください。",
        ),
        "cap_reached": (
            "{service} 限度額を超えるお取引のお知らせ",
            "お客様のアカウントで、一定期間の限度額を超えるお取引の操作がありました。お取引は行われていません。",
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人による操作の場合は、何もしていただく必要はありません。お心当たりのない場合は、"
                "ご自身で {page} を入力して開き、最近のお取引をご確認のうえ、パスワードを変更し、"
                "すぐにお知らせください。"
            ),
        ),
        "failed_attempts": (
            "{service} 誤ったパスワードが続けて入力されました",
            (
                "お客様のアカウントに、誤ったパスワードや確認コードが何度も入力されました。いずれもログインできていません。"
                "収まるまで、新しい端末からのログインでは追加の確認をお願いします。普段お使いの端末では、その必要はありません。"
            ),
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "何もしていただく必要はありません。同じパスワードを他でもお使いの場合は、"
                "ご自身で {page} を入力して開き、変更してください。このお知らせは、多くても週に1回です。"
            ),
        ),
        "link_attempted": (
            "{service} アカウント連携の操作がありました",
            "お客様のアカウントを別のアカウントと連携する操作がありましたが、連携はされていません。",
            "日時：{when}",
            "ブラウザ：{browser}",
            "ネットワーク：{network}",
            (
                "ご本人による操作の場合は、何もしていただく必要はありません。お心当たりのない場合は、確認コードや暗証番号を"
                "誰にも伝えないでください。連携の状況は、ご自身で {page} を入力して開き、ご確認ください。"
                "このお知らせは、多くても週に1回です。"
            ),
        ),
        "factor_reset_asked": (
            "{service} 二段階認証の初期化を受け付けました",
            (
                "端末の紛失などの際に行う、二段階認証の初期化の依頼を受け付けました。"
                "初期化は{when}に行われ、それより前に行われることはありません。"
            ),
            (
                "ご本人による依頼の場合は、何もしていただく必要はありません。お心当たりのない場合は、"
                "その前に、ご自身で {page} を入力して開き、お知らせください。"
            ),
        ),
        "factor_changed": (
            "{service} 二段階認証の設定が変わりました",
            "{factor}：{change}（{when}）",
            (
                "ご本人による操作の場合は、何もしていただく必要はありません。お心当たりのない場合は、"
                "ご自身で {page} を入力して開き、パスワードを変更のうえ、お知らせください。"
            ),
        ),
    },
}

FACTORS: Final = {
    "en": {
        "webauthn": "Passkey",
        "totp": "Authenticator app",
        "oidc": "Connected account at another provider",
        "recovery": "Recovery codes",
        "email": "Code by email",
        "webhook": "Code by message",
    },
    "ja": {
        "webauthn": "パスキー",
        "totp": "認証アプリ",
        "oidc": "連携した他社アカウント",
        "recovery": "リカバリーコード",
        "email": "メールの確認コード",
        "webhook": "メッセージの確認コード",
    },
}
CHANGES: Final = {
    "en": {
        "added": "added",
        "removed": "removed",
        "used": "used",
        "reset": "reset",
        "stopped": "no longer accepted after too many wrong codes, until you log in by a passkey or have it reset",
    },
    "ja": {
        "added": "追加",
        "removed": "削除",
        "used": "使用",
        "reset": "初期化",
        "stopped": "誤った確認コードが続いたため停止中。パスキーでログインするか、初期化を依頼してください",
    },
}
REPEATED: Final = {
    "en": "This has happened {times} times within an hour. We write once for all of them, and describe the last one.",
    "ja": "同じことが1時間のうちに{times}回ありました。まとめて一度だけお知らせします。以下は最後の1回の内容です。",
}
QUESTION: Final = {
    "en": (
        "Was this you? You can answer on the page below for seven days, by pressing a button. Opening it changes "
        "nothing, and it never asks for your password or a code."
    ),
    "ja": (
        "ご本人による操作でしたか？7日間、下のページのボタンでお答えいただけます。"
        "開くだけでは何も変わりません。また、パスワードや確認コードをお尋ねすることは決してありません。"
    ),
}
UNKNOWN: Final = {"en": "unknown", "ja": "不明"}
_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def moment(when: datetime, language: str) -> str:
    """Format a time with its UTC offset: without one, an owner would read `21:53` as local time.

    Raises:
        ValueError: `when` has no time zone.
    """
    if (offset := when.utcoffset()) is None:
        raise ValueError("a time needs its zone")
    minutes = round(offset.total_seconds() / 60)
    zone = f"UTC{'+' if minutes > 0 else '-'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}" if minutes else "UTC"
    if language == "ja":
        return f"{when.year}年{when.month}月{when.day}日 {when:%H:%M}（{zone}）"
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year} at {when:%H:%M} ({zone})"
