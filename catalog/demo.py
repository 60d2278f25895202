"""The demo shop's goods: invented, and chosen so that every rule of the catalogue and the cart meets one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import product as combinations
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from storefront import selectors as kernel
from storefront.ids import new_id
from storefront.models import CustomerGroup, StockLocation, Store

from . import images, services, stock
from .demo_pictures import picture
from .ledger import Reason
from .models import (
    Attribute,
    AttributeChoice,
    Brand,
    BundleItem,
    Category,
    Price,
    Product,
    ProductAttribute,
    ProductCategory,
    ProductImage,
    ProductLink,
    Stock,
    Variant,
    VariantChoice,
)
from .places import LocationStock

GROUNDS = ("#C9A66B", "#8FA68E", "#C48B6C", "#7F95A8")

# By name: the branches below.
TREE: dict[str, Any] = {
    "Apparel": {"Women": {"Kurtas": {}, "Sarees and stoles": {}}, "Men": {"Shirts": {}}},
    "Kitchen": {"Cookware": {"Iron": {}, "Brass and copper": {}}, "Tableware": {"Cups": {}}, "Spices": {}},
    "Tea and coffee": {"Tea": {"Black tea": {}, "Green tea": {}, "Masala chai": {}}, "Coffee": {}},
    "Stationery": {"Notebooks": {}, "Pens and ink": {}, "Calendars": {}},
    "Home": {"Textiles": {"Cushions": {}, "Throws": {}}, "Lighting": {}, "Fragrance": {}},
    "Gifts": {"Hampers": {}, "Vouchers": {}, "Books": {}},
}
COLOURS = {
    "Indigo": "#27408B",
    "Madder": "#9C3D2E",
    "Turmeric": "#D9A13B",
    "Neem": "#5B7A4A",
    "Kohl": "#3A3B3E",
    "Ivory": "#EADFC8",
    "Sage": "#93A88C",
    "Monsoon": "#6F8FA8",
    "Brass": "#C99B48",
    "Copper": "#BE6C42",
    "Terracotta": "#BA603E",
    "Jute": "#C2A878",
    "Rose": "#C4707C",
}
# By key: name, type and choices of each.
ATTRIBUTES: dict[str, tuple[str, str, Sequence[str]]] = {
    "colour": ("Colour", "color", tuple(COLOURS)),
    "size": ("Size", "single-select", ("S", "M", "L", "XL")),
    "weight": ("Weight", "single-select", ("100 g", "250 g", "500 g")),
    "grind": ("Grind", "single-select", ("Whole bean", "South Indian filter", "French press")),
    "value": ("Value", "single-select", ("₹500", "₹1,000", "₹2,500")),
    "material": (
        "Material",
        "single-select",
        ("Cotton", "Linen", "Silk", "Wool", "Cast iron", "Brass", "Copper", "Stoneware", "Steel", "Terracotta", "Paper", "Jute", "Soy wax"),
    ),
    "care": ("Care", "multi-select", ("Hand wash", "Dry in shade", "Warm iron", "Dry clean", "Wipe dry", "Season with oil")),
    "origin": ("Origin", "text", ()),
    "handmade": ("Handmade", "boolean", ()),
    "capacity_ml": ("Capacity in ml", "number", ()),
    "pages": ("Pages", "number", ()),
    "picked_on": ("Picked on", "date", ()),
    "shades": ("Shades", "color", tuple(COLOURS)),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Good:
    """One product of the demo. `options` maps option keys to choices, whose every combination is a variant."""

    name: str
    short: str
    about: str
    categories: Sequence[str]
    motif: str
    price: int | Sequence[int]  # one, or one for each choice of the last option
    sku: str
    listing: int | None = None  # percent of the price
    colour: str = "Indigo"
    type: str = "physical"
    options: Mapping[str, Sequence[str]] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    tax: str = "5"
    inclusive: bool = True
    hsn: str = ""
    brand: str
    tags: Sequence[str] = ()
    on_hand: int = 24
    backorder: bool = False
    minimum: int = 1
    maximum: int | None = None
    step: int = 1
    handling: int = 0
    components: Sequence[tuple[str, int]] = ()  # SKUs
    up_sell: Sequence[str] = ()  # slugs
    cross_sell: Sequence[str] = ()

    @property
    def slug(self) -> str:
        return slugify(self.name)

    @property
    def weight(self) -> int:
        """In grams, packed; 0 for what nobody sends. Tea and coffee: of the smallest pack."""
        return WEIGHTS.get(self.sku, 0)

    def weight_of(self, picked: Sequence[str]) -> int | None:
        """Of one variant, where packs of several sizes are sold; None: the product's."""
        packs = self.options.get("weight")
        if packs is None:
            return None
        pack = next(name for name in picked if name in packs)
        return int(pack.removesuffix(" g")) + TIN


