"""``riverrun store backup`` and ``restore``: the whole store in one file, and back."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.asking import actor
from serve.cli.console import print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from serve.cli.store import opened_engine
from stream.errors import BackupError, InputError
from stream.units import format_time

if TYPE_CHECKING:
    from stream.storage.backup_file import Manifest

DAMAGED = 1
_SHOWN = 5


def store_backup(
    file: Annotated[Path, typer.Argument(help="To write, such as monday.db.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write the whole store, as it is at this moment, into one file.

    Worker and API go on meanwhile. The file holds every stream of the store, on SQLite and on
    PostgreSQL alike, and can be restored into either. Keep it as safe as the store: events,
    labels and the secret of sessions stand in it.

    Leaves with 1 where something in the store is damaged: the backup is made, and as damaged.
    """
    from serve.compose import read_secrets
    from stream.storage.backup import make_backup

    if file.exists() and not force:
        raise InputError(f"{file} exists; say --force to replace it, or name another")
    _refuse_no_store(config)
    with opened_engine(config) as (engine, _):
        made = make_backup(engine, file, read_secrets(os.environ).signing, now=time.time())
    if as_json:
        shown = {"file": str(file), "bytes": made.size, "version": made.version}
        print_json(shown | _told(made.manifest) | {"damaged": made.damaged})
    else:
        rows = sum(count for count, _ in made.manifest.tables.values())
        say(f"{file}: {rows:,} rows of {len(made.manifest.tables)} tables, {made.size:,} bytes")
        _warn(made.damaged)
    if made.damaged:
        raise typer.Exit(DAMAGED)


def store_restore(
    file: Annotated[Path, typer.Argument(help="A backup, such as monday.db.")],
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Replace what the store holds; take a backup of damaged blobs, too."
        ),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Verify the backup, and restore nothing.")
    ] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Put a backup into an empty store: all of it, or nothing.

    Digests and seals are verified first, and no worker may run. The worker that starts
    afterwards goes on at the backup's checkpoint, and reads the log from there.
    """
    from serve.compose import read_secrets
    from stream.storage.backup_file import damages, opened_backup
    from stream.storage.restore import restore_backup

    secret = read_secrets(os.environ).signing
    with opened_engine(config) as (engine, _), opened_backup(file) as (backup, manifest):
        found = damages(f"sqlite:///{backup.url.database}", secret)
        if found and not (force or check):
            raise BackupError(
                f"{file}: {len(found)} of its blobs are damaged, or were not signed with this "
                f"RIVERRUN_SECRET: {found[0]}. Nothing was restored; name another backup, or take "
                "this one with --force"
            )
        told: dict[str, Any] = {"file": str(file)} | _told(manifest) | {"damaged": found}
        if not check:
            restored = restore_backup(
                backup, manifest, engine, force=force, actor=actor(), now=time.time()
            )
            told |= {"restored": True, "checkpoints": restored.checkpoints}
    if as_json:
        print_json({"restored": False} | told)
    else:
        _say_restored(told, manifest)
        _warn(found)
    if found and check:
        raise typer.Exit(DAMAGED)


def _refuse_no_store(config: Path) -> None:
    """Refuse to look into a file that is not there: a look would make it."""
    from serve.status_reading import missing_file
    from stream.load_config import load_config

    if (path := missing_file(load_config(config).stream.store)) is not None:
        raise BackupError(f"there is no store: {path} does not exist")


def _told(manifest: Manifest) -> dict[str, Any]:
    rows = {name: count for name, (count, _) in manifest.tables.items()}
    return {
        "made_at": manifest.made_at,
        "riverrun": manifest.riverrun,
        "database": manifest.database,
        "rows": rows,
    }


def _say_restored(told: dict[str, Any], manifest: Manifest) -> None:
    made = f"made {format_time(manifest.made_at)} from {manifest.database}"
    if "checkpoints" not in told:
        say(f"{told['file']} is whole as it was made ({made}); nothing was restored")
        return
    ends = [f"{stream} at checkpoint {n}" for stream, n in told["checkpoints"].items()]
    say(f"restored {told['file']}, {made}: {', '.join(ends) or 'no checkpoints'}")


def _warn(damaged: list[str]) -> None:
    for sentence in damaged[:_SHOWN]:
        say(sentence, style="yellow")
    if len(damaged) > _SHOWN:
        say(f"... and {len(damaged) - _SHOWN:,} more", style="yellow")
