"""Files reduced to counts: the reference, and what is compared with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from monitor.arrays import IntArray
from monitor.bins import Bins, fit_bins
from monitor.columns import Column, check
from monitor.config import SkewConfig
from monitor.schema import Feature
from serve.cli.drift_choice import Choice
from serve.cli.drift_survey import Survey, kept_words, no_rows
from serve.cli.progress import progress_bar
from serve.tabular.kinds import Kinds, as_list
from serve.tabular.roles import Trail
from serve.tabular.table import Batch, Table, Values

NAMES_MAX = 100_000
"""Different strings of a column that are known by name."""

_NONE = np.zeros(0, dtype=np.int64)


class CountedColumn:
    """A column of a file as counts.

    Parameters
    ----------
    feature
        What it holds.
    bins
        How its values become cells.

    Attributes
    ----------
    counts
        Shape (bins.size + 2,): own cells, missing, not usable.
    names
        Of a column of strings: how often each comes.
    names_cut
        Whether there were too many of them.
    trail
        Whether it rises all the time.
    present
        Whether the file has such a column at all.

    Examples
    --------
    >>> feature = Feature("x", "float")
    >>> bins = fit_bins(Column(np.arange(100.0), None), feature, bins=2)
    >>> column = CountedColumn(feature, bins)
    >>> column.count([1.0, 99.0, 98.0, None])
    >>> column.counts.tolist()
    [1, 2, 1, 0]
    """

    def __init__(self, feature: Feature, bins: Bins) -> None:
        self.feature = feature
        self.bins = bins
        self.counts: IntArray = np.zeros(bins.size + 2, dtype=np.int64)
        self.names: Counter[str] = Counter()
        self.names_cut = False
        self.trail = Trail()
        self.present = False

    def count(self, values: Values) -> None:
        """Count some values."""
        if not self.feature.numeric:
            values = as_list(values)
        column = check(values, self.feature)
        self.add(column, self.bins.counts(column))

    def add(self, column: Column, counts: IntArray) -> None:
        """Add values that were counted elsewhere."""
        self.present = True
        self.counts += counts
        if self.feature.type == "string":
            if len(self.names) <= NAMES_MAX:
                self.names.update(value for value in column.values if value is not None)
            else:
                self.names_cut = True

    def count_missing(self, rows: int) -> None:
        """Count rows in which the column is absent."""
        self.counts[self.bins.size] += rows


class CountedFile:
    """A file as counts.

    Parameters
    ----------
    path
        The file.

    Attributes
    ----------
    rows
        How many it has.
    names
        All its columns.
    columns
        Those that were counted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self.names: tuple[str, ...] = ()
        self.columns: dict[str, CountedColumn] = {}


def count_reference(found: Survey, choice: Choice, config: SkewConfig) -> CountedFile:
    """Fit bins to the sample of a reference, and count all of its rows.

    Parameters
    ----------
    found
        What the first reading gave. The file is read again where not all rows were kept.
    choice
        The columns.
    config
        Bins and categories.

    Returns
    -------
    CountedFile
        Counts by column.
    """
    file = CountedFile(found.path)
    file.rows, file.names = found.sample.rows, found.columns
    for name, feature in found.features.items():
        column = found.checked(name)
        bins = fit_bins(column, feature, bins=config.bins, categories=config.categories)
        counted = file.columns[name] = CountedColumn(feature, bins)
        counted.add(column, bins.reference_counts(column, _NONE)[0])
        counted.trail = found.trails[name]
    if found.sample.stride > 1:
        _count(file, choice, stride=found.sample.stride)
    return file


def count_current(path: Path, reference: CountedFile, choice: Choice) -> CountedFile:
    """Count the rows of a file with the bins of a reference.

    Parameters
    ----------
    path
        The file.
    reference
        For the bins.
    choice
        The columns.

    Returns
    -------
    CountedFile
        Counts of the same columns.

    Raises
    ------
    InputError
        When it cannot be read, or has no row.
    """
    file = CountedFile(path)
    file.columns = {n: CountedColumn(c.feature, c.bins) for n, c in reference.columns.items()}
    _count(file, choice, stride=0)
    return file


def _count(file: CountedFile, choice: Choice, *, stride: int) -> None:
    """Count a file, but for every stride-th row where these were counted already."""
    declared = {name: column.feature.type for name, column in file.columns.items()}
    with Table(file.path) as table, progress_bar(f"counting {file.path.name}", table.size) as show:
        kinds = Kinds(declared, table.is_text, kept_words(choice))
        for batch in table.batches():
            skipped = np.arange(-batch.start % stride, batch.rows, stride) if stride else _NONE
            _count_batch(file.columns, kinds.read(batch, file.columns), batch, skipped)
            file.rows = batch.start + batch.rows
            show(table.position, f"{file.rows:,} rows")
    file.names = (*table.columns, *table.refused)
    if not file.rows:
        raise no_rows(table)


def _count_batch(
    columns: Mapping[str, CountedColumn],
    found: Mapping[str, Values],
    batch: Batch,
    skipped: IntArray,
) -> None:
    for name, column in columns.items():
        if name not in found:
            column.count_missing(batch.rows - len(skipped))
        elif len(skipped):
            column.count(_without(found[name], batch.rows, skipped))
        else:
            column.trail.follow(found[name])
            column.count(found[name])


def _without(values: Values, rows: int, skipped: IntArray) -> Values:
    if isinstance(values, np.ndarray):
        return np.delete(values, skipped)
    kept = np.ones(rows, dtype=np.bool_)
    kept[skipped] = False
    return [values[at] for at in np.flatnonzero(kept).tolist()]
