"""``riverrun labels``: whose word is wanted, and who disagrees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from serve.cli.asking import opened_stream
from serve.cli.console import output, print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from serve.cli.printable import printable

_EVENT_SHOWN, _CELL_MAX = 80, 512


def labels_wanted(
    budget: Annotated[
        int | None,
        typer.Option("--budget", min=1, max=1_000, help="How many labels there is time for."),
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the predictions most worth a person's label: the model is least sure of them.

    They are of the newest checkpoint and wait for their label. Give it with 'riverrun produce
    FILE --to labels' or POST /v1/streams/STREAM/labels.
    """
    from serve.api.labels.reading import wanted_labels

    with opened_stream(config) as (store, settings):
        found = wanted_labels(store, settings, budget)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if found.note is not None:
        say(found.note)
        return
    rows = [
        (
            one.id,
            f"{one.uncertainty:.3f}",
            str(one.prediction),
            _stated(one.probabilities),
            _short(one.event),
        )
        for one in found.wanted
    ]
    _table(("id", "uncertainty", "prediction", "probabilities", "event"), rows)
    say(f"{len(rows)} of {found.waiting:,} predictions that wait for a label")


def labels_conflicts(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1_000, help="How many at most.")] = 20,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List labels that contradict each other: who said what, when, and which one was learned."""
    from serve.api.labels.reading import label_conflicts

    with opened_stream(config) as (store, settings):
        found = label_conflicts(store, settings, limit)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    rows = [(one.id, *_said(one.learned), *_said(one.said)) for one in found.conflicts]
    if rows:
        _table(("id", "learned", "by", "at", "said too", "by", "at"), rows)
    say(f"{found.counted:,} conflicts so far; {found.kept:,} are kept")


def _said(opinion: Any) -> tuple[str, str, str]:
    at = "" if opinion.at is None else f"{opinion.at:%Y-%m-%d %H:%M:%S}"
    return str(opinion.label), opinion.by or "-", at


def _stated(probabilities: dict[str, float] | None) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in (probabilities or {}).items())


def _short(event: dict[str, Any] | None) -> str:
    if event is None:
        return ""
    text = ", ".join(f"{name}={value}" for name, value in event.items())
    return text if len(text) <= _EVENT_SHOWN else f"{text[:_EVENT_SHOWN]}..."


def _table(titles: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell, _CELL_MAX)) for cell in row))
    output().print(table)
