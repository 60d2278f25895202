"""Pictures that an import brings into the shop's own storage, from addresses or from a folder.

They are fetched before the rows are written, so that nobody's rows are locked while a stranger's server takes its time.
One picture is in memory at a time; addresses are called through `storefront.outgoing`, which never reaches inside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from django.utils.translation import gettext as _

from storefront import outgoing
from storefront.errors import Invalid
from storefront.ids import new_id
from storefront.models import Store

from .. import images
from ..models import Product, ProductImage
from .rows import Row


@dataclass(slots=True)
class Fetched:
    """Pictures that are in the storage now and in no row yet, and the rows whose pictures could not be had."""

    renditions: dict[tuple[str, str], dict[str, str]] = field(default_factory=dict)  # by slug of the product, source
    problems: dict[int, str] = field(default_factory=dict)  # by number of the row
    ids: dict[str, str] = field(default_factory=dict)  # of products to be made, by slug: files lie in their folders

    def discard(self, used: Iterable[tuple[str, str]] = ()) -> None:
        """Deletes the files of those that came into no row."""
        kept = set(used)
        for key, names in self.renditions.items():
            if key not in kept:
                images.remove(set(names.values()))


def fetch(
    *, store: Store, rows: Iterable[Row], folder: Path | None, dry_run: bool, alive: Callable[[], None]
) -> Fetched:
    """Fetches what these rows name and the shop has not got yet; a dry run looks at it and keeps nothing.

    `alive` is called before each picture. Two queries, none when no row names pictures.
    """
    found = Fetched()
    wanted = [row for row in rows if row.related.get("media")]
    if not wanted:
        return found
    known = dict(
        Product.objects.filter(store=store, slug__in={row.product for row in wanted}).values_list("slug", "pk")
    )
    rowed = ProductImage.objects.filter(product__in=known.values()).exclude(source="")
    have = set(rowed.values_list("product__slug", "source"))
    for row in wanted:
        for source in row.related["media"]:
            key = (row.product, source)
            if key in have or key in found.renditions:
                continue
            alive()
            try:
                picture = images.read(_content(source, folder))
            except Invalid as error:
                found.problems[row.number] = f"{source[:100]}: {error.message}"
                break
            found.renditions[key] = {}
            if not dry_run:
                pk = known.get(row.product) or found.ids.setdefault(row.product, new_id())
                found.renditions[key] = images.save(picture, folder=f"catalog/{store.pk}/{pk}")
    return found


def _content(source: str, folder: Path | None) -> bytes:
    """Raises Invalid."""
    if source.startswith("https://"):
        try:
            answer = outgoing.get(source, headers={"Accept": "image/*"}, limit=images.MAX_BYTES + 1)
        except outgoing.Refused as error:
            raise Invalid(_("This address is not called.")) from error
        except outgoing.Unreachable as error:
            raise Invalid(_("Nothing came back from this address.")) from error
        if answer.status != 200:
            raise Invalid(_("This address answered %(status)d.") % {"status": answer.status})
        return answer.body
    if folder is None:
        raise Invalid(_("Files are read from a folder by the command alone; use an address."))
    path = (folder / source).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        raise Invalid(_("There is no such file in the folder."))
    with path.open("rb") as file:
        return file.read(images.MAX_BYTES + 1)
