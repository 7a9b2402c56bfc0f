"""Memory over a million requests, and failures across model swaps.

`riverrun up` serves while labelled events are learned from; this process asks as fast as it is
answered, over kept connections. The API's resident memory is read from /proc after each tenth of
the requests. Run it by hand: `python -m benchmarks.serving_soak --requests 1000000`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.serving_process import Served, arriving, served

_CONNECTIONS = 8
_PATH = "/v1/streams/bench/predict"
_RATE = 200


async def soak(stream: Served, requests: int, seconds: float) -> dict[str, Any]:
    """Ask a number of times, for at most so many seconds."""
    host, port = stream.url.removeprefix("http://").split(":")
    pid = stream.pids()["api"]
    rng, versions, failed, asked = random.Random(1), set(), 0, 0
    memory = [_rss(pid)]
    started = time.monotonic()

    async def ask() -> None:
        nonlocal asked, failed
        reader, writer = await asyncio.open_connection(host, int(port))
        while asked < requests and time.monotonic() - started < seconds:
            asked += 1
            if asked % (requests // 10) == 0:
                memory.append(_rss(pid))
            status, body = await _ask(reader, writer, rng)
            failed += status != 200
            offset = re.search(rb'"learned_offset":(\d+)', body)
            if offset is not None:
                versions.add(int(offset[1]))
        writer.close()

    await asyncio.gather(*(ask() for _ in range(_CONNECTIONS)))
    spent = time.monotonic() - started
    return {
        "requests": asked,
        "failed": failed,
        "model_swaps": len(versions) - 1,
        "requests_per_second": round(asked / spent),
        "rss_mib": memory,
    }


async def _ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rng: random.Random
) -> tuple[int, bytes]:
    features = {f"f{number}": rng.gauss(0, 1) for number in range(8)}
    event = features | {"time": 1}
    body = json.dumps({"event": event, "record": False}).encode()
    head = f"POST {_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
    content = await reader.readexactly(int(length[1])) if length else b""
    return int(answer.split(b" ", 2)[1]), content


def _rss(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", text)
    return round(int(found[1]) / 1024, 1) if found else 0.0


def main() -> int:
    """Run it, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=900.0, help="at most")
    parser.add_argument("--max-interval", default="1s", help="of checkpoints: more swaps")
    arguments = parser.parse_args()
    with served(arguments.max_interval) as stream, arriving(stream, _RATE):
        found = asyncio.run(soak(stream, arguments.requests, arguments.seconds))
    print(json.dumps(found))
    return 1 if found["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
