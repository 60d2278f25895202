"""Who buys: a person or a business with one or several users, its addresses, documents and bank accounts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from storefront import addresses, crypto
from storefront.ids import ID_LENGTH, new_id
from storefront.models import CustomerGroup, StoreScoped


class Customer(StoreScoped):
    """The party behind orders, addresses and balances. Its id is that of its primary user.

    `business` is None for a private person, else `{"type", "name", "metadata", "pan_number", "gstin"}`, and its
    `registered_address`. A guest is a visitor who gave an address without an account; registering makes the same row
    the account's.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, editable=False)
    group = models.ForeignKey(
        CustomerGroup,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=_("Decides prices; empty means the store's default group."),
    )
    business = models.JSONField(null=True, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    is_guest = models.BooleanField(default=False, editable=False)
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    merged_into = models.CharField(
        max_length=ID_LENGTH,
        blank=True,
        default="",
        editable=False,
        help_text=_("The customer who has all that was this one's, since staff merged the two."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(auto_now=True)

    called = ""  # by its people's name, on a page of staff that asked for it

    class Meta:
        verbose_name = _("customer")
        verbose_name_plural = _("customers")
        permissions = [("export_customer", "Can export all data of a customer")]
        indexes = [
            models.Index(fields=["store", "group"], name="sf_customer_group"),
            models.Index(fields=["store", "-created_at"], name="sf_customer_created"),
            # The sweep works across stores.
            models.Index(
                fields=["modified_at"], condition=Q(is_guest=True, erased_at=None), name="sf_customer_old_guest"
            ),
        ]

    def __str__(self) -> str:
        return str((self.business or {}).get("name") or self.called or self.pk)


class OfCustomer(StoreScoped):
    """A row that belongs to one customer and goes with it."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_index=False)

    class Meta:
        abstract = True


class CustomerNote(OfCustomer):
    """What staff remember about a customer. Notes are only added; they go with the customer, and into its export."""

    text = models.TextField(max_length=4000)
    author = models.CharField(max_length=150, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        indexes = [models.Index(fields=["store", "customer", "-created_at"], name="sf_customers_note")]

    def __str__(self) -> str:
        return f"{self.author} {self.created_at:%Y-%m-%d}"


class Address(OfCustomer):
    """An entry of a customer's address book. At most one is the default of each kind (D-39).

    Written under a lock on the customer, so that the defaults of one book never cross.
    """

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    nickname = models.CharField(max_length=60, blank=True)
    first_name = models.CharField(max_length=80)
    last_name = models.CharField(max_length=80, blank=True)
    country_code = models.CharField(_("dial code"), max_length=6)
    phone = models.CharField(max_length=20, help_text=_("Without the dial code."))
    email = models.CharField(_("e-mail"), max_length=254, blank=True)
    address_line1 = models.CharField(max_length=200)
    address_line2 = models.CharField(max_length=200, blank=True)
    landmark = models.CharField(max_length=120, blank=True)
    pincode = models.CharField(_("postal code"), max_length=12)
    city = models.CharField(max_length=80)
    state = models.CharField(max_length=80)
    country = models.CharField(max_length=60, default="India", help_text=_("Its English name, as the API shows it."))
    tax_identification_number = models.CharField(_("tax number"), max_length=30, blank=True)
    business_name = models.CharField(max_length=160, blank=True)
    is_default_billing = models.BooleanField(_("default for billing"), default=False)
    is_default_shipping = models.BooleanField(_("default for shipping"), default=False)
    last_used_at = models.DateTimeField(default=timezone.now, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(default=timezone.now, editable=False)

    TEXTS = addresses.MEMBERS

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        constraints = [
            models.UniqueConstraint(
                fields=["store", "customer"],
                condition=Q(is_default_billing=True),
                name="%(app_label)s_address_one_billing",
            ),
            models.UniqueConstraint(
                fields=["store", "customer"],
                condition=Q(is_default_shipping=True),
                name="%(app_label)s_address_one_shipping",
            ),
        ]
        indexes = [models.Index(fields=["store", "customer", "-created_at", "-id"], name="sf_customers_address")]

    def __str__(self) -> str:
        return ", ".join(part for part in (self.nickname, self.address_line1, self.city, self.pincode) if part)

    def content(self) -> dict[str, Any]:
        """Its texts in the contract's shape, without id and flags."""
        nullable = addresses.OPTIONAL
        return {name: getattr(self, name) or (None if name in nullable else "") for name in self.TEXTS}


class KycDocumentType(StoreScoped):
    """A document that the store asks its customers for."""

    class Kind(models.TextChoices):
        GST = "gst", _("GST registration")
        PAN = "pan", _("PAN card")
        OTHER = "other", _("Another document")

    class Verification(models.TextChoices):
        AUTO = "auto", _("By itself, where a provider can")
        MANUAL = "manual", _("By staff")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    title = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.OTHER)
    verification = models.CharField(max_length=8, choices=Verification.choices, default=Verification.MANUAL)
    is_mandatory = models.BooleanField(_("mandatory"), default=False)
    is_attachment_required = models.BooleanField(_("a file is required"), default=False)
    valid_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text=_("Days after which an approved document expires; empty for never.")
    )
    active = models.BooleanField(default=True)
    sort_order = models.IntegerField(default=0)

    class Meta:
        verbose_name = _("kind of document")
        verbose_name_plural = _("kinds of document")
        ordering = ["sort_order", "title", "pk"]
        constraints = [models.UniqueConstraint(fields=["store", "title"], name="%(app_label)s_kyc_type_title")]

    def __str__(self) -> str:
        return self.title


class Document(OfCustomer):
    """A document of a customer. The number is encrypted; the file lies in private storage.

    A customer has at most one of a kind that is submitted or approved (D-44); rejected and expired ones stay beside it.
    """

    class Status(models.TextChoices):
        SUBMITTED = "submitted", _("Submitted")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        EXPIRED = "expired", _("Expired")

    class By(models.TextChoices):
        CUSTOMER = "customer", _("Customer")
        ADMIN = "admin", _("Staff")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    type = models.ForeignKey(KycDocumentType, on_delete=models.RESTRICT, related_name="+", db_index=False)
    number_encrypted = models.TextField(editable=False)
    number_hash = models.CharField(max_length=64, editable=False)
    number_hint = models.CharField(_("number"), max_length=12, editable=False, help_text=_("Its last characters."))
    note = models.CharField(max_length=500, blank=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.SUBMITTED)
    is_automatic = models.BooleanField(_("checked by itself"), default=False, editable=False)
    verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=8, choices=By.choices, default=By.CUSTOMER, editable=False)
    modified_by = models.CharField(max_length=8, choices=By.choices, default=By.CUSTOMER, editable=False)
    modified_reason = models.CharField(max_length=300, blank=True)
    file = models.CharField(max_length=200, blank=True, editable=False, help_text=_("Its name in private storage."))
    file_type = models.CharField(max_length=40, blank=True, editable=False)
    file_size = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("document")
        constraints = [
            models.UniqueConstraint(
                fields=["store", "customer", "type"],
                condition=Q(status__in=["submitted", "approved"]),
                name="%(app_label)s_document_one_live",
            ),
            models.CheckConstraint(
                condition=~Q(status="approved") | Q(verified_at__isnull=False),
                name="%(app_label)s_document_verified_at",
            ),
        ]
        indexes = [
            models.Index(fields=["store", "customer", "-created_at"], name="sf_customers_document"),
            models.Index(fields=["store", "status", "-created_at"], name="sf_customers_document_status"),
            models.Index(fields=["store", "number_hash"], name="sf_customers_document_number"),
            # The sweep works across stores.
            models.Index(
                fields=["expires_at"],
                condition=Q(status="approved", expires_at__isnull=False),
                name="sf_customers_document_expiry",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} …{self.number_hint}"

    @property
    def number(self) -> str:
        return crypto.decrypt(self.number_encrypted)

    def expired(self, now: datetime) -> bool:
        """Whether it is past its date, though the row may not say so yet."""
        return self.status == self.Status.APPROVED and self.expires_at is not None and self.expires_at <= now


class DocumentEvent(OfCustomer):
    """What happened to a document, in order. Rows are only added; they hold no numbers and outlive the document."""

    class Kind(models.TextChoices):
        SUBMITTED = "submitted", _("Submitted")
        SUBMITTED_AGAIN = "submitted_again", _("Submitted again")
        APPROVED = "approved", _("Approved")
        REJECTED = "rejected", _("Rejected")
        EXPIRED = "expired", _("Expired")
        DELETED = "deleted", _("Deleted")

    document_id = models.CharField(max_length=ID_LENGTH, editable=False)
    kind = models.CharField(max_length=16, choices=Kind.choices, editable=False)
    by = models.CharField(max_length=60, editable=False, help_text=_("A user's id, a member of staff, or nobody."))
    reason = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("document event")
        ordering = ["pk"]
        indexes = [models.Index(fields=["store", "document_id"], name="sf_customers_document_event")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.created_at:%Y-%m-%d}"


class BankAccount(OfCustomer):
    """An account that money is sent to (outbound), or one that a provider opened for what the customer pays (inbound).

    The number is encrypted and shown by its last four digits only. Changing it takes its verification away.
    """

    class Type(models.TextChoices):
        OUTBOUND = "outbound", _("The customer's own")
        INBOUND = "inbound", _("Opened for the customer")

    class Check(models.TextChoices):
        NONE = "none", _("Not checked")
        PENDING = "pending", _("Being checked")
        VERIFIED = "verified", _("Verified")
        FAILED = "failed", _("Refused")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    type = models.CharField(max_length=8, choices=Type.choices, editable=False)
    account_name = models.CharField(max_length=120)
    number_encrypted = models.TextField(editable=False)
    number_hash = models.CharField(max_length=64, editable=False)
    last4 = models.CharField(_("last digits"), max_length=4, editable=False)
    ifsc_code = models.CharField(_("IFSC"), max_length=11)
    bank_name = models.CharField(max_length=120)
    provider = models.CharField(max_length=40, blank=True, editable=False)
    merged = models.BooleanField(
        default=False, editable=False
    )  # came with another customer, beside one of its provider
    is_default = models.BooleanField(default=False)
    check_state = models.CharField(max_length=8, choices=Check.choices, default=Check.NONE, editable=False)
    check_reference = models.CharField(max_length=80, blank=True, editable=False)
    verified_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    modified_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("bank account")
        constraints = [
            models.UniqueConstraint(
                fields=["store", "customer", "number_hash"], name="%(app_label)s_bank_account_once"
            ),
            models.UniqueConstraint(
                fields=["store", "customer", "type"],
                condition=Q(is_default=True),
                name="%(app_label)s_bank_account_one_default",
            ),
            models.UniqueConstraint(
                fields=["store", "customer", "provider"],
                condition=Q(type="inbound", merged=False),
                name="%(app_label)s_bank_account_one_inbound",
            ),
        ]
        indexes = [models.Index(fields=["store", "customer", "-created_at"], name="sf_customers_bank_account")]

    def __str__(self) -> str:
        return f"{self.bank_name} …{self.last4}"

    @property
    def is_verified(self) -> bool:
        return self.check_state == self.Check.VERIFIED

    @property
    def number(self) -> str:
        return crypto.decrypt(self.number_encrypted)


class Seller(StoreScoped):
    """Somebody who sells on the store's marketplace, or to some of its customers only."""

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    trade_name = models.CharField(max_length=160)
    legal_name = models.CharField(max_length=160)
    business_type = models.CharField(max_length=60, blank=True)
    tax_identification_number = models.CharField(_("tax number"), max_length=30, blank=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("seller")
        constraints = [models.UniqueConstraint(fields=["store", "trade_name"], name="%(app_label)s_seller_name")]

    def __str__(self) -> str:
        return self.trade_name


class AuthorizedSeller(OfCustomer):
    """A seller who may sell to a customer."""

    seller = models.ForeignKey(Seller, on_delete=models.CASCADE, related_name="authorizations", db_index=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("authorised seller")
        constraints = [
            models.UniqueConstraint(fields=["store", "customer", "seller"], name="%(app_label)s_authorized_once")
        ]
        indexes = [models.Index(fields=["store", "seller"], name="sf_customers_authorized")]

    def __str__(self) -> str:
        return str(self.seller)


class Segment(StoreScoped):
    """A part of the customers, for promotions and messages: named one by one, or all to whom the conditions apply."""

    class Kind(models.TextChoices):
        MANUAL = "manual", _("Named one by one")
        RULE = "rule", _("By conditions")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    name = models.CharField(max_length=80)
    description = models.CharField(max_length=300, blank=True)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.MANUAL)
    group = models.ForeignKey(
        CustomerGroup,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=_("Only customers of this group."),
    )
    registered_from = models.DateTimeField(null=True, blank=True, help_text=_("Only who registered then or later."))
    registered_until = models.DateTimeField(null=True, blank=True, help_text=_("Only who registered before."))
    is_business = models.BooleanField(null=True, blank=True, help_text=_("Only businesses, or only private persons."))
    has_document = models.ForeignKey(
        KycDocumentType,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        db_index=False,
        help_text=_("Only customers whose document of this kind is approved."),
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("segment")
        constraints = [
            models.UniqueConstraint(fields=["store", "name"], name="%(app_label)s_segment_name"),
            models.CheckConstraint(
                condition=Q(kind="manual")
                | Q(group__isnull=False)
                | Q(registered_from__isnull=False)
                | Q(registered_until__isnull=False)
                | Q(is_business__isnull=False)
                | Q(has_document__isnull=False),
                name="%(app_label)s_segment_has_rule",
                violation_error_message=_("Give at least one condition."),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SegmentMember(OfCustomer):
    """A customer who was put into a segment by hand."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="members", db_index=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("member")
        constraints = [
            models.UniqueConstraint(fields=["store", "customer", "segment"], name="%(app_label)s_segment_member_once")
        ]
        indexes = [models.Index(fields=["store", "segment"], name="sf_customers_segment_member")]

    def __str__(self) -> str:
        return str(self.customer_id)


class Invitation(OfCustomer):
    """Asks the owner of a contact to become a user of a customer. Proving the contact accepts it.

    The contact is emptied once nobody needs it any more: accepted, withdrawn or expired.
    """

    class State(models.TextChoices):
        OPEN = "open", _("Open")
        ACCEPTED = "accepted", _("Accepted")
        WITHDRAWN = "withdrawn", _("Withdrawn")
        EXPIRED = "expired", _("Expired")

    id = models.CharField(max_length=ID_LENGTH, primary_key=True, default=new_id, editable=False)
    contact = models.CharField(max_length=254, blank=True, help_text=_("An e-mail address, or a phone in E.164."))
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN, editable=False)
    invited_by = models.CharField(max_length=60, blank=True, editable=False)
    accepted_user_id = models.CharField(max_length=ID_LENGTH, blank=True, editable=False)
    expires_at = models.DateTimeField(editable=False)
    accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("invitation")
        constraints = [
            models.UniqueConstraint(
                fields=["store", "contact"], condition=Q(state="open"), name="%(app_label)s_invitation_one_open"
            ),
        ]
        indexes = [
            models.Index(fields=["store", "customer", "-created_at"], name="sf_customers_invitation"),
            # The sweep works across stores.
            models.Index(fields=["expires_at"], condition=Q(state="open"), name="sf_customers_invitation_due"),
        ]

    def __str__(self) -> str:
        return self.get_state_display()
