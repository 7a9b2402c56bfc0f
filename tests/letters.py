"""Streams with dead letters for tests, on any log, with real workers and replays."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from stream.build import line_factory
from stream.clock import SystemClock
from stream.config import Config
from stream.dead_letters.rebuilds import rebuilds_of
from stream.dead_letters.replay import Outcome, Replay
from stream.dead_letters.selection import Selection
from stream.log import Log
from stream.origin import Place, read_origin
from stream.records import NewRecord, Record
from stream.storage.store import Store
from stream.worker import open_worker
from tests.lines import as_bytes, make_config

LARGE = 40
"""``event.max_bytes`` of the worker that rejects; the mapping stays, so nothing is rebuilt."""


class Scene:
    """A stream on a log: rows of up to ``LARGE`` bytes are learned, others wait for a fix.

    Nothing is remembered to drop repeats (``dedup_window`` is 0), so what is appended twice is
    learned twice: the line does not hide a replay's mistake.
    """

    def __init__(self, log: Log, store_url: str, name: str = "s", **sections: Any) -> None:
        self.log = log
        self.store_url = store_url
        self.sections: dict[str, Any] = {"stream": {"name": name}, "dead_letters": {"max_share": 1}}
        event = {"id": None, "time": None, "features": ["a"]}
        self.sections["event"] = event | {"dedup_window": 0, "max_bytes": LARGE}
        for section, values in sections.items():
            self.sections[section] = self.sections.get(section, {}) | values
        self.config = self.configured()
        partitions = self.config.topics.partitions
        log.create_topics(dict.fromkeys(self.config.topic_names, partitions))

    def configured(self, **event: Any) -> Config:
        """Return the configuration with another ``[event]``."""
        return make_config(**(self.sections | {"event": self.sections["event"] | event}))

    @property
    def mended(self) -> Config:
        """The configuration after the fix."""
        return self.configured(max_bytes=1_048_576)

    def produce(self, *rows: Any, headers: Any = (), to: str = "events", **options: Any) -> None:
        """Append rows (objects, bytes or None) without a key."""
        topic = getattr(self.config, f"{to}_topic")
        new = [
            NewRecord(topic, options.get("key"), None if r is None else as_bytes(r), headers)
            for r in rows
        ]
        self.log.sink().append(new).offsets()

    def work(self, config: Config | None = None, rebuild: bool = False) -> dict[str, int]:
        """Run a real worker to the log's end; return its counts."""
        config = config or self.config
        store = Store(self.store_url, config.stream.name)
        try:
            worker = open_worker(config, self.log, store, line_factory(config), SystemClock())
            worker.start(rebuild)
            worker.run(lambda: False, until_caught_up=True)
            worker._source.close()
            counts = worker.line.counts
            return {
                name: getattr(counts, name)
                for name in ("events", "learned", "repeated", "dead_lettered", "predicted")
            } | {"watermark": worker.line.watermark}
        finally:
            store.close()

    def replay(
        self, *, plan: bool = False, config: Config | None = None, **options: Any
    ) -> Outcome:
        """Replay all, or as asked."""
        selection = options.pop("selection", Selection(**options.pop("only", {})))
        store = Store(self.store_url, self.config.stream.name)
        rebuilds = rebuilds_of(store)
        store.close()
        options = {"limit": None, "check": True, "sleep": lambda _: None} | options
        replay = Replay(
            self.log, config or self.mended, selection, clock=SystemClock(), rebuilds=rebuilds,
            **options,
        )  # fmt: skip
        try:
            replay.read_marks(ignore)
            return replay.plan(ignore) if plan else replay.run(lambda: False, ignore)
        finally:
            replay.close()

    def read(self, kind: str) -> list[Record]:
        """Return every record of one of the topics."""
        source = self.log.source([getattr(self.config, f"{kind}_topic")])
        count = sum(held.end - held.earliest for held in source.bounds().values())
        found: list[Record] = []
        deadline = time.monotonic() + 20
        while len(found) < count and time.monotonic() < deadline:
            found += source.poll(1_000, 0.5)
        source.close()
        assert len(found) >= count
        return found

    def replays(self, kind: str = "events") -> Counter[Place]:
        """Return how often each record was appended again, by its first place."""
        origins = [read_origin(record.headers) for record in self.read(kind)]
        return Counter(origin.place for origin in origins if origin is not None)


def good(number: int) -> dict[str, Any]:
    """Return a row that is learned at once."""
    return {"a": number % 7, "y": number % 2 == 0}


def large(number: int) -> dict[str, Any]:
    """Return a row that waits for the fix."""
    return {"a": number % 7, "y": number % 2 == 0, "note": f"{number:0{LARGE}}"}


def ignore(_done: float, _text: str) -> None:
    """Show no progress."""
