"""Staleness: from a label's arrival to a prediction by a model that has learned it.

Worker and API run as `riverrun up`, on the embedded log. An event comes, is predicted, and its
label is appended over HTTP; the clock runs from the answer, when the label is durable, to that
of a prediction that waits for a model that has read it (`min_offset`). At rest, and while other
events are learned from at a rate. The time is that of the checkpoints: the next one waits 50 times
as long as the last one took, within [`checkpoint.min_interval`, `checkpoint.max_interval`].
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

from benchmarks.serving_process import Served, arriving, served
from benchmarks.streams import rows
from serve.client import Client

SETTINGS = ((0, "30s"), (500, "30s"), (500, "1s"), (2_000, "30s"))
"""Events a second beside, and checkpoint.max_interval."""

_REST_SECONDS = 0.5


def measure(stream: Served, samples: int, first: int) -> list[float]:
    """Return the seconds of some labels, one after another."""
    rng, seconds = random.Random(first), []
    with Client(stream.url, "bench", id_field="id", timeout_seconds=90) as client:
        for number, row in enumerate(rows(samples, seed=first)):
            key = f"stale-{first}-{number}"
            event = {name: value for name, value in row.items() if name != "label"} | {"id": key}
            client.send_events(event)
            time.sleep(_REST_SECONDS * (0.5 + rng.random()))  # not in step with the checkpoints
            told = client.send_labels({"id": key, "label": row["label"]})
            arrived = time.perf_counter()
            client.predict(event, record=False, min_offset=told.min_offset)
            seconds.append(time.perf_counter() - arrived)
    return sorted(seconds)


def compare(samples: int = 40) -> list[dict[str, Any]]:
    """Return one row for each setting; see ``each``."""
    return list(each(samples))


def each(samples: int) -> Iterator[dict[str, Any]]:
    """Yield one row for each setting.

    Parameters
    ----------
    samples
        Labels of each.
    """
    for index, (rate, max_interval) in enumerate(SETTINGS):
        with served(max_interval) as stream, arriving(stream, rate):
            time.sleep(3.0)
            found = measure(stream, samples, 10 + index)
            took = stream.status()["status"]["checkpoint_seconds"]
        yield {
            "events_per_second_beside": rate,
            "checkpoint.max_interval": max_interval,
            "labels": samples,
            "median_seconds": round(median(found), 3),
            "p99_seconds": round(found[round(0.99 * (samples - 1))], 3),
            "checkpoint_seconds": round(took, 3),
        }


if __name__ == "__main__":
    for one in each(int(sys.argv[1]) if len(sys.argv) > 1 else 40):
        print(one, flush=True)
