"""Time and memory of imports and exports.

    python -m benchmarks.import_products [--products 100000] [--json FILE]

Needs PostgreSQL (DATABASE_URL or --database-url; a database of its own is made and dropped). A file of new products with
two groups' prices, stock, two categories, a brand and two pictures is written, then taken through the commands of
`manage.py`, each in a process of its own, whose peak memory is that process's greatest resident set. Each step runs once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import shop

shop.DATABASE = "bench_import"
ROOT = Path(__file__).resolve().parents[1]
HEADER = [
    "product", "name", "type", "short_description", "description", "tags", "brand", "categories", "images", "sku",
    "on_hand", "price:retail", "listing:retail", "tax_rate:retail", "price:wholesale", "tax_rate:wholesale",
]  # fmt: skip
GROUPS = """
from storefront import services
from storefront.models import CustomerGroup
store = services.create_store(store_id="bench", name="Benchmark")
CustomerGroup.objects.create(store=store, name="Wholesale", slug="wholesale")
"""


def write(path: Path, count: int, *, price: int = 0) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(count):
            amount = 100 + number * 37 % 4900 + price
            writer.writerow(
                [
                    f"product-{number}", f"Walnut tray number {number}", "physical", "A tray made for measuring.",
                    f"<p>Tray {number}: pleasant to look at all the same.</p>", "tray|walnut", f"Brand {number % 40}",
                    f"Home > Shelf {number % 30} | Kitchen > Shelf {number % 20}",
                    f"https://images.example/{number}/0.webp|https://images.example/{number}/1.webp", f"SKU-{number}",
                    number % 50, amount, amount * 2, (0, 5, 12, 18)[number % 4], f"{amount * 0.8:.2f}", 18,
                ]
            )  # fmt: skip


def run(step: str, environment: dict[str, str], *arguments: str) -> dict[str, float | str]:
    """One command to its end, with its seconds and its peak memory."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    started = time.monotonic()
    assert process.stderr is not None
    told = process.stderr.read()
    _pid, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{step}: {told.decode()[-2000:]}")
    figures = {"seconds": round(time.monotonic() - started, 1), "peak_mib": round(usage.ru_maxrss / 1024, 1)}
    print(f"{step:32} {figures['seconds']:8.1f} s   {figures['peak_mib']:7.1f} MiB", flush=True)
    return {"step": step, **figures}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--database-url", default=os.environ.get("DATABASE_URL", ""))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.database_url:
        raise SystemExit("Name a PostgreSQL server: --database-url or DATABASE_URL.")
    with tempfile.TemporaryDirectory() as name, shop.own_database(options.database_url) as url:
        folder = Path(name)
        environment = shop.environment(folder=folder, database_url=url, redis_url="") | {"PYTHONPATH": str(ROOT)}
        run("migrate", environment, "migrate", "--verbosity=0")
        run("store", environment, "shell", "-v0", "-c", GROUPS)
        small, new, other, back = (folder / f"{kind}.csv" for kind in ("small", "new", "other", "back"))
        write(small, 1_000)
        write(new, options.products)
        write(other, options.products, price=1)
        size = new.stat().st_size / 1_048_576
        print(f"{options.products} products, {size:.0f} MiB", flush=True)
        of = ("import_products", "--store", "bench")
        found = [
            run("dry run, 1,000 new", environment, *of, "--dry-run", str(small)),
            run("dry run, all new", environment, *of, "--dry-run", str(new)),
            run("import, all new", environment, *of, str(new)),
            run("the same file again", environment, *of, str(new)),
            run("every price changed", environment, *of, str(other)),
            run("export", environment, "export_products", "--store", "bench", str(back)),
            run("import of the export", environment, *of, str(back)),
        ]
    if options.json:
        options.json.write_text(json.dumps({"products": options.products, "steps": found}, indent=1))


if __name__ == "__main__":
    main()
