"""The configuration as a page shows it: every key with its value, and no secret."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, Field
from pydantic_core import PydanticUndefined

from stream.config import Config
from stream.redact import HIDDEN, without_paths, without_secrets

_SECRET = re.compile(r"(?:^|_)(?:secret|password|passwd|token|keys?|hash(?:es)?|credentials?)$")
_PATHS_HIDDEN = frozenset({"webhook"})
"""Keys of URLs whose path is a secret, as those of chat programs are."""


class Setting(BaseModel):
    """One key of the configuration."""

    key: str = Field(description="Section and key.")
    value: Any = Field(description="Plain data; durations in milliseconds.")
    is_default: bool
    hidden: bool = Field(description="Whether something in the value is not shown.")


def settings_of(config: Config) -> list[Setting]:
    """Return every key of a configuration, in the order of the file.

    Examples
    --------
    >>> config = Config(
    ...     stream={"name": "s", "store": "postgresql+psycopg://me:pass@db/x"},
    ...     event={"label": "y"},
    ...     model={"task": "binary", "pipeline": "linear_model.LogisticRegression()"},
    ... )
    >>> {one.key: one.value for one in settings_of(config)}["stream.store"]
    'postgresql+psycopg://•••@db/x'
    """
    return list(_settings(config))


def _settings(config: Config) -> Iterator[Setting]:
    for section in type(config).model_fields:
        held = getattr(config, section)
        if not isinstance(held, BaseModel):
            continue
        plain = held.model_dump(mode="json")
        for key, about in type(held).model_fields.items():
            default = about.get_default(call_default_factory=True)
            shown = _shown(key, plain[key])
            yield Setting(
                key=f"{section}.{key}",
                value=shown,
                is_default=default is not PydanticUndefined and getattr(held, key) == default,
                hidden=shown != plain[key],
            )


def _shown(key: str, value: Any) -> Any:
    if value is not None and not isinstance(value, bool | int | float) and _SECRET.search(key):
        return HIDDEN
    if isinstance(value, str):
        return without_paths(value) if key in _PATHS_HIDDEN else without_secrets(value)
    if isinstance(value, Mapping):
        return {name: _shown(str(name), one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown("", one) for one in value]
    return value
