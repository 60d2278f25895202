"""What rows say beside products, variants, prices and stock: facts, what a bundle holds, pictures in the storage."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.translation import gettext as _

from storefront.imports.records import CLEAR, BadCell
from storefront.models import Store

from .. import services
from ..models import (
    Attribute,
    AttributeChoice,
    BundleItem,
    Product,
    ProductAttribute,
    ProductImage,
    Variant,
)
from . import rows as cells
from .pictures import Fetched
from .rows import Row

_YES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
Key = tuple[str, str | None, str]  # product, variant or None, attribute


@dataclass(slots=True)
class Details:
    """Belongs to a batch of rows. `choices` are the batch's, which makes new ones; `fetched` is in the storage."""

    store: Store
    choices: dict[tuple[str, str], AttributeChoice]
    new_choices: list[AttributeChoice]
    fetched: Fetched = field(default_factory=Fetched)

    attributes: dict[str, Attribute] = field(default_factory=dict)  # by key
    facts: dict[Key, ProductAttribute] = field(default_factory=dict)
    chosen: dict[Key, list[str]] = field(default_factory=dict)  # choices, in their order
    named: dict[str, tuple[str, str]] = field(default_factory=dict)  # variant and type, by SKU and by @slugs
    components: dict[str, list[tuple[str, int]]] = field(default_factory=dict)  # by bundle
    pictures: dict[str, list[ProductImage]] = field(default_factory=dict)  # by product, those with a source

    touched_facts: dict[Key, ProductAttribute] = field(default_factory=dict)
    removed_facts: list[int] = field(default_factory=list)
    replaced: set[str] = field(default_factory=set)  # bundles
    new_pictures: list[ProductImage] = field(default_factory=list)
    moved_pictures: dict[str, ProductImage] = field(default_factory=dict)
    removed_pictures: list[ProductImage] = field(default_factory=list)
    used: set[tuple[str, str]] = field(default_factory=set)  # fetched pictures that came into a row

    # -- what is there --
    def load(self, rows: Sequence[Row], product_ids: Sequence[str]) -> None:
        """Eight queries at most; none for what no row speaks of."""
        if any(row.facts for row in rows):
            self.attributes = {row.key: row for row in Attribute.objects.filter(store=self.store)}
            for fact in ProductAttribute.objects.filter(product__in=product_ids):
                self.facts[fact.product_id, fact.variant_id, fact.attribute_id] = fact
            through = ProductAttribute.choices.through.objects.filter(productattribute__product__in=product_ids)
            for *key, choice_id in through.order_by("attributechoice__sort_order", "attributechoice__name").values_list(
                "productattribute__product_id",
                "productattribute__variant_id",
                "productattribute__attribute_id",
                "attributechoice_id",
            ):
                self.chosen.setdefault((key[0], key[1], key[2]), []).append(choice_id)
        if any("components" in row.related for row in rows):
            self._load_components(rows, product_ids)
        if any("media" in row.related for row in rows):
            images = ProductImage.objects.filter(product__in=product_ids).exclude(source="")
            for image in images.order_by("sort_order", "created_at", "pk"):
                self.pictures.setdefault(image.product_id, []).append(image)

    def _load_components(self, rows: Sequence[Row], product_ids: Sequence[str]) -> None:
        refs = {name for row in rows for name, _count in row.related.get("components", ())}
        slugs = {ref[1:].partition("/")[0] for ref in refs if ref.startswith("@")}
        found = Variant.objects.filter(Q(sku__in=refs) | Q(product__slug__in=slugs), store=self.store).values_list(
            "pk", "sku", "slug", "is_standalone", "product__slug", "product__type"
        )
        for pk, sku, slug, is_standalone, product, kind in found:
            self._name(pk, sku, "" if is_standalone else slug or pk, product, kind)
        held = BundleItem.objects.filter(bundle__in=product_ids).order_by("sort_order", "pk")
        for bundle_id, component_id, quantity in held.values_list("bundle_id", "component_id", "quantity"):
            self.components.setdefault(bundle_id, []).append((component_id, quantity))

    def _name(self, pk: str, sku: str, slug: str, product: str, kind: str) -> None:
        self.named[f"@{product}/{slug}" if slug else f"@{product}"] = (pk, kind)
        if sku:
            self.named[sku] = (pk, kind)

    def made(self, product: Product, variant: Variant) -> None:
        """A row made or renamed a variant that a bundle further down may hold."""
        self._name(variant.pk, variant.sku, "" if variant.is_standalone else variant.slug, product.slug, product.type)

    # -- one row --
    def check(self, row: Row, product: Product | None) -> None:
        if row.number in self.fetched.problems:
            raise BadCell(self.fetched.problems[row.number], "media")
        for (own, key), cell in row.facts.items():
            column = f"{cells.FACTS[own]}:{key}"
            if key not in self.attributes:
                raise BadCell(_("There is no such attribute."), column)
            if own and not row.variant:
                raise BadCell(_("Only variants have facts of their own: name one."), column)
            if cell != CLEAR:
                self._read(self.attributes[key], cell, column)
        kind = row.product_fields.get("type", product.type if product else Product.Type.PHYSICAL)
        for ref, _count in row.related.get("components", ()):
            if kind != Product.Type.BUNDLE:
                raise BadCell(_("Only a bundle holds other products."), "components")
            if ref not in self.named:
                raise BadCell(_("There is no such SKU yet: %(sku)s.") % {"sku": ref}, "components")
            if self.named[ref][1] == Product.Type.BUNDLE:
                raise BadCell(_("A bundle cannot hold a bundle."), "components")

    def _read(self, attribute: Attribute, cell: str, column: str) -> tuple[Any, list[tuple[str, str]]]:
        """The value behind a cell, or the names and codes of the choices. Raises BadCell."""
        try:
            if attribute.type in Attribute.OF_CHOICES:
                return None, self._choices(attribute, cell)
            text = cell.strip()
            if attribute.type == Attribute.Type.TEXT:
                return cell, []
            if attribute.type == Attribute.Type.BOOLEAN and text.lower() in _YES:
                return _YES[text.lower()], []
            if attribute.type == Attribute.Type.NUMBER and re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", text):
                return (float(text) if "." in text else int(text)), []
            if attribute.type == Attribute.Type.DATE:
                ProductAttribute(attribute=attribute, value=text).clean()
                return text, []
        except BadCell as error:
            raise BadCell(error.message, column) from error
        except ValidationError as error:
            raise BadCell(_("This does not fit the type of the attribute."), column) from error
        raise BadCell(_("This does not fit the type of the attribute."), column)

    def _choices(self, attribute: Attribute, cell: str) -> list[tuple[str, str]]:
        found = cells.entries(70, cells.colour)(cell)
        if attribute.type == Attribute.Type.SINGLE and len(found) > 1:
            raise BadCell(_("One entry only."))
        for name, code in found:
            if attribute.type == Attribute.Type.COLOR and not code and (attribute.pk, name) not in self.choices:
                raise BadCell(_("A new colour needs its code, such as Indigo #27408B."))
        return found

    def take(self, row: Row, product: Product, variant: Variant) -> bool:
        """Notes what is different; True when anything is."""
        touched = False
        for (own, key), cell in row.facts.items():
            touched |= self._take_fact((product.pk, variant.pk if own else None, self.attributes[key].pk), key, cell)
        if "components" in row.related:
            wanted = [(self.named[ref][0], count) for ref, count in row.related["components"]]
            if wanted != self.components.get(product.pk, []):
                self.components[product.pk] = wanted
                self.replaced.add(product.pk)
                touched = True
        if "media" in row.related:
            touched |= self._take_pictures(product, row.related["media"])
        return touched

    def _take_fact(self, key: Key, name: str, cell: str) -> bool:
        fact, attribute = self.facts.get(key), self.attributes[name]
        if cell == CLEAR:
            if fact is None:
                return False
            del self.facts[key]
            self.touched_facts.pop(key, None)
            if fact.pk is not None:
                self.removed_facts.append(fact.pk)
            return True
        value, names = self._read(attribute, cell, name)
        chosen = [self._choice(attribute, *choice) for choice in names]
        if fact is not None and fact.value == value and sorted(self.chosen.get(key, ())) == sorted(chosen):
            return False
        if fact is None:
            fact = ProductAttribute(store=self.store, product_id=key[0], variant_id=key[1], attribute=attribute)
            self.facts[key] = fact
        fact.value, self.chosen[key] = value, chosen
        self.touched_facts[key] = fact
        return True

    def _choice(self, attribute: Attribute, name: str, code: str) -> str:
        choice = self.choices.get((attribute.pk, name))
        if choice is None:
            choice = AttributeChoice(store=self.store, attribute=attribute, name=name, hexcode=code)
            self.choices[attribute.pk, name] = choice
            self.new_choices.append(choice)
        return choice.pk

    def _take_pictures(self, product: Product, sources: list[str]) -> bool:
        have = self.pictures.get(product.pk, [])
        if [image.source for image in have] == sources:
            return False
        known = {image.source: image for image in have}
        kept: list[ProductImage] = []
        for place, source in enumerate(sources):
            image = known.pop(source, None)
            if image is None:
                key = (product.slug, source)
                self.used.add(key)
                image = ProductImage(
                    store=self.store,
                    product=product,
                    source=source,
                    renditions=self.fetched.renditions.get(key) or dict.fromkeys(("standard",), "-"),  # a dry run
                    sort_order=place,
                )
                self.new_pictures.append(image)
            elif image.sort_order != place:
                image.sort_order = place
                if not image._state.adding:
                    self.moved_pictures[image.pk] = image
            kept.append(image)
        gone = [image for image in known.values() if not image._state.adding]
        self.removed_pictures += gone
        dropped = {image.pk for image in known.values()}
        self.new_pictures = [image for image in self.new_pictures if image.pk not in dropped]
        self.pictures[product.pk] = kept
        return True

    # -- writing --
    def facts_of_new(self) -> dict[str, list[tuple[str | None, Attribute, Any, list[AttributeChoice]]]]:
        """The facts that rows made, by product and in their order: variant or None, attribute, value, choices."""
        if not self.touched_facts:
            return {}
        choices = {choice.pk: choice for choice in self.choices.values()}
        found: dict[str, list[tuple[str | None, Attribute, Any, list[AttributeChoice]]]] = {}
        for key, fact in self.touched_facts.items():
            if fact._state.adding:
                chosen = sorted(
                    (choices[pk] for pk in self.chosen[key]), key=lambda choice: (choice.sort_order, choice.name)
                )
                found.setdefault(key[0], []).append((key[1], fact.attribute, fact.value, chosen))
        return found

    def write(self) -> None:
        """After products, variants and choices. Twelve statements at most."""
        if self.removed_facts:
            ProductAttribute.objects.filter(store=self.store, pk__in=self.removed_facts).delete()
        self._write_facts()
        if self.replaced:
            BundleItem.objects.filter(store=self.store, bundle__in=self.replaced).delete()
            BundleItem.objects.bulk_create(
                BundleItem(
                    store=self.store, bundle_id=bundle, component_id=component, quantity=quantity, sort_order=place
                )
                for bundle in self.replaced
                for place, (component, quantity) in enumerate(self.components[bundle])
            )
        for image in self.removed_pictures:
            services.delete_image(store=self.store, image=image)
        ProductImage.objects.bulk_create(self.new_pictures)
        ProductImage.objects.bulk_update(self.moved_pictures.values(), ["sort_order"])

    def _write_facts(self) -> None:
        facts = self.touched_facts
        made: Iterable[ProductAttribute] = [fact for fact in facts.values() if fact.pk is None]
        ProductAttribute.objects.bulk_create(made)
        old = [fact for fact in facts.values() if fact not in made]
        ProductAttribute.objects.bulk_update(old, ["value"])
        through = ProductAttribute.choices.through
        if old:
            through.objects.filter(productattribute__in=[fact.pk for fact in old]).delete()
        through.objects.bulk_create(
            through(productattribute_id=fact.pk, attributechoice_id=choice_id)
            for key, fact in facts.items()
            for choice_id in self.chosen[key]
        )
