"""Faust-streaming with River.

``saving``: ``memory`` keeps the model in the process; ``table`` pickles it into a table (RocksDB,
with a changelog topic) with each event, exactly-once.
"""

from __future__ import annotations

import pickle
from typing import Any

import faust
from learning import Learner, Settings, tell

settings = Settings()
app = faust.App(
    settings.group,
    broker=f"kafka://{settings.broker}",
    store="rocksdb://",
    datadir=str(settings.folder / "faust"),
    processing_guarantee="exactly_once" if settings.saving == "table" else "at_least_once",
    broker_commit_interval=settings.seconds,
    broker_session_timeout=settings.session_ms / 1_000,
    broker_heartbeat_interval=settings.session_ms / 3_000,
    consumer_auto_offset_reset="earliest",
    topic_partitions=1,
    topic_disable_leader=True,
    web_enabled=False,
    autodiscover=False,
    origin="faust_app",
)
events = app.topic(settings.events, key_type=bytes, value_serializer="json", key_serializer="raw")
predictions = app.topic(
    settings.predictions, key_type=bytes, value_serializer="json", key_serializer="raw"
)
table: Any = app.Table("model", partitions=1, key_type=bytes, value_type=bytes)
held: list[Learner] = []


@app.agent(events)
async def learn(stream: Any) -> None:
    """Predict, learn and send on."""
    async for key, event in stream.items():
        if not held:
            found = table.get(key) if settings.saving == "table" else None
            held.append(pickle.loads(found) if found else Learner(settings.pipeline))
        said = held[0].step(event)
        if settings.saving == "table":
            table[key] = pickle.dumps(held[0])
        await predictions.send(key=key, value=said)


if __name__ == "__main__":
    worker = faust.Worker(app, loglevel="warning", quiet=True)
    try:
        worker.execute_from_commandline()
    finally:
        if held:
            tell(settings, held[0])
