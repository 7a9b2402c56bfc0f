"""The first reading of a file: what its columns hold, and as many rows as can be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from monitor.columns import Column, check
from monitor.schema import Feature
from serve.cli.drift_choice import Choice
from serve.cli.progress import progress_bar
from serve.tabular.kinds import Kind, Kinds
from serve.tabular.roles import Trail, role_of
from serve.tabular.sample import CELLS_MAX, Sample
from serve.tabular.table import Table, Values
from stream.errors import InputError


@dataclass(slots=True)
class Survey:
    """What one reading of a file gives.

    Parameters
    ----------
    path, columns
        The file and all its columns.
    sample
        Rows of it.
    features
        The columns that can be compared, and what they hold.
    trails
        Whether they rise all the time.
    left_out
        Columns that are not compared, and why.
    """

    path: Path
    columns: tuple[str, ...]
    sample: Sample
    features: dict[str, Feature]
    trails: dict[str, Trail]
    left_out: dict[str, str]

    def checked(self, name: str) -> Column:
        """Give the sample's values of a column, checked."""
        return check(self.sample.column(name), self.features[name])


def survey(path: Path, choice: Choice, *, last: bool = False, cells_max: int = CELLS_MAX) -> Survey:
    """Read a file once.

    Parameters
    ----------
    path
        The file.
    choice
        The columns.
    last
        If not all rows can be kept, keep the last ones, not evenly spaced ones.
    cells_max
        As for `Sample`.

    Returns
    -------
    Survey
        With one row at least.

    Raises
    ------
    InputError
        When it cannot be read, or has no row.
    """
    declared = choice.declared()
    sample, trails = Sample(cells_max=cells_max, last=last), dict[str, Trail]()
    roles: dict[str, str] = {}
    with Table(path) as table, progress_bar(f"reading {path.name}", table.size) as show:
        kinds = Kinds({n: f.type for n, f in declared.items()}, table.is_text, kept_words(choice))
        for batch in table.batches():
            wanted = [n for n in batch.columns if choice.why_not(n) is None and n not in roles]
            columns = kinds.read(batch, wanted)
            if batch.start == 0:
                roles = _roles(columns, kinds, choice, table.times)
                columns = {name: values for name, values in columns.items() if name not in roles}
            for name, values in columns.items():
                trails.setdefault(name, Trail()).follow(values)
            sample.add(batch.start, batch.rows, columns)
            show(table.position, f"{batch.start + batch.rows:,} rows")
    if not sample.rows:
        raise no_rows(table)
    left_out = {name: why for name in table.columns if (why := choice.why_not(name))}
    left_out |= roles | {n: why for n, why in table.refused.items() if choice.why_not(n) is None}
    left_out |= {n: f"not in {path.name}" for n in declared if n not in table.columns}
    features = {
        name: declared.get(name) or _feature(name, kinds.found.get(name, "any"))
        for name in table.columns
        if name in trails
    }
    names = (*table.columns, *table.refused)
    return Survey(path, names, sample, features, trails, left_out)


def no_rows(table: Table) -> InputError:
    """Give the error of a file without rows."""
    found = "only the line of column names" if table.is_text else "no rows"
    return InputError(f"{table.name}: found {found}; a file with rows is needed")


def kept_words(choice: Choice) -> Mapping[str, tuple[str, ...]]:
    """Give the categories that a schema declares, by feature: they are values, also ``NA``."""
    features = choice.schema.features if choice.schema else ()
    return {feature.name: feature.domain or () for feature in features}


def _roles(
    columns: Mapping[str, Values], kinds: Kinds, choice: Choice, times: set[str]
) -> dict[str, str]:
    """Find columns that are left out for what they are, unless they were asked for by name."""
    found = {}
    for name, values in columns.items():
        if name not in choice.columns:
            role = role_of(name, kinds.found.get(name, "any"), values)
            role = "holds times" if name in times else role
            if role is not None:
                found[name] = role
    return found


def _feature(name: str, kind: Kind) -> Feature:
    return Feature(name, "float" if kind == "int" else kind, required=False)
