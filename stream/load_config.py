"""Reading the configuration: the file, the environment, and every mistake in one message."""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from stream.config import Config
from stream.errors import ConfigError, Problem
from stream.redact import without_paths, without_secrets


def load_config(path: Path) -> Config:
    """Read a configuration file and the environment.

    Parameters
    ----------
    path
        The TOML file.

    Raises
    ------
    ConfigError
        With every mistake: missing file, broken TOML, unknown keys, wrong values.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            str(path),
            [Problem("file", "no such file", "write one with 'riverrun init SAMPLE.csv'")],
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            str(path), [Problem("file", str(error), "it must be readable UTF-8 text")]
        ) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(path), [Problem("file", str(error), "it must be TOML")]) from None
    return build_config(tables, str(path))


def build_config(tables: dict[str, Any], where: str) -> Config:
    """Make a configuration of parsed tables and the environment; ``where`` names the source."""
    try:
        return Config(**tables)
    except ConfigError as error:
        raise ConfigError(where, error.problems) from None
    except ValidationError as error:
        raise ConfigError(where, [_problem(dict(e)) for e in error.errors()]) from None


def _problem(error: dict[str, Any]) -> Problem:
    path = [str(part) for part in error["loc"]]
    key = ".".join(path)
    if error["type"] == "extra_forbidden":
        return Problem(key, "an unknown key", _suggestion(path))
    if error["type"] == "missing":
        return Problem(key, "nothing", "it is required")
    message = str(error["msg"]).removeprefix("Value error, ")
    return Problem(key, _found(path, error["input"]), message[:1].lower() + message[1:])


def _found(path: list[str], value: object) -> str:
    """Return what stands in the file, for a message; never what may be a secret."""
    if (
        "webhook" in path or "alertmanager" in path
    ):  # some of these URLs are secrets from the path on
        return repr(without_paths(value)) if isinstance(value, str) else type(value).__name__
    return without_secrets(repr(value))


def _suggestion(path: list[str]) -> str:
    names = list(fields_of(path[:-1]))
    close = difflib.get_close_matches(path[-1], names, n=1)
    if close:
        return f"did you mean {close[0]!r}?"
    return f"known here: {', '.join(names)}"


def fields_of(path: list[str]) -> dict[str, FieldInfo]:
    """Return the fields of the section that a path of names leads to."""
    model: type[BaseModel] = Config
    for name in path:
        field = model.model_fields.get(name)
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        inner = [k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)]
        if not inner:
            return {}
        model = inner[0]
    return model.model_fields
