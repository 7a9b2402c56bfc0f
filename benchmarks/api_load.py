"""A load generator in a process of its own: requests over kept connections, latencies measured.

Prints one line of JSON. With a rate it is open: a request begins when it is due, and its latency
counts from then, so that a stall of the server is not hidden by waiting for it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from typing import Any

import msgspec
import uvloop

FEATURES = 8


def body_of(kind: str, rng: random.Random) -> bytes:
    """Return the body of one request: 8 features, an id that is new, and the time."""
    values = {f"f{number}": rng.gauss(0, 1) for number in range(FEATURES)}
    if kind == "mlserver":
        inputs = [
            {"name": name, "shape": [1, 1], "datatype": "FP64", "data": [value]}
            for name, value in values.items()
        ]
        return msgspec.json.encode({"inputs": inputs})
    if kind == "chantilly":
        return msgspec.json.encode({"features": values})
    event = {"id": f"{rng.getrandbits(64):016x}", "at": round(time.time() * 1000), **values}
    return msgspec.json.encode({"event": event, "record": kind == "recorded"})


async def load(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask for some seconds, and return what was seen."""
    rng = random.Random(arguments.seed)
    bodies = [body_of(arguments.kind, rng) for _ in range(arguments.bodies)]
    latencies: list[float] = []
    failed = asked = 0
    started = time.perf_counter()
    ends = started + arguments.seconds
    sent = iter(range(1 << 60))

    async def ask() -> None:
        nonlocal failed, asked
        reader, writer = await asyncio.open_connection(arguments.host, arguments.port)
        while (now := time.perf_counter()) < ends:
            number = next(sent)
            due = now
            if arguments.rate:
                due = started + number / arguments.rate
                if due >= ends:
                    break
                if due > now:
                    await asyncio.sleep(due - now)
            body = bodies[number % len(bodies)]
            writer.write(
                b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n" % (arguments.path.encode(), len(body)) + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]
            await reader.readexactly(int(length))
            latencies.append(time.perf_counter() - due)
            asked += 1
            failed += b" 200 " not in head[:16]
        writer.close()

    await asyncio.gather(*(ask() for _ in range(arguments.connections)))
    latencies.sort()
    spent = time.perf_counter() - started
    return {
        "requests": asked,
        "failed": failed,
        "per_second": round(asked / spent),
        "p50_ms": round(1_000 * latencies[len(latencies) // 2], 2),
        "p99_ms": round(1_000 * latencies[int(0.99 * len(latencies))], 2),
    }


def main() -> int:
    """Read the command line, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("path")
    parser.add_argument(
        "--kind", choices=["asked", "recorded", "mlserver", "chantilly"], default="asked"
    )
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--bodies", type=int, default=20_000)
    parser.add_argument("--rate", type=float, default=0.0, help="requests a second; 0: all it can")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    found = uvloop.run(load(parser.parse_args()))
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
