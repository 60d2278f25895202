"""`make bench`: our application beside a hand-written one, on the same database, under the same server, in one run."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from benchmarks import document, shop
from benchmarks.compare import compare
from benchmarks.jobs import JOBS, Job
from benchmarks.measure import Figures, one_round, summary
from benchmarks.servers import BASELINE, OURS, Server
from benchmarks.shop import Shop, Statements
from config.server import THREADS

CLIENTS = (1, 8, 32)
TARGET = 4.0  # times the processor time of the hand-written application
console = Console(width=None if sys.stdout.isatty() else 150)


def main() -> int:
    asked = _arguments()
    busy = os.getloadavg()[0]
    jobs = [job for job in JOBS if not asked.only or job.key in asked.only]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        url = stack.enter_context(shop.own_database(asked.database_url, asked.template)) if asked.database_url else ""
        environment = shop.environment(folder=folder, database_url=url, redis_url=asked.redis_url)
        os.environ.clear()
        os.environ.update(environment | {"LOG_LEVEL": "ERROR"})  # only the servers' lines belong to what is measured
        with console.status(f"Making {asked.products} products and {shop.SMALL_CARTS + shop.LARGE_CARTS} carts ..."):
            made = shop.prepare(products=asked.products, full=any(job.full for job in jobs))
        statements = {job.key: shop.statements(*job.two_calls(made)) for job in jobs}
        uneven = [job for job in jobs if not _constant(job, made, statements[job.key])]
        over = [job for job in jobs if len(statements[job.key].work) > job.budget]

        log = stack.enter_context((folder / "servers.log").open("wb"))
        servers = {}
        for name in (OURS, BASELINE):
            server = Server(name, threads=asked.threads, environment=environment, log=log)
            stack.callback(server.stop)
            server.wait(f"{made.base}/catalog/products?limit=1")
            servers[name] = server
        found = compare(servers[OURS], servers[BASELINE], made, statements, [job for job in jobs if not job.alone])
        figures = _measure(jobs, made, servers, rounds=asked.rounds, scale=asked.scale, clients=asked.clients)
        memory = {name: server.memory_mib() for name, server in servers.items()}

    console.print(_table(jobs, figures, statements))
    _print_statements(jobs, statements, show=asked.sql)
    console.print(
        f"Memory of the server after the run: ours {memory[OURS]:.0f} MiB, hand-written {memory[BASELINE]:.0f} MiB."
    )
    report = _report(asked, jobs, figures, statements, memory) | {"load_average": [busy, os.getloadavg()[0]]}
    if asked.json:
        asked.json.write_text(json.dumps(report, indent=2) + "\n")
    if asked.document:
        document.write(asked.document, report)
    for line in found.wording:
        console.print(f"[yellow]Other words:[/yellow] {line}", highlight=False)
    for line in found.differences:
        console.print(f"[red]Different answers:[/red] {line}")
    for job in over:
        console.print(
            f"[red]Over budget:[/red] {job.name} took {len(statements[job.key].work)} statements, not {job.budget}."
        )
        for sql in statements[job.key].work:
            console.print(f"  {sql}", markup=False)
    for job in uneven:
        console.print(f"[red]Not constant:[/red] {job.name} takes more statements for other requests.")
    return 1 if over or uneven or found.differences else 0


def _constant(job: Job, made: Shop, found: Statements) -> bool:
    """Whether requests for other pages and things, the last one among them, take no more statements than the first.

    A search stays within its budget: it takes one less when its facets were counted a moment ago and that was slow.
    """
    calls = job.calls(made)
    most = job.budget if job.alone else len(found.work)
    for call in {len(calls) // 2: calls[len(calls) // 2], len(calls) - 1: calls[-1]}.values():
        # Twice, for what is remembered for seconds may run out under the first.
        taken = [len(shop.statements(calls[0], call).work) for _ in range(2)]
        if min(taken) > most:
            return False
    return True


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench ARGS=...", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run: less exact")
    parser.add_argument("--rounds", type=int, help="rounds for each job, number of clients and application (5)")
    parser.add_argument("--scale", type=float, help="requests of a round, as a multiple of the usual number (1.0)")
    parser.add_argument("--clients", type=int, nargs="+", default=CLIENTS, help="numbers of connections (1 8 32)")
    parser.add_argument("--threads", type=int, default=THREADS, help=f"threads of each server ({THREADS})")
    parser.add_argument("--only", nargs="+", choices=[job.key for job in JOBS], help="these jobs only")
    parser.add_argument("--products", type=int, default=shop.PRODUCTS, help=f"size of the shop ({shop.PRODUCTS})")
    parser.add_argument("--template", default="", help="a PostgreSQL database to copy, with a shop of that size in it")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--document", type=Path, help="also put the figures in the place of those in this file")
    parser.add_argument("--sql", action="store_true", help="show the statements of each job")
    parser.add_argument(
        "--database-url",
        default=os.environ.get("BENCH_DATABASE_URL", ""),
        help=f"a PostgreSQL server on which to make, and drop, the database {shop.DATABASE}; without it: SQLite",
    )
    parser.add_argument("--redis-url", default=os.environ.get("BENCH_REDIS_URL", ""), help="a Redis server, if any")
    asked = parser.parse_args()
    if asked.document and asked.only:
        parser.error("--document takes the figures of all jobs, for they take the place of all.")
    asked.rounds = asked.rounds or (2 if asked.quick else 5)
    asked.scale = asked.scale or (0.2 if asked.quick else 1.0)
    if asked.json:
        asked.json = asked.json.resolve()
    if asked.document:
        asked.document = asked.document.resolve()
    return asked


Measured = dict[tuple[str, int, str], Figures]  # by job, number of clients and application


def _measure(
    jobs: list[Job], made: Shop, servers: dict[str, Server], *, rounds: int, scale: float, clients: list[int]
) -> Measured:
    """Both applications in turn, in short rounds, so that what else the machine does meets both alike."""
    found: Measured = {}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f}%"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=sum(1 if job.alone else 2 for job in jobs) * len(clients) * rounds)
        for job in jobs:
            calls = job.calls(made)
            total = max(round(job.total * scale), 50)
            asked = {name: server for name, server in servers.items() if name == OURS or not job.alone}
            for server in asked.values():
                one_round(server, calls, clients=8, total=min(total, 100))
            for number in clients:
                seen: dict[str, list[dict[str, float]]] = {name: [] for name in asked}
                for index in range(rounds):
                    for name in sorted(asked, reverse=bool(index % 2)):
                        progress.update(task, description=f"{job.name}, {number} clients, {name}")
                        seen[name].append(one_round(servers[name], calls, clients=number, total=total))
                        progress.advance(task)
                for name, measured in seen.items():
                    found[job.key, number, name] = summary(measured)
    return found


def _ratios(ours: Figures, baseline: Figures | None) -> tuple[float, float] | tuple[None, None]:
    """Processor time as a multiple of the hand-written application's, and the rate as a share of its rate."""
    if baseline is None:
        return None, None
    return ours.cpu_ms / baseline.cpu_ms, ours.rate / baseline.rate


