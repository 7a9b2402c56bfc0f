"""Keys as they are now: the file, looked at again while the API runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

import structlog

from serve.api.auth.key_file import KeyFileError, read_keys
from serve.api.auth.keys import KeyRing, StoredKey

_log = structlog.get_logger("riverrun.auth")

_LOOK_SECONDS = 0.5


class KeyWatch:
    """The keys of a file and of the environment; a change counts within half a second.

    A file that cannot be read any more changes nothing: the keys that were read last go on, and
    that is logged and shown in the metrics. A file without keys lets nobody in.

    Parameters
    ----------
    path
        Of the file; None for none.
    fixed
        Keys that the environment gives.

    Attributes
    ----------
    trouble
        Why the file as it is now is not used; None where it is.

    Raises
    ------
    KeyFileError
        Where the file cannot be read at the start.
    """

    def __init__(self, path: Path | None, fixed: Iterable[StoredKey] = ()) -> None:
        self._path = path
        self._fixed = tuple(fixed)
        self._seen = self._stamp()
        self._look_at = time.monotonic() + _LOOK_SECONDS
        self._ring = self._read()
        self.trouble: str | None = None

    @property
    def ring(self) -> KeyRing:
        """The keys as they are now."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_SECONDS
            self._look()
        return self._ring

    def _look(self) -> None:
        seen = self._stamp()
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._ring = self._read()
        except KeyFileError as error:
            self.trouble = str(error)
            _log.error("keys_not_read", reason=self.trouble)
            return
        self.trouble = None
        _log.info("keys_read", keys=len(self._ring))

    def _read(self) -> KeyRing:
        return KeyRing([] if self._path is None else read_keys(self._path), self._fixed)

    def _stamp(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            found = os.stat(self._path)  # noqa: PTH116 (half the time of Path.stat)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
