"""Which columns are compared, and why the others are not."""

from __future__ import annotations

import csv
import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stream.errors import InputError

if TYPE_CHECKING:
    from monitor.schema import Feature, FeatureType, Schema


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person said about the columns.

    Parameters
    ----------
    columns
        Compare these and no others, also ids and times; empty for all.
    ignore
        Leave these out.
    schema
        Compare its features, as what it declares them.
    types
        What further columns hold.
    """

    columns: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    schema: Schema | None = None
    types: Mapping[str, FeatureType] = field(default_factory=dict)

    def why_not(self, name: str) -> str | None:
        """Say why a column is left out; None where it is compared, empty where nobody asks."""
        if name in self.ignore:
            return "ignored, as asked"
        if self.columns:
            return None if name in self.columns else ""
        if self.schema is None or name in self.schema.names:
            return None
        return "ignored in the schema" if name in self.schema.ignored else "not in the schema"

    def declared(self) -> dict[str, Feature]:
        """Give the features of the schema, as loose as a comparison of values wants them.

        An integer may turn into a number with a fraction, and what is off the bounds or the domain
        is compared all the same: the check of the schema is another command.
        """
        from monitor.schema import Feature

        features = self.schema.features if self.schema else ()
        typed = {name: Feature(name, kind, required=False) for name, kind in self.types.items()}
        return typed | {
            feature.name: replace(
                feature,
                type="float" if feature.numeric else feature.type,
                required=False,
                minimum=None,
                maximum=None,
                domain=None,
            )
            for feature in features
        }

    def refuse_unknown(self, known: Collection[str], where: str) -> None:
        """Refuse names that no file has.

        Parameters
        ----------
        known
            The columns that are there.
        where
            What has them, as the subject of a sentence that denies it.

        Raises
        ------
        InputError
            With the name that was perhaps meant.
        """
        for option, names in (("--columns", self.columns), ("--ignore", self.ignore)):
            for name in names:
                if name not in known:
                    close = difflib.get_close_matches(name, known, n=1)
                    hint = f"did you mean {close[0]!r}?" if close else f"there are: {some(known)}"
                    raise InputError(f"{option}: {where} has a column {name!r}; {hint}")


def some(names: Iterable[str], limit: int = 12) -> str:
    """Give names as a list for reading, cut where it gets long.

    Examples
    --------
    >>> some(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    found = list(names)
    more = f" and {len(found) - limit} more" if len(found) > limit else ""
    return ", ".join(found[:limit]) + more


def split_names(text: str | None) -> tuple[str, ...]:
    """Read names that are separated by commas; one with a comma in it stands in quotes.

    Examples
    --------
    >>> split_names('a, b,"c, d"')
    ('a', 'b', 'c, d')
    """
    if text is None:
        return ()
    rows = csv.reader([text], skipinitialspace=True)
    return tuple(dict.fromkeys(name.strip() for row in rows for name in row if name.strip()))


def read_schema(path: Path | None) -> Schema | None:
    """Read a schema's file.

    Parameters
    ----------
    path
        A `schema.toml`, or None.

    Returns
    -------
    Schema or None
        None for None.

    Raises
    ------
    InputError
        When it is missing or wrong; the message names the key.
    """
    from monitor.errors import SchemaError
    from monitor.schema_text import schema_from_toml

    if path is None:
        return None
    try:
        return schema_from_toml(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; make one with 'riverrun schema infer SAMPLE --output {path}'"
        ) from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; name a schema.toml") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save it as UTF-8") from None
    except SchemaError as error:
        raise InputError(f"{path}: {error}") from None
