"""Events: how a lower app reaches a higher one without knowing it.

Listeners run at once, in the sender's transaction, in the order in which they were connected; one that raises undoes
the sender's work. Work that can wait belongs in an outbox row or in `transaction.on_commit`.

    shopper.registered   store, user_id, customer_id
    shopper.merged       store, from_user_id, to_user_id, strategy     a visitor logged in to an account (D-21)
    shopper.logged_in    store, user_id
    customer.invited     store, customer_id, contact, inviter           a message must go to the contact
    shopper.erased       store, user_id, customer_id                   personal data must go (D-14)
    customer.merging     store, from_customer_id, to_customer_id       about to be merged; lock now what comes first
    customer.merged      store, from_customer_id, to_customer_id, made_by   move what is the first one's, or refuse
    shopper.preferences  store, email, preferences                     a verified e-mail address wants or refuses
    contacts.forgotten   store, contacts                               proven contacts of somebody who is erased
    message.bounced      store, to, channel, reason                    nobody is there, or they complained: send no more
    message.unsubscribed store, to, channel                            they ended such messages at the provider
    newsletter.changed   store, email, wanted, categories              an address subscribed or unsubscribed
    cart.abandoned       store, cart_id, user_id                       left for the store's hours; once in its life
    offer.published      store, offer_id                               a coupon or promotion is live
    offer.stopped        store, offer_id                               by staff
    offer.expired        store, offer_id                               it has ended
    cart.updated         store, cart_id, user_id                       sent after commit
    catalog.deleting     store, product_ids                            about to go, with what hangs on them
    catalog.published    store, product_ids                            shown otherwise now, or not at all any more
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

Listener = Callable[..., None]
_listeners: defaultdict[str, list[Listener]] = defaultdict(list)


def on(name: str, listener: Listener) -> None:
    """Connects a listener, from an app's `ready`. Connecting the same one again changes nothing."""
    if listener not in _listeners[name]:
        _listeners[name].append(listener)


def send(name: str, **payload: Any) -> None:
    for listener in _listeners[name]:
        listener(**payload)
