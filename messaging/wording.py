"""The built-in templates: what each may say and how it says it in each language. A store's own rows override them.

    register("order_placed", samples={"number": "1042"}, wording={"en": Wording(subject=..., text=...)})

`samples` names every placeholder that the template knows, with a value for previews. `{store}` is always known;
`{code}` and `{minutes}` come from the secret and the message's lifetime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Wording:
    """Text for phones and the e-mail's plain part; `subject` for e-mail. HTML is built from `text` unless given."""

    text: str
    subject: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Definition:
    samples: Mapping[str, str]
    wording: Mapping[str, Wording]  # by language; English must be there
    variables: tuple[str, ...] = ()  # the order that providers with fixed templates want


@dataclass(slots=True)
class Registry:
    definitions: dict[str, Definition] = field(default_factory=dict)


_registry = Registry()
COMMON_SAMPLES = {"store": "Tea House"}


def register(
    code: str, *, samples: Mapping[str, str], wording: Mapping[str, Wording], variables: tuple[str, ...] = ()
) -> None:
    """Adds a template, from an app's `ready`. Registering again replaces it."""
    if "en" not in wording:
        raise ValueError(f"Template {code!r} has no English wording.")
    _registry.definitions[code] = Definition({**COMMON_SAMPLES, **samples}, dict(wording), variables)


def definition(code: str) -> Definition | None:
    return _registry.definitions.get(code)


def codes() -> list[str]:
    return sorted(_registry.definitions)


def languages(code: str) -> list[str]:
    found = definition(code)
    return sorted(found.wording) if found else []


_CODE_SAMPLES = {"code": "482913", "minutes": "5"}
_CODE_ENDINGS = {
    "en": "It is valid for {minutes} minutes. Never share it with anyone.",
    "hi": "यह {minutes} मिनट तक मान्य है। इसे किसी को न बताएं।",
}


def _code(code: str, **wording: tuple[str, str]) -> None:
    register(
        code,
        samples=_CODE_SAMPLES,
        wording={
            language: Wording(subject=subject, text=f"{text} {_CODE_ENDINGS[language]}")
            for language, (subject, text) in wording.items()
        },
        variables=("code",),
    )


_code(
    "otp_login",
    en=("{code} is your sign-in code", "{code} is your code to sign in to {store}."),
    hi=("साइन इन कोड: {code}", "{store} में साइन इन करने का आपका कोड {code} है।"),
)
_code(
    "otp_register",
    en=("{code} is your code", "{code} is your code to create your {store} account."),
    hi=("आपका कोड: {code}", "{store} पर खाता बनाने का आपका कोड {code} है।"),
)
_code(
    "otp_reset_password",
    en=("{code} resets your password", "{code} is your code to reset your {store} password."),
    hi=("पासवर्ड बदलने का कोड: {code}", "{store} का पासवर्ड बदलने का आपका कोड {code} है।"),
)
_code(
    "otp_verify",
    en=("{code} confirms this address", "{code} is your code to confirm this contact at {store}."),
    hi=("पुष्टि कोड: {code}", "{store} पर इस संपर्क की पुष्टि का कोड {code} है।"),
)
_code(
    "otp_update",
    en=("{code} confirms your new contact", "{code} is your code to use this contact at {store} from now on."),
    hi=("नए संपर्क का कोड: {code}", "{store} पर इस नए संपर्क को जोड़ने का कोड {code} है।"),
)
register(
    "no_account",
    samples={},
    wording={
        "en": Wording(
            subject="There is no account for this address",
            text="Someone tried to sign in to {store} with this contact, but it has no account. "
            "If it was you, please register first; if not, you need do nothing.",
        ),
        "hi": Wording(
            subject="इस पते से कोई खाता नहीं है",
            text="किसी ने इस संपर्क से {store} में साइन इन करने की कोशिश की, पर इसका कोई खाता नहीं है। "
            "यदि वह आप थे, तो पहले पंजीकरण करें; यदि नहीं, तो कुछ करने की ज़रूरत नहीं।",
        ),
    },
)
register(
    "contact_changed",
    samples={"contact": "+91******3210"},
    wording={
        "en": Wording(
            subject="Your contact details were changed",
            text="The contact details of your {store} account were changed to {contact}. "
            "If this was not you, please tell us at once.",
        ),
        "hi": Wording(
            subject="आपका संपर्क विवरण बदला गया",
            text="आपके {store} खाते का संपर्क बदलकर {contact} कर दिया गया है। यदि यह आपने नहीं किया, तो हमें तुरंत बताएं।",
        ),
    },
    variables=("contact",),
)
register(
    "password_changed",
    samples={},
    wording={
        "en": Wording(
            subject="Your password was changed",
            text="The password of your {store} account was changed. If this was not you, please tell us at once.",
        ),
        "hi": Wording(
            subject="आपका पासवर्ड बदला गया",
            text="आपके {store} खाते का पासवर्ड बदल दिया गया है। यदि यह आपने नहीं किया, तो हमें तुरंत बताएं।",
        ),
    },
)
register(
    "customer_invitation",
    samples={"customer": "Rao Spices"},
    wording={
        "en": Wording(
            subject="{customer} invites you to {store}",
            text="{customer} invites you to buy together at {store}. Register with this contact to join.",
        ),
        "hi": Wording(
            subject="{customer} ने आपको {store} पर आमंत्रित किया है",
            text="{customer} ने आपको {store} पर साथ खरीदारी के लिए आमंत्रित किया है। जुड़ने के लिए इसी संपर्क से पंजीकरण करें।",
        ),
    },
    variables=("customer",),
)
register(
    "welcome",
    samples={},
    wording={
        "en": Wording(subject="Welcome to {store}", text="Welcome to {store}! Your account is ready."),
        "hi": Wording(subject="{store} में आपका स्वागत है", text="{store} में आपका स्वागत है! आपका खाता तैयार है।"),
    },
)
