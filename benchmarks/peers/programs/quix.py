"""Quix Streams with River.

``saving``: ``memory`` keeps the model in the process, as its tutorials do; ``state`` pickles it
into the state store (RocksDB, with a changelog topic) with each event, exactly-once; ``state-1000``
does so with every 1,000th event, and commits when it does.
"""

from __future__ import annotations

import pickle
from typing import Any

from learning import Learner, Settings, tell
from quixstreams import Application, State

_EVERY = 1_000


def main() -> None:
    """Run until SIGTERM, which the library handles."""
    settings = Settings()
    is_kept = settings.saving.startswith("state")
    every = _EVERY if settings.saving == "state-1000" else 1
    app = Application(
        broker_address=settings.broker,
        consumer_group=settings.group,
        auto_offset_reset="earliest",
        commit_interval=settings.seconds if every == 1 else 3_600.0,
        commit_every=every if every > 1 else 0,
        consumer_extra_config={"session.timeout.ms": settings.session_ms},
        state_dir=settings.folder / "state",
        processing_guarantee="exactly-once" if is_kept else "at-least-once",
        loglevel="WARNING",
    )
    frame = app.dataframe(app.topic(settings.events, value_deserializer="json"))
    held: list[Learner] = [] if is_kept else [Learner(settings.pipeline)]
    seen = 0

    def in_memory(event: dict[str, Any]) -> dict[str, Any]:
        return held[0].step(event)

    def in_state(event: dict[str, Any], state: State) -> dict[str, Any]:
        nonlocal seen
        if not held:
            found = state.get_bytes("learner")
            held.append(pickle.loads(found) if found else Learner(settings.pipeline))
        said = held[0].step(event)
        seen += 1
        if seen % every == 0:
            state.set_bytes("learner", pickle.dumps(held[0]))
        return said

    frame = frame.apply(in_state, stateful=True) if is_kept else frame.apply(in_memory)
    frame.to_topic(app.topic(settings.predictions, value_serializer="json"))
    app.run()
    if held:
        tell(settings, held[0])


if __name__ == "__main__":
    main()