TIN = 40  # grams, of an empty one
WEIGHTS = {
    "KUR": 320, "SAR": 550, "STO": 260, "SHI": 280, "TAWA-26": 2600, "POT-BRASS": 1900, "BOT-CU": 380, "CUP-CHAI": 210,
    "DABBA": 1350, "TEA-ASSAM": 140, "LAST-ONE": 140, "TEA-GREEN": 140, "TEA-CHAI": 140, "COF": 290, "NOTE": 340,
    "PEN-BRASS": 70, "INK": 160, "CAL-27": 450, "CUS": 240, "THROW-KANTHA": 1200, "DIYA-12": 480, "LAMP-BRASS": 3400,
    "CANDLE-MOGRA": 420, "BAG-JUTE": 350, "HAMPER-CHAI": 2150, "SET-WRITER": 620,
}  # fmt: skip
LOOM, HEARTH, GARDEN, DESK = "Dhaga Loom", "Tambat Hearth", "Three Hills Tea", "Kagaz Desk"

GOODS: Sequence[Good] = (
    Good(
        name="Block-print kurta", sku="KUR", motif="kurta", price=1490, listing=125, hsn="6211", brand=LOOM,
        short="Hand-blocked cotton kurta with a contrast placket.",
        about="<p>Cambric cotton, printed by hand with teak blocks and finished with brass buttons.</p>"
        "<ul><li>Straight cut, side slits</li><li>Three-quarter sleeves</li></ul>",
        categories=("Kurtas",), options={"colour": ("Indigo", "Madder", "Turmeric"), "size": ("S", "M", "L", "XL")},
        facts={"material": "Cotton", "care": ("Hand wash", "Dry in shade"), "origin": "Bagru, Rajasthan", "handmade": True},
        tags=("new", "handmade"), on_hand=8, cross_sell=("kullu-wool-stole", "jute-market-bag"),
    ),
    Good(
        name="Handloom cotton saree", sku="SAR", motif="saree", price=3250, listing=120, hsn="5208", brand=LOOM,
        short="Feather-light saree with a woven temple border.",
        about="<p>Woven on pit looms from combed cotton; comes with an unstitched blouse piece.</p>",
        categories=("Sarees and stoles",), options={"colour": ("Turmeric", "Neem", "Rose")},
        facts={"material": "Cotton", "care": ("Hand wash", "Warm iron"), "origin": "Maheshwar, Madhya Pradesh", "handmade": True},
        tags=("handmade", "festive"), on_hand=5, up_sell=("kullu-wool-stole",),
    ),
    Good(
        name="Kullu wool stole", sku="STO", motif="stole", price=1890, hsn="6214", brand=LOOM,
        short="Soft merino stole with a patterned end.",
        about="<p>Spun and woven in the hills; warm without weight.</p>",
        categories=("Sarees and stoles",), options={"colour": ("Madder", "Monsoon")},
        facts={"material": "Wool", "care": ("Dry clean",), "origin": "Kullu, Himachal Pradesh", "handmade": True},
        tags=("winter",), on_hand=11,
    ),
    Good(
        name="Linen band-collar shirt", sku="SHI", motif="shirt", price=1790, listing=130, tax="12", inclusive=False,
        hsn="6205", brand=LOOM, short="Breathable linen shirt for warm days.",
        about="<p>Pre-washed linen with a band collar and coconut-shell buttons. The price excludes tax.</p>",
        categories=("Shirts",), options={"colour": ("Sage", "Monsoon"), "size": ("M", "L", "XL")},
        facts={"material": "Linen", "care": ("Hand wash", "Warm iron"), "origin": "Bhagalpur, Bihar"}, on_hand=6,
    ),
    Good(
        name="Cast-iron tawa", sku="TAWA-26", motif="tawa", colour="Kohl", price=1150, listing=115, tax="18", hsn="7323",
        brand=HEARTH, short="26 cm, pre-seasoned, for rotis and dosas.",
        about="<p>Cast in sand, ground smooth and seasoned with sunflower oil. Heavy enough to hold its heat.</p>",
        categories=("Iron",), facts={"material": "Cast iron", "care": ("Wipe dry", "Season with oil"), "origin": "Rajapalayam, Tamil Nadu"},
        tags=("bestseller",), on_hand=30, handling=40,
    ),
    Good(
        name="Brass dal pot", sku="POT-BRASS", motif="pot", colour="Brass", price=2890, tax="12", hsn="7418", brand=HEARTH,
        short="Tin-lined brass, 2.5 litres. Sold out until the next casting.",
        about="<p>Beaten from one sheet and lined with tin by hand.</p>",
        categories=("Brass and copper",), facts={"material": "Brass", "capacity_ml": 2500, "origin": "Moradabad, Uttar Pradesh", "handmade": True},
        on_hand=0, up_sell=("hammered-copper-bottle",),
    ),
    Good(
        name="Hammered copper bottle", sku="BOT-CU", motif="bottle", colour="Copper", price=1290, listing=140, tax="12",
        hsn="7418", brand=HEARTH, short="950 ml of cool water, the old way.",
        about="<p>Seamless, hammered, with a threaded cap that does not leak.</p>",
        categories=("Brass and copper",), facts={"material": "Copper", "capacity_ml": 950, "handmade": True}, handling=25,
        tags=("bestseller",),
    ),
    Good(
        name="Stoneware chai cups", sku="CUP-CHAI", motif="cup", colour="Monsoon", price=225, hsn="6912", tax="12",
        brand=HEARTH, short="Sold in pairs: order 2, 4, 6 ...",
        about="<p>Thrown on the wheel and glazed in small batches, so no two are the same.</p>",
        categories=("Cups",), facts={"material": "Stoneware", "capacity_ml": 120, "handmade": True},
        minimum=2, step=2, on_hand=40, cross_sell=("masala-chai-blend",),
    ),
    Good(
        name="Steel masala dabba", sku="DABBA", motif="spice_box", colour="Monsoon", price=1450, tax="12", hsn="7323",
        brand=HEARTH, short="Seven spices, one box. At most five a customer.",
        about="<p>Comes filled: turmeric, chilli, coriander, cumin, mustard, fenugreek and rock salt.</p>",
        categories=("Spices",), facts={"material": "Steel"}, maximum=5, on_hand=60,
    ),
    Good(
        name="Assam black tea", sku="TEA-ASSAM", motif="tin", colour="Madder", price=(190, 420, 790), hsn="0902", brand=GARDEN,
        short="Second flush, malty and bright.",
        about="<p>Whole-leaf orthodox tea from a single garden on the north bank of the Brahmaputra.</p>",
        categories=("Black tea",), options={"weight": ("100 g", "250 g", "500 g")},
        facts={"origin": "Sonitpur, Assam", "picked_on": "2026-06-12"}, tags=("bestseller",), on_hand=45,
        up_sell=("darjeeling-muscatel-reserve",), cross_sell=("stoneware-chai-cups",),
    ),
    Good(
        name="Darjeeling muscatel reserve", sku="LAST-ONE", motif="tin", colour="Turmeric", price=2400, hsn="0902", brand=GARDEN,
        short="The last tin of the 2026 summer picking.",
        about="<p>Eighty tins were made. One is left.</p>",
        categories=("Black tea",), facts={"origin": "Kurseong, West Bengal", "picked_on": "2026-05-28"}, tags=("rare",), on_hand=1,
    ),
    Good(
        name="Nilgiri green tea", sku="TEA-GREEN", motif="tin", colour="Neem", price=(230, 520), hsn="0902", brand=GARDEN,
        short="Steamed, sweet and grassy.",
        about="<p>Grown at 1,900 metres and steamed within the hour.</p>",
        categories=("Green tea",), options={"weight": ("100 g", "250 g")}, facts={"origin": "Coonoor, Tamil Nadu"}, on_hand=20,
    ),
    Good(
        name="Masala chai blend", sku="TEA-CHAI", motif="tin", colour="Terracotta", price=(210, 470), listing=110, hsn="0902",
        brand=GARDEN, short="Assam tea with ginger, cardamom and clove.",
        about="<p>Spices are crushed the day the tea is blended.</p>",
        categories=("Masala chai",), options={"weight": ("100 g", "250 g")}, facts={"origin": "Blended in Guwahati, Assam"},
        tags=("bestseller",), cross_sell=("stoneware-chai-cups", "steel-masala-dabba"),
    ),
    Good(
        name="Estate coffee", sku="COF", motif="pouch", colour="Kohl", price=(380, 720), hsn="0901", brand=GARDEN,
        short="Shade-grown arabica from the western ghats.",
        about="<p>Washed, sun-dried on raised beds, roasted to order every Tuesday.</p>",
        categories=("Coffee",), options={"grind": ("Whole bean", "South Indian filter", "French press"), "weight": ("250 g", "500 g")},
        facts={"origin": "Chikkamagaluru, Karnataka"}, on_hand=18,
    ),
    Good(
        name="Handmade paper notebook", sku="NOTE", motif="notebook", price=340, tax="0", hsn="4820", brand=DESK,
        short="A5, 160 pages of cotton-rag paper.",
        about="<p>Made from tailoring offcuts; takes fountain-pen ink without bleeding.</p>",
        categories=("Notebooks",), options={"colour": ("Neem", "Indigo", "Rose")},
        facts={"material": "Paper", "pages": 160, "handmade": True}, tags=("handmade",), cross_sell=("brass-fountain-pen",),
    ),
    Good(
        name="Brass fountain pen", sku="PEN-BRASS", motif="pen", colour="Kohl", price=2150, tax="18", inclusive=False,
        hsn="9608", brand=DESK, short="Lacquered brass with a steel nib. Price without tax.",
        about="<p>Turned on a lathe, filled by converter or cartridge.</p>",
        categories=("Pens and ink",), facts={"material": "Brass"}, on_hand=14, cross_sell=("writing-ink", "handmade-paper-notebook"),
    ),
    Good(
        name="Writing ink", sku="INK", motif="ink_bottle", price=390, tax="18", hsn="3215", brand=DESK,
        short="30 ml of slow-drying, well-behaved ink.",
        about="<p>Shades named for what they look like on the page.</p>",
        categories=("Pens and ink",), options={"colour": ("Indigo", "Madder", "Kohl")}, on_hand=33,
    ),
    Good(
        name="Desk calendar 2027", sku="CAL-27", motif="planner", colour="Terracotta", price=450, tax="12", hsn="4910",
        brand=DESK, short="Printed now, shipped in the second week of December.",
        about="<p>Letterpress on 300 gsm card, with the festivals of eight regions.</p>",
        categories=("Calendars",), facts={"material": "Paper"}, on_hand=0, backorder=True,
    ),
    Good(
        name="Block-print cushion cover", sku="CUS", motif="cushion", price=590, listing=135, hsn="6304", brand=LOOM,
        short="40 x 40 cm, with a concealed zip.",
        about="<p>Printed on heavy cotton duck. The pad is not included.</p>",
        categories=("Cushions",), options={"colour": ("Monsoon", "Madder")},
        facts={"material": "Cotton", "care": ("Hand wash",), "handmade": True, "shades": ("Monsoon", "Madder", "Ivory")}, on_hand=16,
    ),
    Good(
        name="Kantha throw", sku="THROW-KANTHA", motif="throw", colour="Indigo", price=2490, listing=120, hsn="6304", brand=LOOM,
        short="Four layers of cotton, quilted in running stitch.",
        about="<p>Each throw takes its maker eleven days, and carries her name inside the hem.</p>",
        categories=("Throws",), facts={"material": "Cotton", "origin": "Shantiniketan, West Bengal", "handmade": True}, on_hand=4,
        tags=("handmade",), handling=60,
    ),
    Good(
        name="Terracotta diyas", sku="DIYA-12", motif="diya", colour="Terracotta", price=180, tax="0", hsn="6913", brand=HEARTH,
        short="A dozen lamps of river clay.",
        about="<p>Fired in a straw kiln. Soak them in water before the first lighting.</p>",
        categories=("Lighting",), facts={"material": "Terracotta", "handmade": True}, tags=("festive",), on_hand=120,
    ),
    Good(
        name="Brass table lamp", sku="LAMP-BRASS", motif="lamp", colour="Brass", price=4750, listing=115, tax="18", hsn="9405",
        brand=HEARTH, short="Turned brass with a khadi shade.",
        about="<p>Made to order when the shelf is empty; allow three weeks.</p>",
        categories=("Lighting",), facts={"material": "Brass"}, on_hand=2, backorder=True, handling=150, maximum=10,
    ),
    Good(
        name="Mogra candle", sku="CANDLE-MOGRA", motif="candle", colour="Sage", price=640, tax="12", hsn="3406", brand=HEARTH,
        short="Soy wax and jasmine, forty hours.",
        about="<p>Poured in Mysuru, scented with jasmine absolute.</p>",
        categories=("Fragrance",), facts={"material": "Soy wax", "origin": "Mysuru, Karnataka"}, on_hand=28,
    ),
    Good(
        name="Jute market bag", sku="BAG-JUTE", motif="bag", colour="Jute", price=420, tax="5", inclusive=False, hsn="4202",
        brand=LOOM, short="Carries twelve kilos and a bunch of coriander.",
        about="<p>Laminated jute with cane handles.</p>",
        categories=("Textiles",), facts={"material": "Jute"}, on_hand=50,
    ),
    Good(
        name="Gift voucher", sku="GIFT", motif="voucher", colour="Madder", price=(500, 1000, 2500), tax="0", hsn="4907",
        type="digital", brand=DESK, short="Arrives by e-mail within a minute.",
        about="<p>Valid for a year on everything in the shop.</p>",
        categories=("Vouchers",), options={"value": ("₹500", "₹1,000", "₹2,500")}, tags=("gift",),
    ),
    Good(
        name="Thirty chutneys", sku="BOOK-CHUTNEY", motif="ebook", colour="Neem", price=299, tax="5", hsn="4901", type="digital",
        brand=DESK, short="An e-book of recipes, from coconut to raw mango.",
        about="<p>PDF and EPUB, 96 pages, no adjectives wasted.</p>",
        categories=("Books",), facts={"pages": 96}, tags=("gift",), maximum=1,
    ),
    Good(
        name="Chai hamper", sku="HAMPER-CHAI", motif="hamper", colour="Madder", price=1190, listing=118, tax="12", hsn="9505",
        type="bundle", brand=GARDEN, short="Masala chai, four cups and a candle in a cane basket.",
        about="<p>Packed by hand, with a card for your words.</p>",
        categories=("Hampers", "Masala chai"), components=(("TEA-CHAI-250-G", 1), ("CUP-CHAI", 4), ("CANDLE-MOGRA", 1)),
        tags=("gift", "festive"), handling=50,
    ),
    Good(
        name="Writer's set", sku="SET-WRITER", motif="pen", colour="Indigo", price=2690, listing=112, tax="18", hsn="9608",
        type="bundle", brand=DESK, short="Pen, ink and a notebook that likes both.",
        about="<p>Everything but the first sentence.</p>",
        categories=("Pens and ink", "Hampers"), components=(("PEN-BRASS", 1), ("INK-INDIGO", 1), ("NOTE-INDIGO", 1)), tags=("gift",),
    ),
)  # fmt: skip


