"""A schema from a file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from monitor.config import PaneConfig
from monitor.infer import infer_feature
from monitor.schema import Feature, Schema
from serve.cli.drift_choice import Choice
from serve.cli.drift_survey import survey
from serve.cli.schema_known import Known
from serve.tabular.sample import CELLS_MAX

_PANES_LEAST = 10


@dataclass(frozen=True, slots=True)
class InferredFile:
    """A schema, and how it came about.

    Parameters
    ----------
    schema
        Of the file.
    rows
        Of the file.
    left_out
        Columns that it ignores, and why.
    notes
        What a person should know.
    """

    schema: Schema
    rows: int
    left_out: Mapping[str, str]
    notes: tuple[str, ...]


def infer_file(
    path: Path,
    ignore: tuple[str, ...] = (),
    known: Known | None = None,
    *,
    cells_max: int = CELLS_MAX,
) -> InferredFile:
    """Infer a schema from a file.

    Parameters
    ----------
    path
        The file.
    ignore
        Columns to put under `ignored`, besides ids, times and what is no plain value.
    known
        What the stream's configuration says of them.
    cells_max
        Cells that are looked at; of a larger file these are evenly spaced rows.

    Returns
    -------
    InferredFile
        With each column either among the features or ignored.

    Raises
    ------
    InputError
        When the file cannot be used.
    """
    known = known or Known()
    choice = Choice(ignore=(*ignore, *known.left_out), types=known.types)
    found = survey(path, choice, cells_max=cells_max)
    Choice(ignore=ignore).refuse_unknown(found.columns, f"no row of {path.name}")
    left_out = {name: found.left_out[name] for name in found.columns if name in found.left_out}
    left_out |= {name: why for name, why in known.left_out.items() if name not in ignore}
    for name, trail in found.trails.items():
        if name not in left_out and trail.is_clock():
            left_out[name] = "rises all the time, as a clock or a counter does"
    # The missing rate is judged by the pane, so that it has to be learned by the pane.
    panes = max(_PANES_LEAST, found.sample.kept // PaneConfig().events)
    features = [
        _as_events_have_it(infer_feature(name, found.sample.column(name), panes=panes), known)
        for name in found.features
        if name not in left_out
    ]
    notes = list(known.notes)
    if found.sample.stride > 1:
        notes.append(f"{path.name} is large: one row in {found.sample.stride} was looked at")
    ignored = tuple(n for n in found.columns if n in left_out)
    return InferredFile(
        Schema(tuple(features), ignored=ignored), found.sample.rows, left_out, tuple(notes)
    )


def _as_events_have_it(feature: Feature, known: Known) -> Feature:
    """Take whole numbers for those with a fraction where the configuration makes them such."""
    whole = feature.type == "int" and known.types.get(feature.name) == "float"
    return replace(feature, type="float") if whole else feature
