"""The measurement of false alarms on a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from monitor.bins import fit_bins
from monitor.config import SkewConfig
from monitor.layout import ColumnLayout, Layout
from monitor.placebo import PANES_LEAST, Resample, placebo
from monitor.reference import Reference
from serve.cli.drift_choice import Choice
from serve.cli.drift_survey import Survey, survey
from serve.cli.progress import progress_bar
from stream.errors import InputError

_ALARMS_WANTED = 10
_PANES = (1_000, 20_000)
_PARTS = 20
_PART_LEAST = 200
_CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True)
class PlaceboRun:
    """What was measured.

    Parameters
    ----------
    name, rows
        The file.
    columns
        How many were tested.
    resample
        What was drawn.
    pool
        Panes of the reference.
    pane_events
        Events in each.
    panes, alarms
        Panes that were tested, and those with an alarm.
    stated
        The budget, in alarms per pane.
    low, high
        95 % interval of the achieved rate.
    by_column
        Panes in which a column was in alarm.
    left_out
        Columns that were not tested, and why.
    """

    name: str
    rows: int
    columns: int
    resample: Resample
    pool: int
    pane_events: int
    panes: int
    alarms: int
    stated: float
    low: float
    high: float
    by_column: Mapping[str, int]
    left_out: Mapping[str, str]

    @property
    def achieved(self) -> float:
        """Alarms per pane."""
        return self.alarms / self.panes


def poisson_interval(count: int, confidence: float = _CONFIDENCE) -> tuple[float, float]:
    """Give the exact interval of a Poisson mean.

    Garwood 1936, Biometrika 28.

    Parameters
    ----------
    count
        What was counted.
    confidence
        Of the interval.

    Returns
    -------
    tuple of float
        Lower and upper limit of the mean.

    Examples
    --------
    >>> [round(limit, 2) for limit in poisson_interval(10)]
    [4.8, 18.39]
    """
    tail = (1 - confidence) / 2
    low = stats.chi2.ppf(tail, 2 * count) / 2 if count else 0.0
    return float(low), float(stats.chi2.ppf(1 - tail, 2 * count + 2) / 2)


def run_placebo(
    path: Path,
    choice: Choice,
    config: SkewConfig,
    resample: Resample,
    *,
    panes: int | None,
    pane_events: int,
    seed: int,
) -> PlaceboRun:
    """Measure on a file.

    Parameters
    ----------
    path
        The file, in the order of time.
    choice
        The columns.
    config
        Budget and spans.
    resample
        What is drawn.
    panes
        How many are tested; None for enough to see ten alarms.
    pane_events
        Events in a pane.
    seed
        Of the draws.

    Returns
    -------
    PlaceboRun
        The rate, and where it comes from.

    Raises
    ------
    InputError
        The file cannot be used, or is too short.
    """
    found = survey(path, choice, last=True)
    choice.refuse_unknown(found.columns, f"no row of {path.name}")
    left_out = dict(found.left_out)
    for name, trail in found.trails.items():
        if name in found.features and name not in choice.columns and trail.is_clock():
            left_out[name] = "rises all the time, as a clock or a counter does"
    reference = _reference(found, left_out, config, pane_events)
    pool = len(reference.panes)
    if pool < PANES_LEAST:
        needed = PANES_LEAST * pane_events
        raise InputError(
            f"{path}: found {found.sample.rows:,} rows; {needed:,} are needed for {PANES_LEAST} "
            f"panes of {pane_events:,} events; give more, or smaller panes with --pane-events"
        )
    total = panes or round(min(max(_ALARMS_WANTED / config.budget, _PANES[0]), _PANES[1]))
    alarms, by_column = _measure(reference, config, resample, total, seed)
    low, high = poisson_interval(alarms)
    return PlaceboRun(
        name=path.name,
        rows=found.sample.rows,
        columns=len(reference.layout.columns),
        resample=resample,
        pool=pool,
        pane_events=pane_events,
        panes=total,
        alarms=alarms,
        stated=config.budget,
        low=low / total,
        high=min(1.0, high / total),
        by_column=dict(by_column.most_common()),
        left_out=left_out,
    )


def _reference(
    found: Survey, left_out: Mapping[str, str], config: SkewConfig, pane_events: int
) -> Reference:
    columns, layouts = {}, []
    for name, feature in found.features.items():
        if name not in left_out:
            column = columns["feature", name] = found.checked(name)
            bins = fit_bins(column, feature, bins=config.bins, categories=config.categories)
            layouts.append(ColumnLayout(name, "feature", bins))
    if not layouts:
        raise InputError(f"{found.path}: no column is left to test; name some in --columns")
    return Reference.of_columns(Layout(tuple(layouts)), columns, pane_events)


def _measure(
    reference: Reference, config: SkewConfig, resample: Resample, total: int, seed: int
) -> tuple[int, Counter[str]]:
    """Test panes in parts, each with draws of its own, so that progress can be shown."""
    part, done, alarms = max(_PART_LEAST, total // _PARTS), 0, 0
    by_column: Counter[str] = Counter()
    with progress_bar("testing panes", total) as show:
        while done < total:
            size = min(part, total - done)
            found = placebo(
                reference, config, resample=resample, panes=size, seed=seed * 1_000_003 + done
            )
            alarms += found.alarms
            by_column.update(dict(found.by_column))
            done += size
            show(done, f"{done:,} panes, {alarms} alarms")
    return alarms, by_column