@dataclass(slots=True)
class _Shelf:
    """What the goods refer to, by name."""

    store: Store
    retail: CustomerGroup
    wholesale: CustomerGroup
    categories: dict[str, Category]
    attributes: dict[str, Attribute]
    choices: dict[tuple[str, str], AttributeChoice]
    brands: dict[str, Brand]


def build(*, store: Store, pictures: bool = True) -> int:
    """Fills a store with the demo's goods; returns how many products it made.

    Safe to repeat: what is there already, changed by staff or not, is left alone. `pictures` False skips the drawing,
    which takes seconds; the files are shared by all stores.
    """
    with transaction.atomic():
        shelf = _shelf(store)
        known = set(Product.objects.filter(store=store).values_list("slug", flat=True))
        now = timezone.now()
        made: list[tuple[Good, Product]] = []
        for place, good in enumerate(GOODS):
            if good.slug not in known:
                made.append((good, _make(shelf, good, now - timedelta(hours=7 * place + 1))))
        _connect(store, [good for good, _product in made])
        services.publish(store=store, product_ids=[product.pk for _good, product in made])
    if pictures:
        draw_pictures(store=store)
    kernel.forget()
    return len(made)


def spread(*, store: Store) -> None:
    """Puts some of the goods into every shop where goods can be collected. Call it once the shops are there.

    Safe to repeat: a sku that a shop has, or had, is left alone there.
    """
    shops = StockLocation.objects.filter(store=store, active=True, can_collect=True, is_default=False)
    places = LocationStock.objects.filter(store=store, location__is_default=True, on_hand__gt=0)
    having = list(places.order_by("variant__sku", "pk").select_related("variant"))
    for turn, shop in enumerate(shops.order_by("sort_order", "pk")):
        known = set(LocationStock.objects.filter(store=store, location=shop).values_list("variant_id", flat=True))
        for place, row in enumerate(having):
            if row.variant_id not in known and (place + turn) % 2 == 0:
                stock.adjust(
                    store=store,
                    variant=row.variant,
                    delta=1 + (place + turn) % 5,
                    reason=Reason.OPENING,
                    location=shop,
                )


