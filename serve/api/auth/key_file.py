"""The file of API keys: hashes in TOML, replaced whole, read again when it changes."""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from serve.api.auth.keys import StoredKey
from serve.api.auth.roles import ROLES, role_named
from stream.errors import RiverrunError

_HEAD = """\
# API keys of riverrun: their hashes, never the keys. 'riverrun keys' writes it; running APIs read
# it again within a second. Delete a table to revoke its key.
"""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID = re.compile(r"[0-9a-f]{8}")
_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_FIELDS = {"id", "name", "role", "hash", "created", "expires"}


class KeyFileError(RiverrunError):
    """Raised where the file of keys cannot be read or written."""

    exit_code = 2

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"api.keys_file {str(path)!r}: {problem}")


def read_keys(path: Path) -> list[StoredKey]:
    """Read a file of keys.

    Raises
    ------
    KeyFileError
        Where it is missing, or not what ``write_keys`` writes.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise KeyFileError(
            path, "no such file; 'riverrun keys add NAME --role operator' makes it"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KeyFileError(path, str(error)) from None
    unknown = set(tables) - {"keys"}
    rows = tables.get("keys", [])
    if unknown or not isinstance(rows, list):
        raise KeyFileError(path, "tables named [[keys]] are expected, and nothing else")
    keys = [_key(path, number, row) for number, row in enumerate(rows, 1)]
    if len({key.id for key in keys}) < len(keys):
        raise KeyFileError(path, "two keys have the same id")
    return keys


def write_keys(path: Path, keys: Sequence[StoredKey]) -> None:
    """Replace a file of keys as a whole: whoever reads meanwhile sees the old or the new one.

    Raises
    ------
    KeyFileError
    """
    text = _HEAD + "".join(_table(key) for key in keys)
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                os.fchmod(file.fileno(), mode)
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                with suppress(OSError):
                    Path(file.name).unlink()
                raise
    except OSError as error:
        raise KeyFileError(path, f"it cannot be written: {error.strerror or error}") from None


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let one process at a time change a file of keys.

    Raises
    ------
    KeyFileError
        Where its folder cannot be used.
    """
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise KeyFileError(path, f"its folder: {error.strerror or error}") from None
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _key(path: Path, number: int, row: Mapping[str, Any]) -> StoredKey:
    def wrong(field: str, expected: str) -> KeyFileError:
        return KeyFileError(path, f"key {number}: {field} is {row.get(field)!r}; {expected}")

    if not isinstance(row, dict) or (unknown := set(row) - _FIELDS):
        found = sorted(unknown) if isinstance(row, dict) else row
        raise KeyFileError(path, f"key {number}: {found!r} is not known")
    for field, pattern, expected in (
        ("id", _ID, "eight hexadecimal digits are expected"),
        ("name", NAME, "letters, digits, '.', '_' and '-' are expected"),
        ("hash", _HASH, "'sha256:' and 64 hexadecimal digits are expected"),
    ):
        value = row.get(field)
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise wrong(field, expected)
    role = role_named(str(row.get("role")))
    if role is None:
        raise wrong("role", f"one of {', '.join(ROLES)} is expected")
    created, expires = _moment(row.get("created")), _moment(row.get("expires"))
    if created is None:
        raise wrong("created", "a date and time are expected")
    if row.get("expires") is not None and expires is None:
        raise wrong("expires", "a date, or a date and time, are expected")
    return StoredKey(row["id"], row["name"], role, row["hash"], created, expires)


def _moment(value: object) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    return None


def _table(key: StoredKey) -> str:
    lines = [
        "",
        "[[keys]]",
        f'id = "{key.id}"',
        f'name = "{key.name}"',
        f'role = "{key.role.label}"',
        f'hash = "{key.hash}"',
        f"created = {key.created.isoformat(timespec='seconds')}",
    ]
    if key.expires is not None:
        lines.append(f"expires = {key.expires.isoformat(timespec='seconds')}")
    return "\n".join(lines) + "\n"
