"""The register of hazards: every number of a warning, in one place.

Lines of the log end in a number, as in `[SEK050]`; `sekisho doctor` reports the same numbers, and `docs/warnings.md`
explains each. Numbers 1 to 29 are about settings, 30 to 49 about the store, 50 to 69 about proxies and browsers, from
70 on about doors.
"""

from __future__ import annotations

from typing import Final

from sekisho.model.diagnosis import Hazard, Severity

MADE_UP_SECRET: Final = Hazard(
    "SEK001",
    Severity.DANGER,
    "the secret was made up",
    "Each worker and each restart has another secret, so devices are forgotten and counters begin anew.",
    "SEKISHO_SECRET_FILE=/run/secrets/sekisho",
)
WEAK_SECRET: Final = Hazard(
    "SEK002",
    Severity.DANGER,
    "the secret can be guessed",
    "With the secret an attacker makes device tokens, and reads accounts out of a copy of the store.",
    "python3 -c 'import secrets; print(secrets.token_urlsafe(48))'",
)
NOT_ENFORCED: Final = Hazard(
    "SEK003",
    Severity.WARNING,
    "nothing is refused",
    "Attempts are counted and logged, and an attacker's guesses all reach the application.",
    "SEKISHO_MODE=enforce",
)
MEMORY_STORE: Final = Hazard(
    "SEK004",
    Severity.WARNING,
    "counts live in one process",
    "A restart gives every attacker fresh guesses, and a second process would count apart.",
    "SEKISHO_STORE=redis://HOST:6379/0",
)
UNVERIFIED_STORE: Final = Hazard(
    "SEK005",
    Severity.WARNING,
    "the store's certificate is not checked",
    "A machine on the path can pose as the store, read its password and answer that nothing was counted.",
    "SEKISHO_STORE=rediss://HOST:6380/0?ssl_ca_certs=/path/to/ca.pem",
)
OPEN_ON_FAILURE: Final = Hazard(
    "SEK006",
    Severity.WARNING,
    "an outage of the store opens the doors",
    "An attacker who can slow or stop the store guesses without any limit.",
    "SEKISHO_ON_STORE_FAILURE=local",
)
NO_FACTOR: Final = Hazard(
    "SEK007",
    Severity.WARNING,
    "there is no second factor",
    "A stolen list holds right passwords; each of them opens its account from a stranger's device.",
    "SEKISHO_FACTORS=webauthn,totp,email",
)
LEAKED_REFUSED: Final = Hazard(
    "SEK008",
    Severity.WARNING,
    "leaked passwords lock owners out",
    "Many honest people have a password that has leaked; on a new device they get 403 and no way to prove themselves.",
    "SEKISHO_FACTORS=webauthn,totp,email",
)
PLANTED_COOKIE: Final = Hazard(
    "SEK009",
    Severity.WARNING,
    "a subdomain can plant the device cookie",
    "A page of a neighbouring subdomain can replace an owner's device token, and so make her a stranger.",
    "SEKISHO_DEVICE_COOKIE=__Host-sekisho",
)
GUESSED_SUCCESS: Final = Hazard(
    "SEK010",
    Severity.WARNING,
    "success is guessed",
    "A guess makes no device known, so owners stay strangers and are limited together with attackers.",
    "SEKISHO_LOGIN=POST /login form:username,password success=302:/home",
)
UNSEEN_RESET: Final = Hazard(
    "SEK011",
    Severity.WARNING,
    "completed resets are not recognised",
    "An attacker with the old password can finish a step-up that began before the reset.",
    "SEKISHO_RESET=POST /reset form:,token,password success=302:/login",
)
UNSEEN_NEW_PASSWORD: Final = Hazard(
    "SEK012",
    Severity.WARNING,
    "new passwords are not checked for leaks",
    "An owner can set a password that stands in an attacker's list already.",
    "SEKISHO_CHANGE=POST /password form:username,old_password,new_password",
)
BASIC_WITHOUT_RULE: Final = Hazard(
    "SEK013",
    Severity.WARNING,
    "success by HTTP Basic is not recognised",
    "Every request of an owner is charged like a wrong guess, until she is refused.",
    "SEKISHO_LOGIN=GET /api/* basic success=!401,403",
)
ENROLLED_ONLY: Final = Hazard(
    "SEK014",
    Severity.WARNING,
    "owners without an enrolled factor stay out",
    "An owner who has enrolled nothing cannot prove herself on a new device.",
    "SEKISHO_FACTORS=webauthn,totp,email",
)
FOREIGN_SESSION: Final = Hazard(
    "SEK015",
    Severity.WARNING,
    "sessions of pages on another site",
    "A browser drops the application's session cookie there, so a step-up ends without a session.",
    "Set-Cookie: session=…; Secure; HttpOnly; SameSite=None; Partitioned",
)
NO_WORK: Final = Hazard(
    "SEK016",
    Severity.WARNING,
    "no proof of work is asked for",
    "Without work, each attempt beyond a limit is refused outright or costs an attacker nothing.",
    "pip install '.[step-up]'",
)
NAMELESS_SERVICE: Final = Hazard(
    "SEK017",
    Severity.ADVICE,
    "mails do not name the service",
    "An owner cannot tell a mail without the service's name from a forged one.",
    "SEKISHO_SERVICE_NAME=NAME OF YOUR SERVICE",
)
GUESSED_SESSION: Final = Hazard(
    "SEK018",
    Severity.WARNING,
    "protected routes guess the session",
    "A wrong guess asks owners for a proof again and again, or binds a proof to the wrong cookie.",
    "SEKISHO_LOGIN=POST /login form:username,password success=cookie:session",
)
CODE_WITHOUT_ACCOUNT: Final = Hazard(
    "SEK019",
    Severity.WARNING,
    "guesses at codes are counted by address alone",
    "An attacker with many addresses guesses one owner's code without a limit for that account.",
    "SEKISHO_CODE=POST /code form:username,code",
)
OLD_CORPUS: Final = Hazard(
    "SEK020",
    Severity.WARNING,
    "the file of leaked passwords is old",
    "Attackers try the newest leaks first, and passwords in those count as unknown here.",
    "sekisho corpus fetch FOLDER && sekisho corpus build FILE FOLDER",
)
SEVERAL_WORKERS_ALONE: Final = Hazard(
    "SEK021",
    Severity.DANGER,
    "several processes count apart",
    "Each process grants an attacker the whole limit, and a proof shown to one is unknown to the others.",
    "SEKISHO_STORE=redis://HOST:6379/0",
)
WRONG_WORKER_COUNT: Final = Hazard(
    "SEK022",
    Severity.WARNING,
    "SEKISHO_WORKERS is not the number of workers",
    "While the store is gone, each worker grants its share of the limits, and the shares add up to another limit.",
    "unset SEKISHO_WORKERS",
)
UNWRITABLE_EVENTS: Final = Hazard(
    "SEK023",
    Severity.WARNING,
    "the file of events cannot be written",
    "Events are dropped and counted, so an attack in that time cannot be examined later.",
    "SEKISHO_EVENTS_FILE=/var/log/sekisho/events.jsonl",
)
UNWRITABLE_AUDIT: Final = Hazard(
    "SEK024",
    Severity.WARNING,
    "the audit cannot be written",
    "Its lines are dropped and counted. `sekisho audit verify` shows the gap, and it cannot tell it from an attack.",
    "SEKISHO_AUDIT=file:/var/log/sekisho/audit.jsonl",
)
ALARM_ALONE: Final = Hazard(
    "SEK025",
    Severity.WARNING,
    "an alarm changes nothing",
    "Strangers are asked for nothing in an attack: each right password opens its account.",
    "SEKISHO_FACTORS=webauthn,totp,email",
)
UNREACHABLE_PROVIDER: Final = Hazard(
    "SEK026",
    Severity.WARNING,
    "the identity provider cannot be used",
    "Owners whose strongest way is the factor oidc cannot prove themselves until it answers as its metadata says.",
    "SEKISHO_OIDC=https://ISSUER client_id=ID name=NAME",
)