def _shelf(store: Store) -> _Shelf:
    retail = CustomerGroup.objects.filter(store=store, is_default=True).first()
    if retail is None:
        retail = CustomerGroup.objects.create(store=store, name="Retail", slug="retail", is_default=True)
    wholesale, _new = CustomerGroup.objects.get_or_create(
        store=store, slug="wholesale", defaults={"name": "Wholesale", "description": "Shops that sell on."}
    )
    categories: dict[str, Category] = {}

    def grow(branches: Mapping[str, Any], parent: Category | None) -> None:
        for place, (name, below) in enumerate(branches.items()):
            categories[name], _new = Category.objects.get_or_create(
                store=store, slug=slugify(name), defaults={"name": name, "parent": parent, "sort_order": place}
            )
            grow(below, categories[name])

    grow(TREE, None)
    attributes: dict[str, Attribute] = {}
    choices: dict[tuple[str, str], AttributeChoice] = {}
    for place, (key, (name, kind, names)) in enumerate(ATTRIBUTES.items()):
        attributes[key], _new = Attribute.objects.get_or_create(
            store=store, key=key, defaults={"name": name, "type": kind, "sort_order": place}
        )
        found = {choice.name: choice for choice in AttributeChoice.objects.filter(attribute=attributes[key])}
        for order, choice in enumerate(names):
            choices[key, choice] = found.get(choice) or AttributeChoice.objects.create(
                store=store,
                attribute=attributes[key],
                name=choice,
                hexcode=COLOURS[choice] if kind == "color" else "",
                sort_order=order,
            )
    brands = {}
    for name in (LOOM, HEARTH, GARDEN, DESK):
        brands[name], _new = Brand.objects.get_or_create(store=store, slug=slugify(name), defaults={"name": name})
    return _Shelf(store, retail, wholesale, categories, attributes, choices, brands)


