"""``riverrun score``: predictions for a file of events, ahead of time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.console import print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel
from serve.cli.progress import progress_bar
from stream.errors import InputError

if TYPE_CHECKING:
    from serve.scoring.model import Scorer
    from stream.storage.precomputed import Scored
    from stream.storage.store import Store


def score(
    file: Annotated[
        Path,
        typer.Argument(help="A .csv, .tsv or .jsonl, also with .gz; a .parquet; - for stdin."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Also write a .csv, .jsonl or .parquet; - for stdout."),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option("--model", help="Score by a file of 'models export': no store, no broker."),
    ] = None,
    version: Annotated[
        str | None, typer.Option("--version", help="A version of the stream; default: it serves.")
    ] = None,
    no_store: Annotated[
        bool, typer.Option("--no-store", help="Do not keep the results for look-ups by id.")
    ] = False,
    limit: Annotated[
        int | None, typer.Option("--limit", min=0, help="Score the first so many rows only.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out, and count, rows that cannot be used.")
    ] = False,
    unsigned: Annotated[
        bool,
        typer.Option("--unsigned", help="With --model: take the file by its digest alone."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file of --out.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Predict every event of a file, and keep the results to be looked up by id.

    GET /v1/streams/STREAM/predictions/ID finds them, as of source "precomputed". With --model
    nothing but that file is needed, and the results go to --out alone. Nothing is learned, and
    nothing is appended to any topic.
    """
    from serve.cli.logs import configure_logs
    from serve.scoring.out import opened_out
    from serve.scoring.rows import opened_rows
    from serve.scoring.score import score as score_rows
    from stream.clock import SystemClock

    configure_logs(LogLevel.WARNING)
    to_stdout = out is not None and str(out) == "-"
    _refuse_nonsense(out, model, version, unsigned, to_stdout and as_json)
    if out is not None and not to_stdout and out.exists() and not force:
        raise InputError(f"{out} exists; say --force to replace it, or name another")
    started = time.monotonic()
    with _opened_scorer(config, model, version, unsigned) as (scorer, store):
        keeping = _Keeping(store, scorer) if store is not None and not no_store else None
        if keeping is None and out is None:
            raise InputError("the results go nowhere: leave --no-store out, or say --out FILE")
        with (
            opened_rows(file, scorer.config.event.time) as table,
            opened_out(out, scorer.config.model.task) as writer,
            progress_bar(f"scoring {file.name}", table.size or None) as show,
        ):
            takes = [take.write for take in (writer, keeping) if take is not None]
            try:
                summary = score_rows(
                    table, scorer, SystemClock(),
                    takes=takes, limit=limit, skip_bad=skip_bad, show=show,
                )  # fmt: skip
            except InputError as error:
                kept = 0 if keeping is None else keeping.stored
                raise InputError(f"{error}. {kept:,} rows before it were stored") from None
    seconds = time.monotonic() - started
    told = summary.told() | {
        "file": str(file),
        "out": None if out is None else str(out),
        "stored": 0 if keeping is None else keeping.stored,
        "forgotten": 0 if keeping is None else keeping.forgotten,
        "model_version": scorer.model.version,
        "learned_offset": scorer.model.learned_offset,
        "seconds": round(seconds, 3),
    }
    if as_json:
        print_json(told)
    else:
        _tell(told, say if to_stdout else typer.echo)


class _Keeping:
    """Stores results to be looked up."""

    def __init__(self, store: Store, scorer: Scorer) -> None:
        config = scorer.config
        if config.event.id is None:
            raise InputError(
                "results are looked up by the event's id, and event.id is not configured; set it, "
                "or say --no-store --out FILE"
            )
        self._store = store.precomputed
        self._keep = config.predictions.precomputed
        self.stored = self.forgotten = 0

    def write(self, rows: Sequence[Scored]) -> None:
        self.forgotten += self._store.add(rows, self._keep)
        self.stored += len(rows)


@contextmanager
def _opened_scorer(
    config: Path, model: Path | None, version: str | None, unsigned: bool
) -> Iterator[tuple[Scorer, Store | None]]:
    """Open what scores, and the store it came from."""
    from serve.compose import read_secrets
    from serve.scoring.model import scorer_from_file, scorer_from_store

    secrets = read_secrets(os.environ)
    if model is not None:
        yield scorer_from_file(model, secrets.signing, unsigned=unsigned), None
        return
    from serve.status_reading import newest_of, store_to_read
    from stream.load_config import load_config

    settings = load_config(config)
    with store_to_read(settings, secrets) as store:
        newest_of(store, settings)
        yield scorer_from_store(store, settings, version), store


def _refuse_nonsense(
    out: Path | None, model: Path | None, version: str | None, unsigned: bool, both: bool
) -> None:
    if model is not None and version is not None:
        raise InputError("--model holds one version; leave --version out")
    if model is None and unsigned:
        raise InputError("--unsigned is for a file: give it with --model")
    if model is not None and out is None:
        raise InputError("with --model the results go to a file: say --out FILE, or --out -")
    if both:
        raise InputError("--out - and --json would both write to standard output; choose one")


def _tell(told: dict[str, Any], tell: Any) -> None:
    pace = told["scored"] / max(told["seconds"], 1e-9)
    tell(
        f"scored {told['scored']:,} events by {told['model_version']} in {told['seconds']:.1f} s "
        f"({pace:,.0f}/s)"
    )
    if told["stored"]:
        gone = f"; the oldest {told['forgotten']:,} were forgotten" if told["forgotten"] else ""
        tell(f"stored {told['stored']:,}, to be looked up by id{gone}")
    if told["out"] not in (None, "-"):
        tell(f"wrote {told['out']}")
    if told["labelled"]:
        loss = "" if told["loss"] is None else f", mean loss {told['loss']:.4f}"
        right = f", {told['correct']:,} right" if told["correct"] is not None else ""
        tell(f"labels of {told['labelled']:,}{right}{loss}")
    if told["skipped"]:
        tell(f"left out {told['skipped']:,}; the first: {told['first_skipped']}")