QUOTED_SECRET: Final = Hazard(
    "SEK027",
    Severity.WARNING,
    "the secret is in quotation marks",
    "Where another reader of the same file takes them away, it has another secret: commands do not reach the service, "
    "and workers do not know each other's devices.",
    'SEKISHO_SECRET=verify:NEW,"OLD"',
)
HOLED_STORE: Final = Hazard(
    "SEK030",
    Severity.DANGER,
    "the store's version has a known hole",
    "Any client that may run scripts (CVE-2025-49844) or XACKDEL (CVE-2025-62507) can run its own code on the store's "
    "machine.",
    "upgrade to Redis 6.2.20, 7.2.11, 7.4.6, 8.0.4, 8.2.3 or later; Valkey 7.2.11, 8.0.6, 8.1.4 or later",
)
OUTDATED_STORE: Final = Hazard(
    "SEK031",
    Severity.DANGER,
    "the store lacks commands",
    "Redis before 6.2 has no GETDEL, so no step-up and no code can be redeemed.",
    "upgrade to Redis 7.2 or later",
)
EVICTING_STORE: Final = Hazard(
    "SEK032",
    Severity.DANGER,
    "the store evicts keys",
    "An attacker who fills the store gets fresh guesses, and codes that were used are valid again.",
    "redis-cli CONFIG SET maxmemory-policy noeviction",
)
UNWEIGHED_STORE: Final = Hazard(
    "SEK033",
    Severity.WARNING,
    "the store does not tell its memory",
    "Without the figure no budget is kept, so a flood of invented names can fill the store.",
    "ACL SETUSER USER +info",
)
MISSING_RIGHTS: Final = Hazard(
    "SEK034",
    Severity.DANGER,
    "the store's user lacks rights",
    "Commands that the store refuses count nothing, or fail each log-in that needs them.",
    "ACL SETUSER USER RIGHTS",
)
UNBOUNDED_STORE: Final = Hazard(
    "SEK035",
    Severity.WARNING,
    "the store has no memory limit",
    "A flood of invented names grows it until its machine runs out of memory and stops every service on it.",
    "redis-cli CONFIG SET maxmemory 1gb",
)
FORGETFUL_STORE: Final = Hazard(
    "SEK036",
    Severity.WARNING,
    "a restart empties the store",
    "After a restart every attacker has fresh guesses, and step-ups under way are lost.",
    "redis-cli CONFIG SET appendonly yes",
)
CLOCKS_APART: Final = Hazard(
    "SEK037",
    Severity.WARNING,
    "this machine's clock and the store's differ",
    "Devices may seem unknown and step-ups expired, on some machines and not on others.",
    "timedatectl set-ntp true",
)
SLOW_STORE: Final = Hazard(
    "SEK038",
    Severity.WARNING,
    "the store is slow",
    "An answer after the deadline counts as an outage, so attempts are counted by each worker alone.",
    "SEKISHO_STORE_DEADLINE_MS=MILLISECONDS",
)
UNWRITABLE_STORE: Final = Hazard(
    "SEK039",
    Severity.DANGER,
    "the store takes no writes",
    "Nothing is counted there: each worker counts alone, or all attempts are refused.",
    "redis-cli INFO replication",
)

