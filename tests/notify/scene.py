"""Checkpoints, happenings and changes of runs, written as a worker writes them."""

from __future__ import annotations

from typing import Any

from stream.checkpoint import Snapshot
from stream.lifecycle.run import RunChange
from stream.storage.store import Identity, Store

IDENTITY = Identity("f.f", 2, {"river": "0"})


class Writer:
    """Commits what happened, with the monitor in a state."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.claim = store.claim("me", 0.0)
        self.number = self.claim.last_number

    def commit(
        self,
        at: float,
        *happened: tuple[str, dict[str, Any]],
        state: str = "OK",
        changes: tuple[RunChange, ...] = (),
        version: str = "v1",
        **parts: Any,
    ) -> None:
        self.number += 1
        self.store.commit(
            self.claim,
            self.number,
            Snapshot({"t-0": 1}, version, {"model": b"model"}, {}, run_changes=changes, **parts),
            status={"monitor": {"state": state}, "counts": {}},
            identity=IDENTITY,
            reason="test",
            now=at,
            keep=3,
            replace=False,
            happened=happened,
        )


def pane(number: int, state: str, *wanted: str, **signals: float) -> tuple[str, dict[str, Any]]:
    """Return the happening of a closed pane."""
    return "pane", {
        "time": number * 1_000,
        "wanted": list(wanted),
        "pane": number,
        "state": state,
        "signals": {"error_fraction": 0.0, "value_skew": 0.0, "concept": 0.0} | signals,
        "alarms": ["amount", "country"],
        "anomalies": [],
    }


def change(run: int, state: Any, sentence: str = "Because.", **detail: Any) -> RunChange:
    """Return a change of a run."""
    return RunChange(run, f"v{run + 1}", state, 5_000, sentence, detail)
