"""The shop's members as shoppers of the API."""

from accounts.models import User as Shopper
from customers.services import create_customer
from storefront.ids import new_id


def welcome(member, *, store):
    """Whoever proves this address by a code, or knows this password, is that member."""
    pk = new_id()
    customer = create_customer(store=store, customer_id=pk)
    return Shopper.objects.create(
        id=pk,
        store=store,
        customer=customer,
        host_user=member,
        first_name=member.first_name,
        last_name=member.last_name,
        email=member.email.lower(),
        is_email_verified=True,
        password=member.password,
    )