FORGED_CONTROL: Final = Hazard(
    "SEK040",
    Severity.DANGER,
    "a control record is not by this service, or is an old one",
    "The record is ignored, but its writer can reach the store, and may delete counts there.",
    "redis-cli ACL LIST",
)

FORGED_POSTURE: Final = Hazard(
    "SEK041",
    Severity.DANGER,
    "the posture in the store is not by this service",
    "It is estimated anew, so an attack is recognised later; and its writer may delete counts as well.",
    "redis-cli ACL LIST",
)

UNREACHED_STORE: Final = Hazard(
    "SEK042",
    Severity.DANGER,
    "the store cannot be reached",
    "Each worker counts alone, or all attempts are refused, and operators' commands reach no worker.",
    "SEKISHO_STORE=redis://USER:PASSWORD@HOST:6379/0",
)

UNFIT_OWNERS: Final = Hazard(
    "SEK043",
    Severity.DANGER,
    "the owners' database cannot be used",
    "No owner can show a second proof, and none is told of anything.",
    "sekisho owners check",
)
DEAF_RELAY: Final = Hazard(
    "SEK044",
    Severity.DANGER,
    "the mail server takes no mail",
    "Codes and notices do not leave, so owners on new devices stay out, and hear of nothing.",
    "SEKISHO_SMTP=smtp://USER@HOST:587",
)

TWO_SECRETS: Final = Hazard(
    "SEK045",
    Severity.DANGER,
    "workers have two secrets",
    "Each part of them counts apart, knows none of the other's devices, and ignores commands that the other obeys.",
    "SEKISHO_SECRET_FILE=/run/secrets/sekisho",
)

