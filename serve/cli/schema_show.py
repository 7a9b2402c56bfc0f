"""The schema of a stream as its newest checkpoint has it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serve.compose import Secrets
from serve.status_reading import NoCheckpointError, newest_of, store_to_read
from serve.stored_monitor import read_view
from stream.config import Config
from stream.errors import InputError


@dataclass(frozen=True, slots=True)
class ShownSchema:
    """A stream's schema.

    Parameters
    ----------
    stream, checkpoint
        Whose it is, and by which checkpoint.
    inferred
        Whether the worker inferred it from the warm-up; else it was given.
    text
        As ``schema.toml``.
    """

    stream: str
    checkpoint: int
    inferred: bool
    text: str

    def as_data(self) -> dict[str, Any]:
        """Return it as plain data for JSON."""
        return {
            "stream": self.stream,
            "checkpoint": self.checkpoint,
            "inferred": self.inferred,
            "schema": tomllib.loads(self.text),
        }

    def notes(self, config: Config, path: Path, target: Path | None) -> Iterator[str]:
        """Say where it comes from, and what can be done with it.

        Parameters
        ----------
        config, path
            Of the stream.
        target
            Where it was written.
        """
        file = config.monitor.schema_file
        where = f"the schema of {self.stream!r} at checkpoint {self.checkpoint}"
        if self.inferred:
            yield f"{where} was inferred from the first {config.monitor.warmup_events:,} events"
        else:
            yield f"{where} was given" + (f": {file}" if file is not None else "")
        if file is None and target is not None:
            yield (
                f"To have events checked against {target} after editing it, write in {path} under "
                f'[monitor]: schema_file = "{target}"; then start the worker again'
            )


def shown_schema(config: Config, secrets: Secrets) -> ShownSchema:
    """Read the schema of a stream.

    Raises
    ------
    NoCheckpointError
        There is none yet.
    InputError
        Nothing is watched.
    StoreError
    """
    name = config.stream.name
    with store_to_read(config, secrets) as store:
        newest_of(store, config, is_of_monitor=True)
        stored, view = read_view(store)
    monitor = None if stored is None else stored.status.get("monitor")
    if stored is None or view is None or monitor is None:
        raise InputError(f"the monitor of {name!r} is switched off: set monitor.enabled = true")
    if view.schema is None:
        warm_up = monitor["warm_up"] or {"events": 0, "wanted": config.monitor.warmup_events}
        raise NoCheckpointError(
            f"no schema of {name!r} yet: {warm_up['events']:,} of the {warm_up['wanted']:,} events "
            "of the warm-up have come; 'riverrun schema infer' makes one of a file"
        )
    return ShownSchema(name, stored.number, monitor["schema"]["inferred"], view.schema)