def _make(shelf: _Shelf, good: Good, created_at: Any) -> Product:
    store = shelf.store
    product = Product.objects.create(
        store=store,
        name=good.name,
        slug=good.slug,
        type=good.type,
        brand=shelf.brands[good.brand],
        short_description=good.short,
        description=good.about,
        tags=list(good.tags),
        weight=good.weight,
        hsn_code=good.hsn,
        seo_title=f"{good.name} | {good.brand}",
        seo_description=good.short,
        seo_keywords=[good.name.lower(), *good.tags],
        metadata={"brand": good.brand},
        created_at=created_at,
    )
    ProductCategory.objects.bulk_create(
        ProductCategory(store=store, product=product, category=shelf.categories[name], sort_order=place)
        for place, name in enumerate(good.categories)
    )
    for place, (key, value) in enumerate(good.facts.items()):
        attribute = shelf.attributes[key]
        listed = attribute.type in Attribute.OF_CHOICES
        fact = ProductAttribute.objects.create(
            store=store, product=product, attribute=attribute, value=None if listed else value, sort_order=place
        )
        if listed:
            fact.choices.set(shelf.choices[key, name] for name in ([value] if isinstance(value, str) else value))
    if not good.options:
        variant = services.standalone(product, sku=good.sku)
        variant.save(force_insert=True)
        _offer(shelf, good, variant, good.price if isinstance(good.price, int) else good.price[0])
        return product
    last = list(good.options)[-1]
    for place, picked in enumerate(combinations(*good.options.values())):
        slug = slugify("-".join(picked))
        variant = Variant.objects.create(
            store=store,
            product=product,
            sku=f"{good.sku}-{slug.upper()}",
            slug=f"{good.slug}-{slug}",
            is_default=place == 0,
            sort_order=place,
            weight=good.weight_of(picked),
            created_at=created_at,
        )
        VariantChoice.objects.bulk_create(
            VariantChoice(
                store=store, variant=variant, attribute=shelf.attributes[key], choice=shelf.choices[key, name]
            )
            for key, name in zip(good.options, picked, strict=True)
        )
        amount = good.price if isinstance(good.price, int) else good.price[good.options[last].index(picked[-1])]
        _offer(shelf, good, variant, amount, sold_out=place == 3)
    return product


