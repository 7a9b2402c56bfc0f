"""The application: its commands, and what becomes of their errors.

Each command stands in a file of its own and imports what it needs when it runs, so that
``riverrun --help`` does not wait for River, pydantic and SQLAlchemy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from serve.cli.alerts import alerts_list, alerts_send, alerts_test
from serve.cli.api import api
from serve.cli.backtest import backtest
from serve.cli.check import check
from serve.cli.console import show_error
from serve.cli.dead_letters import dead_letters_list, dead_letters_show
from serve.cli.dead_letters_replay import dead_letters_replay
from serve.cli.demo import demo
from serve.cli.doctor import doctor
from serve.cli.drift import drift
from serve.cli.init import init
from serve.cli.keys import keys_add, keys_list, keys_revoke, keys_rotate
from serve.cli.labels import labels_conflicts, labels_wanted
from serve.cli.models import (
    models_diff,
    models_list,
    models_promote,
    models_rollback,
    models_show,
)
from serve.cli.models_files import models_export, models_import, models_reproduce
from serve.cli.placebo import placebo
from serve.cli.produce import produce
from serve.cli.report import report
from serve.cli.retrain import retrain
from serve.cli.schema import schema_check, schema_infer, schema_show
from serve.cli.score import score
from serve.cli.status import status
from serve.cli.store import store_upgrade, store_version
from serve.cli.store_backup import store_backup, store_restore
from serve.cli.up import up
from serve.cli.worker import worker
from stream.errors import RiverrunError

INTERRUPTED = 130


class _Group(TyperGroup):
    """Turns the errors that a person can act on into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except RiverrunError as error:
            show_error(str(error))
            raise typer.Exit(error.exit_code) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    epilog="Example: riverrun demo",
)

GROUPS = {
    "dead-letters": typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="Records that could not be used: what they are, why, and once more after a fix.",
        epilog="Example: riverrun dead-letters list --since 2h",
    ),
    "alerts": typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="Who is told of halts, drift and retrainings: try it, look at it, deliver.",
        epilog="Example: riverrun alerts test",
    ),
    "keys": typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="Keys of the API: made, listed, followed by others and taken away while it runs.",
        epilog="Example: riverrun keys add dashboard --role viewer",
    ),
    "labels": typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="What people are asked, and where two of them disagree.",
        epilog="Example: riverrun labels wanted --budget 20",
    ),
    "models": typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="Versions of the model: what each is, which one serves, and the way back.",
        epilog="Example: riverrun models list",
    ),
    "schema": typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="What events may hold: a file that people read, edit and check others against.",
        epilog="Example: riverrun schema infer january.csv.gz --output schema.toml",
    ),
    "store": typer.Typer(
        no_args_is_help=True,
        rich_markup_mode="rich",
        help="The store as a whole: its tables' version, upgrades, backup and restore.",
        epilog="Example: riverrun store backup monday.db",
    ),
}
"""Commands of two words, by the first."""


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"riverrun {version('riverrun')}")
        except PackageNotFoundError:
            typer.echo("riverrun (not installed)")
        raise typer.Exit


