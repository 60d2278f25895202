"""Rounds of load on both applications in turn, and what they come to."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks.jobs import Call
from benchmarks.servers import ROOT, Server

FIGURES = ("rate", "p50", "p95", "p99", "cpu_ms")


@dataclass(frozen=True, slots=True)
class Figures:
    """One application at one job and number of clients: medians over the rounds. Times in milliseconds."""

    rate: float  # requests a second
    p50: float
    p95: float
    p99: float
    cpu_ms: float  # processor time of the server for one request, without the database server's


def one_round(server: Server, calls: Sequence[Call], *, clients: int, total: int) -> dict[str, float]:
    """`total` requests over `clients` connections. Raises RuntimeError unless each was answered with 200."""
    plan = {
        "port": server.port,
        "clients": clients,
        "total": total,
        "requests": [call.raw().decode("latin-1") for call in calls],
    }
    before = server.processor_seconds()
    generator = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=ROOT,
        input=json.dumps(plan),
        capture_output=True,
        text=True,
        check=False,
    )
    used = server.processor_seconds() - before
    if generator.returncode:
        raise RuntimeError(f"The load generator failed: {generator.stderr[-500:]}")
    found: dict[str, Any] = json.loads(generator.stdout)
    if found["statuses"] != {"200": total}:
        raise RuntimeError(
            f"{server.name}: {calls[0].method} {calls[0].path} answered {found['statuses']}{generator.stderr[-500:]}"
        )
    return {**{name: found[name] for name in FIGURES if name in found}, "cpu_ms": used / total * 1000}


def summary(rounds: Sequence[Mapping[str, float]]) -> Figures:
    return Figures(**{name: median(found[name] for found in rounds) for name in FIGURES})