SHARED_BUCKET: Final = Hazard(
    "SEK050",
    Severity.DANGER,
    "all clients share the proxy's address",
    "One attacker uses up the limit of all owners behind the proxy.",
    "SEKISHO_TRUSTED_PROXIES=ADDRESS OF YOUR PROXY",
)
REWRITTEN_PEER: Final = Hazard(
    "SEK051",
    Severity.DANGER,
    "the server rewrites the peer's address",
    "A client writes any address into the header, and each forged one has fresh guesses.",
    "uvicorn --no-proxy-headers MODULE:APP",
)
NOT_OUTERMOST: Final = Hazard(
    "SEK052",
    Severity.WARNING,
    "the guard stands inside other middleware",
    "A flood gets the work of all middleware outside of the guard for free.",
    "app.add_middleware(LoginGuard) as the last call of add_middleware but for CORSMiddleware",
)
FOREIGN_SITE: Final = Hazard(
    "SEK053",
    Severity.DANGER,
    "a front end on another site is not named",
    "Its pages cannot read a refusal or show a proof, so owners who are asked for one cannot get in.",
    "SEKISHO_ORIGINS=https://app.example",
)
FORGED_ADDRESS: Final = Hazard(
    "SEK054",
    Severity.DANGER,
    "a client chooses its own address",
    "An attacker writes another address into each request, and each of them has fresh guesses.",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
)
PLAIN_HTTP: Final = Hazard(
    "SEK055",
    Severity.DANGER,
    "the service answers over plain http",
    "Passwords travel readable, and browsers keep no __Host- cookie, so owners' devices stay unknown.",
    "return 301 https://$host$request_uri;",
)
UNNAMED_CLIENTS: Final = Hazard(
    "SEK056",
    Severity.DANGER,
    "the proxy does not name its clients",
    "All clients share the proxy's address, so one attacker uses up the limit of all owners.",
    "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;",
)
DOUBLE_CORS: Final = Hazard(
    "SEK057",
    Severity.WARNING,
    "two parties write the headers of CORS",
    "A browser refuses an answer that names its origin twice, so the front end reads no refusal.",
    "unset SEKISHO_ORIGINS, or leave the headers of CORS to it",
)
INSECURE_COOKIE: Final = Hazard(
    "SEK058",
    Severity.WARNING,
    "a cookie of the application is not Secure",
    "A browser sends the cookie over plain http as well, where anybody on the path can take the session.",
    "Set-Cookie: NAME=…; Secure; HttpOnly; SameSite=Lax",
)

NO_HSTS: Final = Hazard(
    "SEK059",
    Severity.WARNING,
    "browsers are not told to stay on https",
    "A typed address goes out over plain http first, where anybody on the path can answer with a log-in page.",
    "Strict-Transport-Security: max-age=31536000",
)
READABLE_SESSION: Final = Hazard(
    "SEK060",
    Severity.WARNING,
    "scripts can read a session cookie",
    "One injected script sends the session away, and its thief needs no password.",
    "Set-Cookie: NAME=…; Secure; HttpOnly; SameSite=Lax",
)

