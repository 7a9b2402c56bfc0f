"""``riverrun models export | import | reproduce``: versions as files, and made again."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from serve.cli.asking import NoWaitOption, ReasonOption, TimeoutOption, ask_worker, opened_stream
from serve.cli.console import print_json, say
from serve.cli.models import VersionArgument
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption
from stream.errors import InputError

DIFFERENT = 1
_CARD_MAX = 256 * 1024
UnsignedOption = Annotated[
    bool,
    typer.Option(
        "--unsigned",
        help="Take a file by its digest alone. Loading a model runs its writer's code.",
    ),
]


def models_export(
    version: VersionArgument,
    file: Annotated[Path, typer.Argument(help="To write, such as v3.riverrun.zip.")],
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Write a version to one file: model, schema, reference and a model card.

    The file is signed with RIVERRUN_SECRET where that is set. The card tells data, metrics,
    segments, parameters, versions and trigger, and the ten blocks of the Machine Learning Canvas
    from the table "canvas" of the configuration.
    """
    from serve.compose import read_secrets
    from serve.model_exchange import export_model

    if file.exists() and not force:
        raise InputError(f"{file} exists; say --force to replace it, or name another")
    secret = read_secrets(os.environ).signing
    with opened_stream(config) as (store, settings):
        made = export_model(store, settings, version, file, secret=secret, now=time.time())
    if as_json:
        shown = {"file": str(file), "bytes": file.stat().st_size, "signed": secret is not None}
        print_json(shown | {"version": version, "moment": made.moment, "files": list(made.files)})
        return
    say(f"{file}: {version} ({made.moment}), {file.stat().st_size:,} bytes")
    if secret is None:
        say("It is not signed, as RIVERRUN_SECRET is not set: its SHA-256 shows damage only.")


def models_import(
    file: Annotated[Path, typer.Argument(help="As 'riverrun models export' wrote it.")],
    reason: ReasonOption,
    unsigned: UnsignedOption = False,
    check: Annotated[
        bool, typer.Option("--check", help="Only look whether it could be imported.")
    ] = False,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = "30s",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Bring a model in under a version of its own; it serves nobody until it is promoted.

    Seal, versions of libraries, task and mapping of events are checked before anything of it is
    loaded. The worker keeps it with its next checkpoint. Leaves with 2 where the file cannot be
    taken, with 3 where no worker answered.
    """
    from serve.compose import read_secrets
    from serve.model_exchange import read_for
    from stream.model_file import CARD, MODEL, REFERENCE

    secret = read_secrets(os.environ).signing
    with opened_stream(config) as (store, settings):
        found, _ = read_for(file, settings, secret, unsigned=unsigned)
        manifest = found.manifest
        shown: dict[str, Any] = {
            "file": str(file),
            "stream": manifest.stream,
            "version": manifest.version,
            "signed": found.is_signed,
        }
        if check:
            outcome = f"{file}: {manifest.version} of {manifest.stream} fits {settings.stream.name}"
        else:
            kept = ("created_at", "fingerprint", "libraries", "moment", "stream", "version")
            origin = {key: getattr(manifest, key) for key in kept} | {"signed": found.is_signed}
            detail = {"reason": reason, "pipeline": manifest.pipeline, "origin": origin}
            is_short = len(found.files[CARD]) <= _CARD_MAX
            detail["card"] = found.card if is_short else {"note": "too large; see the file"}
            answer = ask_worker(
                store,
                settings,
                "import",
                detail,
                wait=not no_wait,
                timeout=timeout,
                model=(found.files[MODEL], found.files.get(REFERENCE)),
            )
            shown["request"] = answer.request
            outcome = answer.outcome or (
                f"request {answer.request} stands in the store; a worker will carry it out"
            )
    if as_json:
        print_json(shown | {"outcome": outcome})
        return
    say(outcome)
    if not found.is_signed:
        say("Its signature was not checked: only its SHA-256 was, which shows damage.")


def models_reproduce(
    version: VersionArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Train a version once more from the log, and compare it with the one that was promoted.

    The same pipeline and seed learn from the same offsets, up to the promotion; both models then
    predict the last events before it. Nothing is written to the log or the store.

    Leaves with 0 where they predict the same, with 1 where they do not, with 2 where the version
    cannot be made again, and says why.
    """
    from serve.cli.models_view import reproduced_view
    from serve.cli.printable import forgiving_output
    from serve.cli.progress import progress_bar
    from serve.compose import open_stream_log, read_secrets
    from stream.training.recipe import recipe_of
    from stream.training.reproduce import Reproduction
    from stream.versions import Versions

    with opened_stream(config) as (store, settings):
        recipe = recipe_of(Versions(store), version)
        with (
            closing(open_stream_log(settings, read_secrets(os.environ))) as log,
            progress_bar(f"reproducing {version}", 3.0) as show,
        ):
            stages: list[str] = []

            def on_progress(what: str, done: int, total: int) -> None:
                if what not in stages:
                    stages.append(what)
                share = min(1.0, done / total)
                show(len(stages) - 1 + share, f"{what}: {done:,} of {total:,} records")

            found = Reproduction(recipe, settings, log, store, time.monotonic, on_progress).run()
    if as_json:
        import msgspec

        print_json(msgspec.to_builtins(found))
    else:
        forgiving_output().print(reproduced_view(found))
    if not found.equal:
        raise typer.Exit(DIFFERENT)
