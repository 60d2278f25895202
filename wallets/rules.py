"""The loyalty programme as values, and what follows from it. Pure: no rows, no clock."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from storefront.money import HUNDRED, ZERO, Currency, rounded
from storefront.pricing import Totals


class TierRule(NamedTuple):
    tier_id: int | None  # None: the first tier, where everybody begins
    name: str
    threshold: Decimal
    points_per_unit: Decimal
    bonus_points: int = 0


class Rules(NamedTuple):
    """An active programme. `tiers` rise and begin with the one that everybody is in."""

    name: str
    point_value: Decimal
    minimum_points: int
    maximum_points: int | None
    maximum_percent: Decimal
    post_days: int
    expiry_days: int | None
    signup_points: int
    reset_months: int | None
    carry_percent: Decimal
    tiers_fall: bool
    tiers: tuple[TierRule, ...]
    since: datetime

    def tier(self, tier_id: int | None) -> TierRule:
        """The tier of that id; the first one for None and for one that is gone."""
        return next((tier for tier in self.tiers if tier.tier_id == tier_id), self.tiers[0])

    def tier_for(self, spent: Decimal) -> TierRule:
        return [tier for tier in self.tiers if tier.threshold <= spent][-1]

    def worth(self, points: int, currency: Currency) -> Decimal:
        """What points pay, rounded."""
        return rounded(points * self.point_value, currency)

    def points_for(self, amount: Decimal) -> int:
        """The most points that are not worth more than `amount`."""
        return int(max(amount, ZERO) // self.point_value)

    def limit(self, total: Decimal) -> int:
        """The most points that an order of that total may use, whoever has them."""
        share = self.points_for(total * self.maximum_percent / HUNDRED)
        return share if self.maximum_points is None else min(share, self.maximum_points)

    def expiry(self, moment: datetime) -> datetime | None:
        """When points that come at that moment go."""
        return None if self.expiry_days is None else moment + timedelta(days=self.expiry_days)

    def next_reset(self, moment: datetime) -> datetime | None:
        """When a period that begins at that moment ends."""
        return None if self.reset_months is None else months_later(moment, self.reset_months)


def counted(totals: Totals, points_value: Decimal) -> Decimal:
    """What of an order earns points and counts for tiers: lines after discounts, without tax, less what points pay."""
    return max(totals.items_net - points_value, ZERO)


def months_later(moment: datetime, months: int) -> datetime:
    """The same day and time so many months on; the month's last day where it is shorter."""
    year, month = divmod(moment.month - 1 + months, 12)
    year, month = moment.year + year, month + 1
    for day in (moment.day, 30, 29, 28):
        try:
            return moment.replace(year=year, month=month, day=day)
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")