def _table(jobs: list[Job], figures: Measured, statements: dict[str, Statements]) -> Table:
    table = Table(title="Ours / hand-written, medians over the rounds", title_justify="left")
    table.add_column("job")
    for heading in (
        "SQL",
        "clients",
        "requests/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU ms/request",
        "CPU ratio",
        "rate ratio",
    ):
        table.add_column(heading, justify="right")
    for job in jobs:
        for position, number in enumerate(sorted({number for key, number, _ in figures if key == job.key})):
            ours, baseline = figures[job.key, number, OURS], figures.get((job.key, number, BASELINE))
            cpu, rate = _ratios(ours, baseline)
            table.add_row(
                "" if position else job.name,
                "" if position else f"{len(statements[job.key].work)} of {job.budget}",
                str(number),
                *(
                    " / ".join(format(getattr(each, name), form) for each in (ours, baseline) if each)
                    for name, form in (
                        ("rate", ",.0f"),
                        ("p50", ".2f"),
                        ("p95", ".2f"),
                        ("p99", ".2f"),
                        ("cpu_ms", ".3f"),
                    )
                ),
                "" if cpu is None else f"[{'green' if cpu <= TARGET else 'red'}]{cpu:.1f}[/]",
                "" if rate is None else f"{rate:.2f}",
            )
        table.add_section()
    return table


def _print_statements(jobs: list[Job], statements: dict[str, Statements], *, show: bool) -> None:
    for job in jobs:
        found = statements[job.key]
        if show:
            control = f", and {len(found.control)} of transaction control" if found.control else ""
            console.print(f"\n{job.name}: {len(found.work)} statements{control}")
            for sql in found.work:
                console.print(f"  {' '.join(sql.split())}", markup=False, highlight=False)


def _report(
    asked: argparse.Namespace,
    jobs: list[Job],
    figures: Measured,
    statements: dict[str, Statements],
    memory: dict[str, float],
) -> dict[str, Any]:
    results = []
    for job in jobs:
        found = statements[job.key]
        rows = []
        for number in sorted({number for key, number, _ in figures if key == job.key}):
            ours, baseline = figures[job.key, number, OURS], figures.get((job.key, number, BASELINE))
            cpu, rate = _ratios(ours, baseline)
            rows.append(
                {
                    "clients": number,
                    "ours": asdict(ours),
                    "baseline": asdict(baseline) if baseline else None,
                    "cpu_ratio": cpu,
                    "rate_ratio": rate,
                }
            )
        results.append(
            {
                "job": job.key,
                "name": job.name,
                "statements": len(found.work),
                "budget": job.budget,
                "transaction_control": len(found.control),
                "by_clients": rows,
            }
        )
    return {
        "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "processors": os.cpu_count(),
        "database": "postgresql" if asked.database_url else "sqlite",
        "redis": bool(asked.redis_url),
        "threads": asked.threads,
        "rounds": asked.rounds,
        "scale": asked.scale,
        "products": asked.products,
        "memory_mib": memory,
        "results": results,
    }


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RuntimeError as error:
        console.print(f"[red]{error}[/red]")
        sys.exit(1)
