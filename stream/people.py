"""What people ask of the worker, and what the clock asks in their place."""

from __future__ import annotations

import pickle
from typing import Any

import msgspec
import structlog

from monitor.errors import DamagedError
from stream.clock import Clock
from stream.config import Config
from stream.errors import RiverrunError
from stream.learner import Learner
from stream.lifecycle.lifecycle import Lifecycle
from stream.lifecycle.live import by_schedule, fail, put_in_place, request, take_in
from stream.lifecycle.run import Request
from stream.line import Line
from stream.storage.requests import StoredRequest
from stream.storage.store import Store
from stream.versions import pipeline_of, served_before
from stream.watching.state import read_reference

_log = structlog.get_logger("riverrun.people")

_LOOK_SECONDS = 1.0

REFUSED = "refused"
"""How the answer to a request begins that was not carried out."""


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
    is_of_all
        Whether requests to a divided stream are heard: by its coordinator, not by its shards.

    Attributes
    ----------
    answers
        By a request's id, what became of it, since the last checkpoint.
    """

    def __init__(
        self, store: Store, config: Config, clock: Clock, *, is_of_all: bool = False
    ) -> None:
        self._is_on = is_of_all or config.stream.shards == "all"
        self.answers: dict[int, str] = {}
        self._store = store
        self._schedule = config.retrain.schedule
        self._clock = clock
        self._looked = float("-inf")

    def tick(self, line: Line) -> bool:
        """Do what was asked since the last look; return whether there was anything."""
        now = self._clock.monotonic()
        if not self._is_on or now - self._looked < _LOOK_SECONDS:
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
        lifecycle = line.lifecycle
        if lifecycle is None:
            return f"{REFUSED}: this worker retrains nothing (monitor.enabled, retrain.enabled)"
        reason = str(asked.detail.get("reason", ""))
        if asked.kind == "retrain":
            wanted = Request("person", {}, reason or "somebody asked", asked.by)
            if request(line, wanted):
                return f"run {lifecycle.runs} began"
            return f"added to run {lifecycle.runs}, which is under way"
        if asked.kind == "cancel":
            return _cancel(line, asked, reason)
        if asked.kind == "promote":
            return self._promote(line, str(asked.detail.get("version")), asked.by, reason)
        if asked.kind == "rollback":
            version = served_before(self._changes(lifecycle), line.version)
            if version is None:
                return f"{REFUSED}: nothing served before {line.version}"
            return self._promote(line, version, asked.by, reason)
        if asked.kind == "import":
            return self._import(line, asked, reason)
        return f"{REFUSED}: unknown request {asked.kind!r}"

    def _promote(self, line: Line, version: str, by: str, reason: str) -> str:
        lifecycle = line.lifecycle
        if version == line.version:
            return f"{version} serves already"
        try:
            learner = _former(line, version) or self._kept(version)
            stored = self._store.history.reference(version)
            reference = None if stored is None else read_reference(stored)
        except (RiverrunError, DamagedError) as error:
            return f"{REFUSED}: {error}"
        if learner is None or lifecycle is None:
            return f"{REFUSED}: no model of {version} was kept"
        pipeline = pipeline_of(self._changes(lifecycle), version)
        put_in_place(line, version, learner, by, reason, reference=reference, pipeline=pipeline)
        return f"{version} serves"

    def _kept(self, version: str) -> Learner | None:
        data = self._store.runs.model(version)
        if data is None:
            return None
        learner: Learner = pickle.loads(data)  # noqa: S301 (the store verified it)
        return learner

    def _import(self, line: Line, asked: StoredRequest, reason: str) -> str:
        try:
            brought = self._store.runs.brought(asked.id)
        except RiverrunError as error:
            return f"{REFUSED}: {error}"
        if brought is None:
            return f"{REFUSED}: its model is not in the store"
        detail = {**asked.detail, "by": asked.by, "reason": reason}
        return f"{take_in(line, *brought, detail)} was imported"

    def _changes(self, lifecycle: Lifecycle) -> list[dict[str, Any]]:
        """Return what happened to runs, newest first, with what is not committed yet."""
        new = [msgspec.to_builtins(change) for change in reversed(lifecycle.changes)]
        return new + self._store.runs.changes(limit=None)


def _former(line: Line, version: str) -> Learner | None:
    """Return the former champion that is in its shadow: it has learned on since it left."""
    shadows = line.lifecycle.shadows if line.lifecycle is not None else []
    for shadow in shadows:
        if shadow.role == "former" and shadow.version == version and shadow.failed is None:
            return shadow.learner
    return None


def _cancel(line: Line, asked: StoredRequest, reason: str) -> str:
    lifecycle = line.lifecycle
    run = lifecycle.run if lifecycle is not None and lifecycle.is_busy else None
    wanted = asked.detail.get("run")
    if run is None:
        return f"{REFUSED}: no run is under way that could be called off"
    if wanted is not None and wanted != run.number:
        return f"{REFUSED}: run {wanted} is not under way, run {run.number} is"
    fail(line, f"Called off by {asked.by}: {reason}", "cancelled")
    return f"run {run.number} was called off"
