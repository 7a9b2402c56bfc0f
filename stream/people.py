"""What people ask of the worker, and what the clock asks in their place."""

from __future__ import annotations

import pickle

import structlog

from stream.clock import Clock
from stream.config import Config
from stream.errors import RiverrunError
from stream.lifecycle.live import by_schedule, fail, put_in_place, request
from stream.lifecycle.run import Request
from stream.line import Line
from stream.storage.runs import StoredRequest
from stream.storage.store import Store

_log = structlog.get_logger("riverrun.people")

_LOOK_SECONDS = 1.0


class People:
    """Carries out requests; they are answered with the checkpoint in which they came true.

    Parameters
    ----------
    store
        Where requests are left.
    config
        The stream's.
    clock
        For the schedule.

    Attributes
    ----------
    answers
        By a request's id, what became of it, since the last checkpoint.
    """

    def __init__(self, store: Store, config: Config, clock: Clock) -> None:
        self.answers: dict[int, str] = {}
        self._store = store
        self._schedule = config.retrain.schedule
        self._clock = clock
        self._looked = float("-inf")

    def tick(self, line: Line) -> bool:
        """Do what was asked since the last look; return whether there was anything."""
        now = self._clock.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return False
        self._looked = now
        acted = by_schedule(line, self._schedule, self._clock.now())
        for asked in self._store.runs.asked():
            if asked.id not in self.answers:
                self.answers[asked.id] = outcome = self._carry_out(line, asked)
                _log.info("asked", kind=asked.kind, by=asked.by, outcome=outcome)
                acted = True
        return acted

    def _carry_out(self, line: Line, asked: StoredRequest) -> str:
        reason = str(asked.detail.get("reason", ""))
        if asked.kind == "retrain":
            wanted = Request("person", {}, reason or "somebody asked", asked.by)
            if request(line, wanted):
                run = line.lifecycle.run if line.lifecycle is not None else None
                return f"run {run.number} began" if run is not None else "no run began"
            return "added to the run that is under way"
        if asked.kind == "cancel":
            fail(line, f"Called off by {asked.by}: {reason}", "cancelled")
            return "called off"
        if asked.kind == "promote":
            return self._promote(line, str(asked.detail.get("version")), asked.by, reason)
        return f"unknown request {asked.kind!r}"

    def _promote(self, line: Line, version: str, by: str, reason: str) -> str:
        if version == line.version:
            return f"{version} serves already"
        try:
            data = self._store.runs.model(version)
        except RiverrunError as error:
            return f"refused: {error}"
        if data is None:
            return f"refused: no model of {version} was kept"
        learner = pickle.loads(data)  # noqa: S301 (the store verified it)
        put_in_place(line, version, learner, by, reason)
        return f"{version} serves"