def _offer(shelf: _Shelf, good: Good, variant: Variant, amount: int, *, sold_out: bool = False) -> None:
    """Stock and both groups' prices of a variant. One size in four is sold out, as in any shop."""
    row = Stock.objects.create(
        store=shelf.store,
        variant=variant,
        tracked=good.type == Product.Type.PHYSICAL,
        on_hand=0 if sold_out or good.type != Product.Type.PHYSICAL else good.on_hand,
        backorder=good.backorder,
    )
    stock.opened([row])
    for group, share in ((shelf.retail, Decimal(1)), (shelf.wholesale, Decimal("0.78"))):
        Price.objects.create(
            store=shelf.store,
            variant=variant,
            group=group,
            listing_price=Decimal(amount * (good.listing or 100)) / 100,
            selling_price=(amount * share).quantize(Decimal("0.01")),
            cost_price=(amount * Decimal("0.55")).quantize(Decimal("0.01")),
            price_including_tax=good.inclusive,
            tax_rate=Decimal(good.tax),
            min_quantity=good.minimum,
            max_quantity=good.maximum,
            step=good.step,
            handling_charge=Decimal(good.handling),
            handling_tax_rate=Decimal(18 if good.handling else 0),
        )


def _connect(store: Store, goods: Sequence[Good]) -> None:
    """Bundles and recommendations, once everything that they name is there."""
    ids = dict(Product.objects.filter(store=store).values_list("slug", "pk"))
    skus = dict(Variant.objects.filter(store=store).exclude(sku="").values_list("sku", "pk"))
    for good in goods:
        for place, (sku, quantity) in enumerate(good.components):
            if sku in skus:
                BundleItem.objects.get_or_create(
                    store=store,
                    bundle_id=ids[good.slug],
                    component_id=skus[sku],
                    defaults={"quantity": quantity, "sort_order": place},
                )
        for kind, slugs in ((ProductLink.Kind.UP_SELL, good.up_sell), (ProductLink.Kind.CROSS_SELL, good.cross_sell)):
            for place, slug in enumerate(slugs):
                if slug in ids:
                    ProductLink.objects.get_or_create(
                        store=store,
                        product_id=ids[good.slug],
                        kind=kind,
                        target_id=ids[slug],
                        defaults={"sort_order": place},
                    )