MISSING_DOOR: Final = Hazard(
    "SEK070",
    Severity.DANGER,
    "a door does not exist",
    "A misspelt door guards nothing, and guesses at the real one are not counted.",
    "SEKISHO_LOGIN=METHOD /PATH form:username,password",
)
WITHHELD_COOKIE: Final = Hazard(
    "SEK071",
    Severity.DANGER,
    "a CSRF protection misses its cookie",
    "The application refuses each log-in behind a step-up, so no owner gets in from a new device.",
    "SEKISHO_LOGIN=POST /login form:username,password cookies=NAME",
)
NEVER_RECOGNISED: Final = Hazard(
    "SEK072",
    Severity.DANGER,
    "no success was ever recognised behind a step-up",
    "A right password whose success is not recognised opens no session, so no owner gets in from a new device.",
    "SEKISHO_LOGIN=POST /login form:username,password success=RULE",
)
UNREAD_CODING: Final = Hazard(
    "SEK073",
    Severity.WARNING,
    "answers are compressed in a way that is not read",
    "Success cannot be seen in them, so owners are charged like attackers and their devices stay unknown.",
    "pip install brotli zstandard",
)
UNJUDGED_ANSWER: Final = Hazard(
    "SEK074",
    Severity.WARNING,
    "answers cannot be judged",
    "Success cannot be seen in them, so owners are charged like attackers and their devices stay unknown.",
    "SEKISHO_LOGIN=POST /login form:username,password success=cookie:NAME",
)
WRONG_RULE: Final = Hazard(
    "SEK075",
    Severity.DANGER,
    "a wrong log-in is taken for a success",
    "A rule that failures match refunds an attacker's guesses and makes the attacker's device known.",
    "SEKISHO_LOGIN=POST /login form:username,password success=RULE",
)
UNTESTED_RULE: Final = Hazard(
    "SEK076",
    Severity.WARNING,
    "a rule of success could not be tested",
    "If the rule is wrong, an attacker's guesses are refunded.",
    "sekisho check --app MODULE:APP --known",
)
IDLE_DOOR: Final = Hazard(
    "SEK077",
    Severity.ADVICE,
    "a door was never used",
    "A door with a wrong method, path or content type guards nothing, and the real one may be open.",
    "sekisho check --app MODULE:APP --door 'METHOD /PATH'",
)
UNGUARDED_FORM: Final = Hazard(
    "SEK078",
    Severity.DANGER,
    "a log-in form posts past the guard",
    "Guesses at that route are not counted, and a success there makes no device known.",
    "SEKISHO_LOGIN=POST /PATH form:ACCOUNT,PASSWORD",
)
HALF_LOG_IN: Final = Hazard(
    "SEK079",
    Severity.DANGER,
    "a log-in is believed before its second step",
    "An attacker with the right password gets a known device without the application's second step.",
    "SEKISHO_LOGIN=POST /login form:username,password success=302!/2fa",
)
UNSEEN_SUCCESS: Final = Hazard(
    "SEK080",
    Severity.DANGER,
    "a right log-in is not recognised",
    "Owners are charged like attackers until they are refused, and behind a step-up none gets in.",
    "SEKISHO_LOGIN=POST /login form:username,password success=RULE",
)
UNNAMED_DOOR: Final = Hazard(
    "SEK081",
    Severity.DANGER,
    "a password came to a path that is no door",
    "Guesses at that route are not counted, and a success there makes no device known.",
    "SEKISHO_LOGIN=POST /PATH form:ACCOUNT,PASSWORD",
)
UNNAMED_SESSION: Final = Hazard(
    "SEK082",
    Severity.ADVICE,
    "a session was set at a path that is no door",
    "If the route logs somebody in, guesses there are not counted.",
    "SEKISHO_LOGIN=POST /PATH form:ACCOUNT,PASSWORD",
)
UNKNOWN_LINKER: Final = Hazard(
    "SEK083",
    Severity.WARNING,
    "the account that links another is not known",
    "One wallet tries the numbers of many accounts, and where there are factors no owner can link an account.",
    "LoginGuard(app, session_account=ACCOUNT_OF_SCOPE)",
)
UNREAD_ATTEMPT: Final = Hazard(
    "SEK084",
    Severity.WARNING,
    "a request has nothing that its door reads",
    "If it is the service's own log-in, it is refused for everybody.",
    "SEKISHO_LOGIN=POST /login json:ACCOUNT,PASSWORD",
)
UNKNOWN_ROUTE: Final = Hazard(
    "SEK085",
    Severity.DANGER,
    "a protected route does not exist",
    "A misspelt route protects nothing, and a stolen session reaches the real one without a proof.",
    "SEKISHO_PROTECT=METHOD /PATH max_age=SECONDS",
)
OPEN_BELOW: Final = Hazard(
    "SEK086",
    Severity.DANGER,
    "a door is open below its path",
    "The application's log-in answers at every path below the door's, and guesses there are not counted.",
    'Route("/login", …) in place of Mount, or re_path(r"^login/$", …) with its $',
)
KEPT_SESSION: Final = Hazard(
    "SEK087",
    Severity.DANGER,
    "a session that the client brings is logged in before the proof",
    "A stranger who brings a session and knows the password is logged in by it without any proof.",
    "SEKISHO_LOGIN=POST /login form:username,password",
)
PROOF_FOR_EACH: Final = Hazard(
    "SEK088",
    Severity.DANGER,
    "each request by HTTP Basic needs a proof of its own",
    "Clients of an API that cannot show a proof are refused, with the right password too.",
    'LoginGuard(api, login="* /api/* basic success=!401,403", factors="none")',
)
BASIC_BESIDE: Final = Hazard(
    "SEK089",
    Severity.DANGER,
    "the application looks at HTTP Basic beside a door",
    "Passwords can be guessed by the header Authorization, at every such route, and nothing counts them.",
    "SEKISHO_LOGIN=POST /login form:username,password; * /api/* basic:utf-8|latin-1 success=!401,403",
)
UNNAMED_BASIC: Final = Hazard(
    "SEK090",
    Severity.WARNING,
    "HTTP Basic is answered at a path that is no door",
    "If the application looks at that header there, guesses by it are not counted.",
    "SEKISHO_LOGIN=POST /login form:username,password; * /api/* basic success=!401,403",
)
DEAF_WEBHOOK: Final = Hazard(
    "SEK091",
    Severity.DANGER,
    "a webhook takes no posts",
    "Codes or notices do not leave by it, so owners on new devices stay out, or hear of nothing.",
    "SEKISHO_NOTICES_WEBHOOK=https://HOST/PATH",
)
STACKED: Final = Hazard(
    "SEK092",
    Severity.WARNING,
    "two guards stand in front of one application",
    "Guards with different settings charge each attempt twice, and proofs that the one accepts are none for the other.",
    "app.add_middleware(LoginGuard) in one place",
)
NAMES_NOBODY: Final = Hazard(
    "SEK093",
    Severity.DANGER,
    "a password was set, and nothing tells whose",
    "A thief's proofs, step-ups and known devices outlive the owner's reset, and the owner is not told of it.",
    "request.state.sekisho.report(success=True, account=user.email)",
)

