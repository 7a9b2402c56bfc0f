"""``riverrun keys``: API keys, made and taken away while the API runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.asking import actor
from serve.cli.console import output, print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption, LogLevel
from stream.errors import InputError
from stream.units import parse_duration

if TYPE_CHECKING:
    from serve.api.auth.keys import StoredKey
    from stream.config import Config
    from stream.storage.store import Store

NameArgument = Annotated[str, typer.Argument(help="Whose the key is, such as dashboard.")]
ExpiresOption = Annotated[
    str | None,
    typer.Option("--expires", help="When it ends: 90d, 2027-01-31 or 2027-01-31T12:00:00Z."),
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Why; it is written down in the audit.")
]


def keys_add(
    name: NameArgument,
    role: Annotated[
        str, typer.Option("--role", help="viewer looks, predictor also predicts, operator may all.")
    ],
    expires: ExpiresOption = None,
    reason: ReasonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a key, and print it: it cannot be shown again.

    The file that api.keys_file names holds its hash alone. Running APIs know the key within a
    second. Several keys may have the same name.
    """
    from serve.api.auth.key_file import locked, read_keys, write_keys

    wanted = _role(role)
    ends = _expiry(expires)
    with _opened(config) as (store, settings):
        path = _path(settings)
        with locked(path):
            kept = read_keys(path) if path.exists() else []
            row, key = _made(name, wanted, ends, kept)
            write_keys(path, [*kept, row])
        _audited(store, "key_add", {"key": row.id, "name": name, "role": role}, reason)
    _tell(key, row, as_json)


def keys_list(config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False) -> None:
    """List the keys: whose they are, what they may do, when they end."""
    from rich.table import Table
    from rich.text import Text

    from serve.api.auth.key_file import read_keys
    from stream.load_config import load_config

    keys = read_keys(_path(load_config(config)))
    shown = [_shown(key) for key in keys]
    if as_json:
        print_json({"keys": shown})
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("id", "name", "role", "created", "expires"):
        table.add_column(title)
    for row in shown:
        ends = Text(str(row["expires"] or "never"), "red" if row["is_expired"] else "")
        if row["is_expired"]:
            ends.append(" (over)")
        table.add_row(row["id"], row["name"], row["role"], row["created"], ends)
    output().print(table)
    if not keys:
        say("no keys: nobody is let in; 'riverrun keys add NAME --role operator' makes one")