def draw_pictures(*, store: Store) -> None:
    """Gives goods without a picture theirs, one for each colour that they come in. Draws only files that are missing."""
    bare = {
        product.slug: product
        for product in Product.objects.filter(store=store, images__isnull=True, slug__in=[good.slug for good in GOODS])
    }
    done = []
    for place, good in enumerate(GOODS):
        product = bare.get(good.slug)
        if product is None:
            continue
        colours = good.options.get("colour", ()) or (good.colour,)
        rows = []
        for order, colour in enumerate(colours):
            renditions = _rendered(good.motif, COLOURS[colour], GROUNDS[place % len(GROUNDS)])
            title = f"{good.name}, {colour.lower()}" if len(colours) > 1 else good.name
            rows.append((colour, renditions, title, order))
        with transaction.atomic():
            for colour, renditions, title, order in rows:
                image = ProductImage.objects.create(
                    store=store,
                    product=product,
                    renditions=renditions,
                    title=title,
                    alternate_text=f"Drawing: {title}",
                    sort_order=order,
                )
                if len(rows) > 1:
                    image.variants.set(Variant.objects.filter(product=product, options__choice__name=colour))
        done.append(product.pk)
    services.publish(store=store, product_ids=done, recount=False)


def _rendered(motif: str, colour: str, ground: str) -> dict[str, str]:
    """The files of a picture, drawn unless the storage has them: the same names hold the same drawing for ever."""
    name = f"{motif}-{colour[1:]}-{ground[1:]}".lower()
    expected = {size: f"catalog/demo/{name}-{size}.webp" for size in ("tiny", "thumbnail", "standard")}
    if all(default_storage.exists(file) for file in expected.values()):
        return {**expected, "zoom": expected["standard"]}
    return images.save(picture(motif, colour, ground), folder="catalog/demo", name=name)


# --- many -----------------------------------------------------------------------------------------------------------
_WORDS = (
    ("Indigo", "Madder", "Saffron", "Neem", "Monsoon", "Copper", "Brass", "Ivory", "Kohl", "Jute", "Teak", "Marigold"),
    ("handloom", "block-print", "hammered", "woven", "carved", "glazed", "quilted", "brushed", "dyed", "printed"),
    ("kurta", "throw", "cup", "bowl", "lamp", "notebook", "bag", "cushion", "bottle", "tray", "stole", "box", "plate"),
)


