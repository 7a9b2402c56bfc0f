"""The file with the stream's schema: read, fitted to the configuration, and watched for changes."""

from __future__ import annotations

from pathlib import Path

from monitor.errors import SchemaError
from monitor.schema import Schema
from monitor.schema_text import schema_from_toml
from stream.config import Config
from stream.errors import ConfigError, Problem

KEY = "monitor.schema_file"


class SchemaFile:
    """``monitor.schema_file``, where there is one.

    Parameters
    ----------
    config
        The stream's.
    where
        Named in error messages.
    """

    def __init__(self, config: Config, where: str = "riverrun.toml") -> None:
        self._config = config
        self._where = where
        named = config.monitor.schema_file
        self._path = None if named is None or not config.monitor.enabled else Path(named)
        self._seen: tuple[int, int] | None = None

    def read(self) -> Schema | None:
        """Return the schema; None where the configuration names no file.

        Fields that are no features (id, time, label) are known and not watched.

        Raises
        ------
        ConfigError
            When it cannot be read, or asks for features that no event can have.
        """
        if self._path is None:
            return None
        self._seen = self._stamp()
        try:
            schema = schema_from_toml(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            advice = (
                "no such file; write one with 'riverrun schema infer' or 'riverrun schema show'"
            )
            raise self._mistake(str(self._path), advice) from None
        except (OSError, UnicodeDecodeError, SchemaError) as error:
            raise self._mistake(str(self._path), str(error)) from None
        return self._fitted(schema)

    def changed(self) -> Schema | None:
        """Return the schema where the file is another than when it was last read.

        Raises
        ------
        ConfigError
            Once for a change that cannot be used.
        """
        if self._path is None or self._stamp() == self._seen:
            return None
        return self.read()

    def _fitted(self, schema: Schema) -> Schema:
        event = self._config.event
        roles = {name for name in (event.id, event.time, event.label) if name is not None}
        roles -= set(event.features or ())
        features = tuple(feature for feature in schema.features if feature.name not in roles)
        if event.features is not None:
            never = [f.name for f in features if f.required and f.name not in event.features]
            if never:
                advice = "every event would be in error: add them to event.features, or delete them"
                raise self._mistake(f"required features {never}", advice)
        ignored = dict.fromkeys((*schema.ignored, *sorted(roles & set(schema.names))))
        return Schema(
            features, schema.severity, tuple(ignored), schema.min_events, schema.max_events
        )

    def _stamp(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return None if found is None else (found.st_mtime_ns, found.st_size)

    def _mistake(self, found: str, allowed: str) -> ConfigError:
        return ConfigError(self._where, [Problem(KEY, found, allowed)])
