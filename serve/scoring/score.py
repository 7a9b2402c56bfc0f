"""A file of events through a model: each row predicted, checked as the worker would check it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from math import isnan
from typing import Any

from serve.scoring.model import Scorer
from serve.scoring.rows import ParquetRows
from serve.tabular.events import RowReader
from serve.tabular.files import TableFile
from stream.clock import Clock
from stream.errors import InputError
from stream.events import Decoder, Event
from stream.labels import LabelReader
from stream.learner import decide
from stream.recent import MAX_VALUE_BYTES
from stream.records import NewRecord, Record
from stream.step import features_hash
from stream.storage.precomputed import Scored
from stream.watching.losses import losses

BATCH = 5_000

Take = Callable[[Sequence[Scored]], None]
"""Takes some scored rows: to a file, to the store."""


@dataclass(slots=True)
class Summary:
    """What came of a file.

    Parameters
    ----------
    rows, scored, skipped
        Rows read; of these predicted, and left out because something is wrong with them.
    first_skipped
        What was wrong with the first one left out.
    labelled, correct, loss
        Rows with a label; of these the class was right (None for a task without classes), and the
        mean loss, as ``stream.watching.losses`` has it.
    """

    rows: int = 0
    scored: int = 0
    skipped: int = 0
    first_skipped: str | None = None
    labelled: int = 0
    correct: int | None = None
    loss: float | None = None

    def told(self) -> dict[str, Any]:
        """Return it as plain data."""
        return asdict(self)


def score(
    table: TableFile | ParquetRows,
    scorer: Scorer,
    clock: Clock,
    *,
    takes: Sequence[Take],
    limit: int | None = None,
    skip_bad: bool = False,
    show: Callable[[float, str], None] = lambda _done, _text: None,
) -> Summary:
    """Score the rows of a file.

    Parameters
    ----------
    table
        The file.
    scorer
        The model, and how it sees events.
    clock
        Tells when each batch was predicted.
    takes
        Are handed every batch, in order.
    limit
        Rows at most.
    skip_bad
        Leave rows out that cannot be used, instead of stopping there.
    show
        Told how far it is.

    Raises
    ------
    InputError
        A row cannot be used, or there is none.
    """
    summary, losses_seen = Summary(), _Losses(scorer)
    each = _events(table, scorer, clock, summary, limit=limit, skip_bad=skip_bad)
    while batch := list(islice(each, BATCH)):
        for take in takes:
            take(batch)
        losses_seen.add(batch)
        summary.scored += len(batch)
        show(table.position, f"{summary.scored:,}")
    if not summary.rows and limit != 0:
        raise InputError(f"{table.name}: there are no rows to score")
    losses_seen.tell(summary)
    return summary


def _events(
    table: TableFile | ParquetRows,
    scorer: Scorer,
    clock: Clock,
    summary: Summary,
    *,
    limit: int | None,
    skip_bad: bool,
) -> Iterator[Scored]:
    config = scorer.config
    now = round(clock.now() * 1000)
    reader = RowReader(config, "events", now)
    decoder = Decoder(config.event, LabelReader(config.model.task, config.model.classes))
    for line, read in islice(reader.each(table), limit):
        summary.rows += 1
        found = read if isinstance(read, InputError) else _one(read, line, decoder, scorer, now)
        if not isinstance(found, InputError):
            yield found
        elif not skip_bad:
            where = "" if str(found).startswith(table.name) else f"{table.name}, line {line}: "
            raise InputError(f"{where}{found}. Say --skip-bad to leave such rows out")
        else:
            summary.skipped += 1
            summary.first_skipped = summary.first_skipped or str(found)


def _one(
    record: NewRecord, line: int, decoder: Decoder, scorer: Scorer, now: int
) -> Scored | InputError:
    value, config = record.value or b"", scorer.config
    event = decoder.event(Record(record.topic, 0, line, now, record.key, value))
    if not isinstance(event, Event):
        return InputError(event.message)
    try:
        prediction = scorer.model.learner.predict(event.features)
    except Exception as error:  # noqa: BLE001 - a model may raise anything
        return InputError(f"line {line}: the model raised {type(error).__name__}: {error}")
    return Scored(
        id=str(line) if config.event.id is None else event.id,
        time=None if config.event.time is None else event.time,
        said_at=now,
        prediction=prediction,
        model_version=scorer.model.version,
        learned_offset=scorer.model.learned_offset,
        features_hash=features_hash(event.features),
        value=value if len(value) <= MAX_VALUE_BYTES else None,
        label=event.label,
    )


class _Losses:
    """Adds up what labels in the file say of the predictions."""

    def __init__(self, scorer: Scorer) -> None:
        self._task = scorer.config.model.task
        self._labelled = self._correct = self._with_loss = 0
        self._sum = 0.0

    def add(self, rows: Sequence[Scored]) -> None:
        pairs = [(one.label, one.prediction) for one in rows if one.label is not None]
        self._labelled += len(pairs)
        self._correct += sum(str(decide(self._task, said)) == str(label) for label, said in pairs)
        labels, said = [label for label, _ in pairs], [said for _, said in pairs]
        for loss in losses(self._task, labels, said).tolist() if pairs else []:
            if not isnan(loss):
                self._with_loss += 1
                self._sum += loss

    def tell(self, summary: Summary) -> None:
        summary.labelled = self._labelled
        if self._labelled and self._task in ("binary", "multiclass"):
            summary.correct = self._correct
        summary.loss = self._sum / self._with_loss if self._with_loss else None