def build_many(*, store: Store, count: int, progress: Callable[[int], None] | None = None) -> int:
    """Adds synthetic products for measurements until the store has `count` of them; returns how many it added.

    Every third one has three variants, the others none; all have two groups' prices, two categories and four facts.
    `progress` is told the number added so far after each thousand.
    """
    shelf = _shelf(store)
    have = Product.objects.filter(store=store).count()
    added = 0
    while have + added < count:
        size = min(1000, count - have - added)
        with transaction.atomic():
            ids = _many(shelf, have + added, size)
            services.publish(store=store, product_ids=ids, recount=False)
        added += size
        if progress:
            progress(added)
    services.recount_categories(store=store)
    kernel.forget()
    return added


def _many(shelf: _Shelf, first: int, size: int) -> list[str]:
    store, now = shelf.store, timezone.now()
    leaves = [category for name, category in shelf.categories.items() if category.parent_id]
    facts = [shelf.attributes[key] for key in ("material", "origin", "handmade", "capacity_ml")]
    materials = [choice for (key, _name), choice in shelf.choices.items() if key == "material"]
    sizes = [shelf.choices["size", name] for name in ("S", "M", "L")]
    products: list[Product] = []
    variants: list[Variant] = []
    options: list[VariantChoice] = []
    placings: list[ProductCategory] = []
    attributes: list[ProductAttribute] = []
    prices: list[Price] = []
    stocks: list[Stock] = []
    pictures: list[ProductImage] = []
    for number in range(first, first + size):
        words = [row[number // step % len(row)] for row, step in zip(_WORDS, (1, 12, 120), strict=True)]
        name = f"{' '.join(words)} {number}"
        product = Product(
            id=new_id(),
            store=store,
            name=name,
            slug=slugify(name),
            short_description=f"A {words[1]} {words[2]} in {words[0].lower()}.",
            description=f"<p>{name}: made for measuring, pleasant to look at all the same.</p>",
            tags=[words[1], words[2]],
            hsn_code="6304",
            created_at=now - timedelta(seconds=number),
        )
        products.append(product)
        for place in range(2):
            category = leaves[(number * 7 + place * 3) % len(leaves)]
            placings.append(ProductCategory(store=store, product=product, category=category, sort_order=place))
        for attribute, value in zip(facts, (None, "India", number % 2 == 0, number % 1000), strict=True):
            attributes.append(ProductAttribute(store=store, product=product, attribute=attribute, value=value))
        pictures += [
            ProductImage(
                store=store,
                product=product,
                url=f"https://images.example/{number % 97}/{place}.webp",
                alternate_text=name,
                sort_order=place,
            )
            for place in range(2)
        ]
        rows = [services.standalone(product, sku=f"MANY-{number}", created_at=product.created_at)]
        if number % 3 == 0:
            rows = [
                Variant(
                    id=new_id(),
                    store=store,
                    product=product,
                    sku=f"MANY-{number}-{choice.name}",
                    slug=f"{product.slug}-{choice.name.lower()}",
                    is_default=place == 0,
                    sort_order=place,
                    created_at=product.created_at,
                )
                for place, choice in enumerate(sizes)
            ]
            options += [
                VariantChoice(store=store, variant=row, attribute=choice.attribute, choice=choice)
                for row, choice in zip(rows, sizes, strict=True)
            ]
        variants += rows
        for place, row in enumerate(rows):
            amount = Decimal(100 + number * 37 % 4900 + place * 10)
            stocks.append(Stock(store=store, variant=row, on_hand=number % 50))
            for group, share in ((shelf.retail, Decimal(1)), (shelf.wholesale, Decimal("0.8"))):
                prices.append(
                    Price(
                        store=store,
                        variant=row,
                        group=group,
                        listing_price=amount * 2,
                        selling_price=amount * share,
                        tax_rate=Decimal((0, 5, 12, 18)[number % 4]),
                        price_including_tax=number % 5 != 0,
                    )
                )
    Product.objects.bulk_create(products)
    Variant.objects.bulk_create(variants)
    VariantChoice.objects.bulk_create(options)
    ProductCategory.objects.bulk_create(placings)
    ProductAttribute.objects.bulk_create(attributes)
    ProductImage.objects.bulk_create(pictures)
    Price.objects.bulk_create(prices)
    Stock.objects.bulk_create(stocks)
    stock.opened(stocks)
    through = ProductAttribute.choices.through
    through._default_manager.bulk_create(
        through(productattribute=fact, attributechoice=materials[place % len(materials)])
        for place, fact in enumerate(attributes)
        if fact.attribute_id == facts[0].pk
    )
    return [product.pk for product in products]
