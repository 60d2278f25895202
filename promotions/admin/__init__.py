"""What staff do with coupons and promotions."""

import promotions.admin.codes
import promotions.admin.offers
import promotions.admin.simulator  # noqa: F401
