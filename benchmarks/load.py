"""A bounded closed-loop load on one address: keep-alive connections, one thread each, raw HTTP/1.1.

Runs as a process of its own (`python -m benchmarks.load`), so that its work is not counted as the server's. Reads a
JSON plan from standard input and writes the figures as JSON.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from dataclasses import dataclass
from itertools import count
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send: `requests` are raw bytes used in turn, `total` of them over `clients` connections."""

    port: int
    clients: int
    total: int
    requests: list[bytes]


def run(plan: Plan) -> dict[str, Any]:
    """Requests a second, latency percentiles in milliseconds, statuses."""
    numbers = count()
    times: list[list[float]] = [[] for _ in range(plan.clients)]
    statuses: list[dict[int, int]] = [{} for _ in range(plan.clients)]
    start = threading.Barrier(plan.clients + 1)

    def client(index: int) -> None:
        connection = _Connection(plan.port)
        start.wait()
        while (number := next(numbers)) < plan.total:
            began = time.perf_counter()
            status = connection.send(plan.requests[number % len(plan.requests)])
            times[index].append(time.perf_counter() - began)
            statuses[index][status] = statuses[index].get(status, 0) + 1
        connection.close()

    threads = [threading.Thread(target=client, args=[index]) for index in range(plan.clients)]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    elapsed = time.perf_counter() - began
    ordered = sorted(seconds for own in times for seconds in own)
    seen: dict[int, int] = {}
    for own in statuses:
        for status, number in own.items():
            seen[status] = seen.get(status, 0) + number
    return {
        "rate": len(ordered) / elapsed,
        "p50": _percentile(ordered, 0.50),
        "p95": _percentile(ordered, 0.95),
        "p99": _percentile(ordered, 0.99),
        "statuses": seen,
        "count": len(ordered),
    }


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


class _Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self._connect()

    def _connect(self) -> None:
        self._socket = socket.create_connection(("127.0.0.1", self._port), timeout=30)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, request: bytes) -> int:
        self._socket.sendall(request)
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = self._socket.recv(65_536)
            if not chunk:
                self._connect()
                return 0
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        length = 0
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        remaining = length - len(body)
        while remaining > 0:
            remaining -= len(self._socket.recv(min(remaining, 1 << 20)))
        return int(head.split(b" ", 2)[1])

    def close(self) -> None:
        self._socket.close()


def raw(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> bytes:
    """The bytes of one request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    if body:
        lines.append("Content-Type: application/json")
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


if __name__ == "__main__":
    wanted = json.load(sys.stdin)
    plan = Plan(
        wanted["port"], wanted["clients"], wanted["total"], [item.encode("latin-1") for item in wanted["requests"]]
    )
    json.dump(run(plan), sys.stdout)
