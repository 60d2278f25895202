"""The message that asks for a click."""

from __future__ import annotations

from messaging.wording import Wording, register


def register_all() -> None:
    register(
        "newsletter_confirm",
        samples={"page": "https://shop.example/newsletter/tea/confirm/", "sealed": "gAAAAAB"},
        wording={
            "en": Wording(
                subject="Please confirm: the newsletter of {store}",
                text="Somebody, probably you, asked for the newsletter of {store}. To get it, open this page:\n"
                "{page}{sealed}\n"
                "If it was not you, you need do nothing: you get no newsletter, and the address is deleted.",
                html="<p>Somebody, probably you, asked for the newsletter of {store}.</p>"
                '<p><a href="{page}{sealed}">Yes, send me the newsletter</a></p>'
                "<p>If it was not you, you need do nothing: you get no newsletter, and the address is deleted.</p>",
            ),
            "hi": Wording(
                subject="कृपया पुष्टि करें: {store} का न्यूज़लेटर",
                text="किसी ने, शायद आपने, {store} का न्यूज़लेटर माँगा है। इसे पाने के लिए यह पेज खोलें:\n"
                "{page}{sealed}\n"
                "यदि वह आप नहीं थे, तो कुछ करने की ज़रूरत नहीं: आपको न्यूज़लेटर नहीं मिलेगा और पता हटा दिया जाएगा।",
                html="<p>किसी ने, शायद आपने, {store} का न्यूज़लेटर माँगा है।</p>"
                '<p><a href="{page}{sealed}">हाँ, मुझे न्यूज़लेटर भेजें</a></p>'
                "<p>यदि वह आप नहीं थे, तो कुछ करने की ज़रूरत नहीं: आपको न्यूज़लेटर नहीं मिलेगा और पता हटा दिया जाएगा।</p>",
            ),
        },
    )
