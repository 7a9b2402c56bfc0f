"""Retraining in the store: what happened to runs, trained candidates and kept models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, and_, delete, func, insert, select, update

from stream.errors import CheckpointDamagedError
from stream.lifecycle.run import KeptModel, RunChange
from stream.storage.database import reading, writing
from stream.storage.requests import Requests
from stream.storage.seal import seal
from stream.storage.tables import models, run_changes, trainings

KEPT_RUNS = 1_000
"""Newest runs whose changes are kept; those whose models have served are kept for good."""


class Training(msgspec.Struct, frozen=True):
    """How far a training is.

    Parameters
    ----------
    run, epoch
        Which run, and the epoch of the worker that began it.
    state
        ``running``, ``done`` or ``failed``.
    at
        Seconds since the epoch, of the last word from it.
    progress
        Events done and to do, events per second, or why it failed.
    """

    run: int
    epoch: int
    state: str
    at: float
    progress: dict[str, Any]


class Runs(Requests):
    """The runs of one stream.

    Parameters
    ----------
    engine
        The store's.
    stream
        Whose they are.
    secret
        Signs and verifies models; None for digests only.
    """

    def write(
        self,
        connection: Connection,
        number: int,
        changes: Sequence[RunChange],
        kept: Sequence[KeptModel],
        now: float,
    ) -> None:
        """Write what came with a checkpoint."""
        if changes:
            rows = [
                {
                    "stream": self._stream,
                    "number": number,
                    "position": position,
                    "run": change.number,
                    "version": change.version,
                    "state": change.state,
                    "time": change.time,
                    "at": now,
                    "sentence": change.sentence,
                    "detail": change.detail,
                }
                for position, change in enumerate(changes)
            ]
            connection.execute(insert(run_changes), rows)
            self._forget_changes(connection, max(change.number for change in changes))
        # Of two in one checkpoint, as where people go to and fro, the last one counts.
        for model in {(model.version, model.moment): model for model in kept}.values():
            place = self._model_place(model.version, number, model.moment)
            connection.execute(
                insert(models).values(
                    stream=self._stream,
                    version=model.version,
                    number=number,
                    moment=model.moment,
                    at=now,
                    seal=seal(model.data, place, self._secret),
                    data=model.data,
                )
            )

    def _forget_changes(self, connection: Connection, newest: int) -> None:
        """Delete what happened to old runs, but where their models have served: it says why."""
        served = select(models.c.version).where(models.c.stream == self._stream)
        runs = run_changes.c.run.between(1, newest - KEPT_RUNS)  # 0: what people did by hand
        old = and_(runs, run_changes.c.version.not_in(served))
        connection.execute(delete(run_changes).where(run_changes.c.stream == self._stream, old))

    def go_back_to(self, connection: Connection, number: int) -> None:
        """Delete what came after a checkpoint."""
        for table in (run_changes, models):
            mine = and_(table.c.stream == self._stream, table.c.number > number)
            connection.execute(delete(table).where(mine))

    def changes(
        self,
        limit: int | None = 100,
        run: int | None = None,
        *,
        version: str | None = None,
        runs: tuple[int, int] | None = None,
    ) -> list[dict[str, Any]]:
        """Return what happened to runs, newest first.

        Parameters
        ----------
        limit
            How many at most.
        run, version
            Only of these.
        runs
            Only of the runs from the first to the second.
        """
        query = select(run_changes).where(run_changes.c.stream == self._stream)
        if run is not None:
            query = query.where(run_changes.c.run == run)
        if version is not None:
            query = query.where(run_changes.c.version == version)
        if runs is not None:
            query = query.where(run_changes.c.run.between(*runs))
        query = query.order_by(run_changes.c.number.desc(), run_changes.c.position.desc())
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]

    def since(self, number: int, limit: int) -> list[dict[str, Any]]:
        """Return what came with the checkpoints after one, oldest first."""
        query = select(run_changes).where(
            run_changes.c.stream == self._stream, run_changes.c.number > number
        )
        query = query.order_by(run_changes.c.number, run_changes.c.position).limit(limit)
        with reading(self._engine) as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def last(self) -> tuple[int, int]:
        """Return the largest number of a run, and of a version that one was to make; 0 for none."""
        columns = (run_changes.c.run, run_changes.c.version)
        query = select(*columns).where(run_changes.c.stream == self._stream).distinct()
        with reading(self._engine) as connection:
            rows = connection.execute(query).all()
        versions = [int(row.version.removeprefix("v")) for row in rows]
        return max((row.run for row in rows), default=0), max(versions, default=0)

    def kept(self) -> list[dict[str, Any]]:
        """Return what models are kept, oldest first: version, moment, when, and size in bytes."""
        columns = (models.c.version, models.c.moment, models.c.at, models.c.number)
        query = select(*columns, func.length(models.c.data).label("bytes"))
        query = query.where(models.c.stream == self._stream)
        with reading(self._engine) as connection:
            rows = connection.execute(query.order_by(models.c.number, models.c.moment.desc()))
            return [dict(row) for row in rows.mappings()]

    def model(self, version: str, moment: str | None = None) -> bytes | None:
        """Return a kept model of a version, the newest unless told otherwise; None for none.

        Parameters
        ----------
        version
            Its name.
        moment
            As it was then, the first time: ``promoted``, ``left`` or ``imported``.

        Raises
        ------
        CheckpointDamagedError
        """
        mine = and_(models.c.stream == self._stream, models.c.version == version)
        query = select(models).where(mine).order_by(models.c.number.desc(), models.c.moment)
        if moment is not None:
            query = select(models).where(mine, models.c.moment == moment).order_by(models.c.number)
        with reading(self._engine) as connection:
            row = connection.execute(query.limit(1)).one_or_none()
        if row is None:
            return None
        return self._verified(row, self._model_place(version, row.number, row.moment))

    def begin_training(self, run: int, epoch: int, now: float) -> None:
        """Take note that a training begins; what an older one had reached is forgotten.

        There is one at a time: that of a run that was called off, or overtaken, goes too.
        """
        mine = and_(trainings.c.stream == self._stream, trainings.c.run <= run)
        with writing(self._engine) as connection:
            connection.execute(delete(trainings).where(mine))
            values = {"stream": self._stream, "run": run, "epoch": epoch, "state": "running"}
            connection.execute(insert(trainings).values(**values, at=now, progress={}))

    def tell_training(
        self,
        run: int,
        epoch: int,
        state: str,
        progress: Mapping[str, Any],
        now: float,
        data: bytes | None = None,
    ) -> bool:
        """Write how far a training is; return whether it is still wanted.

        A training of an older epoch writes nothing: its worker is gone.
        """
        mine = and_(self._training(run), trainings.c.epoch == epoch)
        values: dict[str, Any] = {"state": state, "progress": dict(progress), "at": now}
        if data is not None:
            sealed = seal(data, self._candidate_place(run), self._secret)
            values |= {"data": data, "seal": sealed}
        with writing(self._engine) as connection:
            return connection.execute(update(trainings).where(mine).values(**values)).rowcount == 1

    def training(self, run: int) -> Training | None:
        """Return how far a training is, or None."""
        columns = [trainings.c[name] for name in Training.__struct_fields__]
        with reading(self._engine) as connection:
            row = connection.execute(select(*columns).where(self._training(run))).one_or_none()
        return None if row is None else Training(**row._asdict())

    def candidates(self, run: int) -> bytes:
        """Return what a training made.

        Raises
        ------
        CheckpointDamagedError
            Where it is damaged, or not there.
        """
        with reading(self._engine) as connection:
            row = connection.execute(select(trainings).where(self._training(run))).one_or_none()
        if row is None or row.data is None:
            raise CheckpointDamagedError(f"run {run} of {self._stream} left no candidates")
        return self._verified(row, self._candidate_place(run))

    def forget_training(self, run: int) -> None:
        """Delete what a training made: it was taken over, or is not wanted any more."""
        with writing(self._engine) as connection:
            connection.execute(delete(trainings).where(self._training(run)))

    def _training(self, run: int) -> Any:
        return and_(trainings.c.stream == self._stream, trainings.c.run == run)

    def _candidate_place(self, run: int) -> str:
        return f"{self._stream}/candidates/{run}"

    def _model_place(self, version: str, number: int, moment: str) -> str:
        return f"{self._stream}/model/{version}/{number}/{moment}"
