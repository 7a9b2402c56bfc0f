"""The configuration of a replay: given, beside the file, or guessed from it."""

from __future__ import annotations

import tomllib
from pathlib import Path

from serve.cli.init_text import config_text
from serve.cli.options import DEFAULT_CONFIG
from serve.tabular.columns import read_columns
from serve.tabular.files import STDIN, TableFile
from serve.tabular.guess import default_name, guess
from stream.config import Config
from stream.errors import InputError
from stream.load_config import build_config, load_config

_WARM_UP = (500, 10_000)
_SHARE = 10


def find_config(file: Path | None, given: Path | None) -> tuple[Config | None, str]:
    """Return the configuration that was given or lies beside the file, and its name.

    Raises
    ------
    InputError, ConfigError
    """
    if file == STDIN:
        raise InputError("a history is read from a file by its name, not from standard input")
    path = given or (DEFAULT_CONFIG if file is None else file.parent / DEFAULT_CONFIG)
    if file is not None and given is None and not path.exists():
        return None, ""
    return load_config(path), str(path)


def guess_config(file: Path, now: int) -> tuple[Config, list[str]]:
    """Guess the configuration of a file as ``riverrun init`` does.

    The monitor warms up on a tenth of the rows that were looked at, so that there is something to
    see in a small file.

    Parameters
    ----------
    file
        With a header.
    now
        Milliseconds since the epoch.

    Returns
    -------
    tuple
        The configuration, and what was assumed.

    Raises
    ------
    InputError
    """
    with TableFile(file) as table:
        columns = read_columns(table)
    found = guess(columns, name=str(file), now=now)
    text = config_text(found, default_name(file), file.name, columns[0].rows)
    tables = tomllib.loads(text)
    rows = columns[0].rows
    least, most = _WARM_UP
    tables["monitor"] = {"warmup_events": min(most, max(least, rows // _SHARE))}
    config = build_config(tables, f"the guess from {file.name}")
    left_out = [f"{column!r} is left out: it {why}" for column, why in found.skipped.items()]
    return config, [
        f"there is no {DEFAULT_CONFIG} beside {file.name}: guessed as riverrun init does",
        *found.notes,
        *left_out,
        f"pipeline: {config.model.pipeline}",
    ]