def keys_revoke(
    which: Annotated[str, typer.Argument(help="The id of a key, or a name for all of its keys.")],
    reason: ReasonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Take keys away. Running APIs refuse them within a second, and the sessions they began."""
    from serve.api.auth.key_file import locked, read_keys, write_keys

    with _opened(config) as (store, settings):
        path = _path(settings)
        with locked(path):
            kept = read_keys(path)
            gone = _named(which, kept, path)
            write_keys(path, [key for key in kept if key not in gone])
        for key in gone:
            detail = {"key": key.id, "name": key.name, "role": key.role.label}
            _audited(store, "key_revoke", detail, reason)
    if as_json:
        print_json({"revoked": [_shown(key) for key in gone]})
    else:
        for key in gone:
            say(f"revoked {key.id} of {key.name} ({key.role.label})")


def keys_rotate(
    which: Annotated[str, typer.Argument(help="The id of a key, or a name that has one key.")],
    grace: Annotated[
        str, typer.Option("--grace", help="How long the old key goes on, such as 1d; 0s: not.")
    ] = "1d",
    expires: ExpiresOption = None,
    reason: ReasonOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Make a key that follows another, and let the old one end after a while.

    The new key has the name and the role of the old one, and is printed once.
    """
    from dataclasses import replace

    from serve.api.auth.key_file import locked, read_keys, write_keys

    ends, patience = _expiry(expires), _span("--grace", grace)
    with _opened(config) as (store, settings):
        path = _path(settings)
        with locked(path):
            kept = read_keys(path)
            found = [key for key in _named(which, kept, path) if not key.is_expired(time.time())]
            if len(found) != 1:
                ids = ", ".join(key.id for key in found) or "none that goes on"
                raise InputError(f"{which!r} has the keys {ids}; name one by its id")
            old = found[0]
            row, key = _made(old.name, old.role, ends, kept)
            last = datetime.now(UTC).replace(microsecond=0) + patience
            ending = replace(old, expires=min(old.expires or last, last))
            rest = [ending if one is old else one for one in kept]
            write_keys(path, [*rest, row] if patience else [*(k for k in kept if k != old), row])
        detail = {"key": row.id, "follows": old.id, "name": row.name, "role": row.role.label}
        _audited(store, "key_rotate", detail, reason)
    if not as_json:
        until = f"goes on until {ending.expires:%Y-%m-%d %H:%M} UTC" if patience else "is revoked"
        say(f"the old key {old.id} {until}")
    _tell(key, row, as_json)


@contextmanager
def _opened(config: Path) -> Iterator[tuple[Store, Config]]:
    """Open a store, which a first key may make: each change of keys is written down there."""
    from serve.cli.logs import configure_logs
    from serve.compose import open_stream_store, read_secrets
    from stream.load_config import load_config

    configure_logs(LogLevel.WARNING)
    settings = load_config(config)
    with closing(open_stream_store(settings, read_secrets(os.environ))) as store:
        yield store, settings


def _audited(store: Store, action: str, detail: dict[str, Any], reason: str) -> None:
    store.audit.write(action, actor(), reason, detail, time.time())


def _path(settings: Config) -> Path:
    if settings.api.keys_file is None:
        raise InputError(
            "api.keys_file is not set: put it under [api] of the configuration, for example "
            'keys_file = "keys.toml"'
        )
    return Path(settings.api.keys_file)


def _role(name: str) -> Any:
    from serve.api.auth.roles import ROLES, role_named

    role = role_named(name)
    if role is None:
        raise InputError(f"--role: {name!r} is none of {', '.join(ROLES)}")
    return role


def _made(
    name: str, role: Any, ends: datetime | None, kept: list[StoredKey]
) -> tuple[StoredKey, str]:
    from serve.api.auth.key_file import NAME
    from serve.api.auth.keys import StoredKey, hash_of, new_key

    if not NAME.fullmatch(name):
        raise InputError(f"{name!r}: a name is of letters, digits, '.', '_' and '-', at most 128")
    key, key_id = new_key(one.id for one in kept)
    created = datetime.now(UTC).replace(microsecond=0)
    return StoredKey(key_id, name, role, hash_of(key), created, ends), key


def _named(which: str, kept: list[StoredKey], path: Path) -> list[StoredKey]:
    found = [key for key in kept if key.id == which] or [key for key in kept if key.name == which]
    if not found:
        names = ", ".join(f"{key.id} ({key.name})" for key in kept) or "none"
        raise InputError(f"{path} has no key {which!r}; there are: {names}")
    return found


def _span(option: str, text: str) -> timedelta:
    try:
        return timedelta(milliseconds=parse_duration(text))
    except (ValueError, OverflowError) as error:
        raise InputError(f"{option}: {error}") from None


def _expiry(text: str | None) -> datetime | None:
    if text is None:
        return None
    from stream.events import parse_time

    at = parse_time(text)
    try:
        ends = datetime.now(UTC) + _span("--expires", text) if at is None else None
        ends = ends or datetime.fromtimestamp((at or 0) / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        raise InputError(f"--expires: {text!r} is beyond the calendar") from None
    if ends <= datetime.now(UTC):
        raise InputError(f"--expires: {text!r} is over already")
    return ends.replace(microsecond=0)


def _shown(key: StoredKey) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "role": key.role.label,
        "created": key.created.isoformat(),
        "expires": None if key.expires is None else key.expires.isoformat(),
        "is_expired": key.is_expired(time.time()),
    }


def _tell(key: str, row: StoredKey, as_json: bool) -> None:
    if as_json:
        print_json(_shown(row) | {"key": key})
        return
    say(f"{row.role.label} key {row.id} of {row.name}; it is shown this once:")
    output().print(key, markup=False, soft_wrap=True)