@app.callback()
def riverrun(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Keep River models alive in production: predict, learn, watch and promote on a stream."""


EXAMPLES: dict[Callable[..., None], list[str]] = {
    demo: [
        "riverrun demo",
        "riverrun demo --events 3000 --speed max --exit --json",
        "riverrun demo --break schema",
    ],
    init: ["riverrun init flights.csv.gz", "riverrun init orders.jsonl --label returned --force"],
    check: ["riverrun check", "riverrun check --config flights.toml --create-topics"],
    up: ["riverrun up", "riverrun up --config flights.toml"],
    worker: ["riverrun worker", "riverrun worker --until-caught-up --json"],
    api: ["riverrun api", "riverrun api --config flights.toml --workers 4"],
    status: ["riverrun status", "riverrun status --json"],
    doctor: ["riverrun doctor", "riverrun doctor --config flights.toml --json"],
    produce: [
        "riverrun produce flights.csv.gz --rate 500/s",
        "riverrun produce landed.jsonl --to labels",
    ],
    score: [
        "riverrun score tomorrow.csv.gz",
        "riverrun score tomorrow.parquet --model v2.riverrun.zip --out scored.parquet",
    ],
    dead_letters_list: [
        "riverrun dead-letters list",
        "riverrun dead-letters list --stage decode --reason invalid_json --since 2h --json",
    ],
    dead_letters_show: [
        "riverrun dead-letters show 0:17",
        "riverrun dead-letters show 0:17 --raw",
    ],
    dead_letters_replay: [
        "riverrun dead-letters replay --since 2h --dry-run",
        "riverrun dead-letters replay --reason wrong_type --limit 1",
        "riverrun dead-letters replay 0:17 0:18 --yes --json",
    ],
    retrain: [
        "riverrun retrain --reason 'prices were raised' --wait",
        "riverrun retrain --cancel --reason 'the new prices were withdrawn'",
    ],
    models_list: ["riverrun models list", "riverrun models list --json"],
    models_show: ["riverrun models show v2"],
    models_diff: ["riverrun models diff v1 v2"],
    models_promote: ["riverrun models promote v2 --reason 'it was right after all'"],
    models_rollback: ["riverrun models rollback --reason 'customers complain'"],
    models_export: ["riverrun models export v2 v2.riverrun.zip"],
    models_import: [
        "riverrun models import v2.riverrun.zip --reason 'trained on the other site'",
        "riverrun models import v2.riverrun.zip --reason 'a look' --check --unsigned",
    ],
    models_reproduce: ["riverrun models reproduce v2", "riverrun models reproduce v2 --json"],
    schema_infer: [
        "riverrun schema infer january.csv.gz --output schema.toml",
        "riverrun schema infer january.csv.gz --ignore note --output schema.toml --force",
    ],
    schema_show: ["riverrun schema show", "riverrun schema show --output schema.toml"],
    schema_check: ["riverrun schema check july.csv.gz --schema schema.toml --json"],
    keys_add: [
        "riverrun keys add dashboard --role viewer",
        "riverrun keys add shop --role predictor --expires 90d --reason 'the new shop'",
    ],
    keys_list: ["riverrun keys list", "riverrun keys list --json"],
    keys_revoke: ["riverrun keys revoke shop --reason 'it was in a log'"],
    keys_rotate: ["riverrun keys rotate shop --grace 2d", "riverrun keys rotate shop --grace 0s"],
    labels_wanted: [
        "riverrun labels wanted --budget 20",
        "riverrun labels wanted --json",
    ],
    labels_conflicts: ["riverrun labels conflicts", "riverrun labels conflicts --json"],
    store_version: ["riverrun store version", "riverrun store version --json"],
    store_upgrade: ["riverrun store upgrade", "riverrun store upgrade --json"],
    store_backup: ["riverrun store backup monday.db", "riverrun store backup monday.db --json"],
    store_restore: [
        "riverrun store restore monday.db --check",
        "riverrun store restore monday.db --config elsewhere.toml",
    ],
    alerts_test: ["riverrun alerts test", "riverrun alerts test --json"],
    alerts_list: ["riverrun alerts list", "riverrun alerts list --json"],
    alerts_send: ["riverrun alerts send", "riverrun alerts send --once"],
    drift: [
        "riverrun drift january.csv.gz july.parquet",
        "riverrun drift old.jsonl new.jsonl --ignore id,placed --false-alarms '1 per 100 panes'",
        "riverrun drift --from 2h",
        "riverrun drift --from 2025-01-01 --to 2025-02-01 --against v3 --json",
    ],
    placebo: [
        "riverrun placebo january.csv.gz",
        "riverrun placebo january.csv.gz --false-alarms '1 per 200 panes' --resample events",
    ],
    report: [
        "riverrun report",
        "riverrun report --from 7d --out week.html",
        "riverrun report --from 2026-03-01 --to 2026-04-01 --json",
    ],
    backtest: [
        "riverrun backtest january.csv.gz",
        "riverrun backtest january.csv.gz --policy never,drift --change 12000 --html page.html",
        "riverrun backtest --from 2026-01-01 --to 2026-02-01 --fail-under drift.gain=0.02",
    ],
}


def _help(docstring: str | None) -> str:
    """Return a docstring whose paragraphs are filled by whoever shows them."""
    return "\n\n".join(" ".join(part.split()) for part in (docstring or "").split("\n\n"))


for _command, _lines in EXAMPLES.items():
    _words = _lines[0].split()
    _place, _name = (GROUPS[_words[1]], _words[2]) if _words[1] in GROUPS else (app, _words[1])
    _epilog = "\n\n".join(["Examples:", *_lines])
    _place.command(_name, help=_help(_command.__doc__), epilog=_epilog)(_command)

for _name, _group in GROUPS.items():
    app.add_typer(_group, name=_name)
