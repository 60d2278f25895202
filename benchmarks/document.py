"""The figures of a run in `docs/benchmarks.md`, in the place of those before: `--document docs/benchmarks.md`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_HEAD = """\
| job | SQL | clients | requests/s | p50 ms | p95 ms | p99 ms | CPU ms | CPU ratio | rate ratio |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""
_COLUMNS = (("rate", ",.0f"), ("p50", ",.1f"), ("p95", ",.1f"), ("p99", ",.1f"), ("cpu_ms", ".2f"))


def write(path: Path, report: Mapping[str, Any]) -> None:
    """Raises ValueError for a document without a place for figures of that database."""
    name = report["database"]
    place = re.compile(rf"(<!-- figures: {name} -->\n).*?(<!-- end of figures -->)", re.DOTALL)
    text, places = place.subn(lambda found: f"{found[1]}{section(report)}\n\n{found[2]}", path.read_text())
    if places != 1:
        raise ValueError(f"{path} has {places} places for figures of {name}, not one.")
    path.write_text(text)


def section(report: Mapping[str, Any]) -> str:
    """What stands between the marks: under which circumstances, then the table."""
    ours, baseline = report["memory_mib"]["ours"], report["memory_mib"]["baseline"]
    first, last = report["load_average"]
    beside = " and Redis" if report["redis"] else ""
    said = (
        f"{NAMES[report['database']]}{beside}, {report['made_at'][:10]}, Python {report['python']}, {report['rounds']} "
        f"rounds at {report['scale']:g} of the usual number of requests, {report['threads']} threads, "
        f"{report['processors']} cores, load average {first:.1f} before the run and {last:.1f} after it. "
        f"Memory of the server afterwards: {ours:.0f} / {baseline:.0f} MiB."
    )
    rows = [_row(job, figures) for job in report["results"] for figures in job["by_clients"]]
    return "\n".join([said, "", _HEAD, *rows])


def _row(job: Mapping[str, Any], figures: Mapping[str, Any]) -> str:
    applications = [figures["ours"], figures["baseline"]] if figures["baseline"] else [figures["ours"]]
    cells = [
        job["name"],
        f"{job['statements']} of {job['budget']}",
        str(figures["clients"]),
        *(" / ".join(format(each[name], form) for each in applications) for name, form in _COLUMNS),
        "" if figures["cpu_ratio"] is None else f"{figures['cpu_ratio']:.1f}",
        "" if figures["rate_ratio"] is None else f"{figures['rate_ratio']:.2f}",
    ]
    return f"| {' | '.join(cells)} |".replace("|  |", "| |").replace("|  |", "| |")