HAZARDS: Final = (
    MADE_UP_SECRET,
    WEAK_SECRET,
    NOT_ENFORCED,
    MEMORY_STORE,
    UNVERIFIED_STORE,
    OPEN_ON_FAILURE,
    NO_FACTOR,
    LEAKED_REFUSED,
    PLANTED_COOKIE,
    GUESSED_SUCCESS,
    UNSEEN_RESET,
    UNSEEN_NEW_PASSWORD,
    BASIC_WITHOUT_RULE,
    ENROLLED_ONLY,
    FOREIGN_SESSION,
    NO_WORK,
    NAMELESS_SERVICE,
    GUESSED_SESSION,
    CODE_WITHOUT_ACCOUNT,
    OLD_CORPUS,
    SEVERAL_WORKERS_ALONE,
    WRONG_WORKER_COUNT,
    UNWRITABLE_EVENTS,
    UNWRITABLE_AUDIT,
    ALARM_ALONE,
    UNREACHABLE_PROVIDER,
    QUOTED_SECRET,
    HOLED_STORE,
    OUTDATED_STORE,
    EVICTING_STORE,
    UNWEIGHED_STORE,
    MISSING_RIGHTS,
    UNBOUNDED_STORE,
    FORGETFUL_STORE,
    CLOCKS_APART,
    SLOW_STORE,
    UNWRITABLE_STORE,
    FORGED_CONTROL,
    FORGED_POSTURE,
    UNREACHED_STORE,
    UNFIT_OWNERS,
    DEAF_RELAY,
    TWO_SECRETS,
    SHARED_BUCKET,
    REWRITTEN_PEER,
    NOT_OUTERMOST,
    FOREIGN_SITE,
    FORGED_ADDRESS,
    PLAIN_HTTP,
    UNNAMED_CLIENTS,
    DOUBLE_CORS,
    INSECURE_COOKIE,
    NO_HSTS,
    READABLE_SESSION,
    MISSING_DOOR,
    WITHHELD_COOKIE,
    NEVER_RECOGNISED,
    UNREAD_CODING,
    UNJUDGED_ANSWER,
    WRONG_RULE,
    UNTESTED_RULE,
    IDLE_DOOR,
    UNGUARDED_FORM,
    HALF_LOG_IN,
    UNSEEN_SUCCESS,
    UNNAMED_DOOR,
    UNNAMED_SESSION,
    UNKNOWN_LINKER,
    UNREAD_ATTEMPT,
    UNKNOWN_ROUTE,
    OPEN_BELOW,
    KEPT_SESSION,
    PROOF_FOR_EACH,
    BASIC_BESIDE,
    UNNAMED_BASIC,
    DEAF_WEBHOOK,
    STACKED,
    NAMES_NOBODY,
)
"""Every hazard, by number."""
