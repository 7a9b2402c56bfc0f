"""``riverrun models``: the versions of a stream's model, what they are, and which one serves."""

from __future__ import annotations

from typing import Annotated

import typer

from serve.cli.asking import NoWaitOption, ReasonOption, TimeoutOption, ask_worker, opened_stream
from serve.cli.console import print_json, say
from serve.cli.options import DEFAULT_CONFIG, ConfigOption, JsonOption

VersionArgument = Annotated[str, typer.Argument(metavar="VERSION", help="Such as v3.")]


def models_list(
    limit: Annotated[int, typer.Option("--limit", min=1, help="The newest so many.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the versions, the newest first: what each is now, when and why it was made.

    serving and probation are the one that answers; shadow, racing and training are under way;
    rejected, failed and cancelled never served; rolled back was worse than the one before; kept
    served once, or was imported, and can be promoted.
    """
    import msgspec

    from serve.cli.models_view import list_view
    from serve.cli.printable import forgiving_output
    from stream.versions import Versions

    with opened_stream(config) as (store, _):
        versions = Versions(store)
        found = versions.all()
    if as_json:
        shown = [msgspec.to_builtins(one) for one in found[:limit]]
        print_json({"serving": versions.serving, "versions": shown, "total": len(found)})
        return
    forgiving_output().print(list_view(found[:limit]))
    if len(found) > limit:
        say(f"{len(found) - limit:,} older ones; say --limit")


def models_show(
    version: VersionArgument, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """Say why a version is there, on what it was trained, and what was decided on it, with numbers.

    Leaves with 2 where there is no such version.
    """
    from serve.cli.models_view import show_view
    from serve.cli.printable import forgiving_output
    from serve.model_exchange import full_details

    with opened_stream(config) as (store, settings):
        details = full_details(store, settings, version)
    if as_json:
        print_json(details)
    else:
        forgiving_output().print(show_view(details))


def models_diff(
    before: Annotated[str, typer.Argument(metavar="VERSION", help="Such as v1.")],
    after: Annotated[str, typer.Argument(metavar="OTHER", help="Such as v2.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Show what two versions differ in: parameters, scores, and the data that they were trained on.

    Distributions are compared by the monitor's distances, between the counts that were kept of each
    version's training data.
    """
    from serve.cli.models_diff_view import diff_view
    from serve.cli.printable import forgiving_output
    from serve.version_diff import diff_versions

    with opened_stream(config) as (store, settings):
        found = diff_versions(store, settings, before, after)
    if as_json:
        print_json(found)
    else:
        forgiving_output().print(diff_view(found))


def models_promote(
    version: VersionArgument,
    reason: ReasonOption,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = "30s",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Put a kept version in place of the one that serves, without asking the gate.

    The one that served goes on in the shadow, and comes back by itself where it turns out better
    within the probation. Leaves with 2 where the worker refused, with 3 where none answered.
    """
    _ask(config, "promote", {"version": version, "reason": reason}, no_wait, timeout, as_json)


def models_rollback(
    reason: ReasonOption,
    no_wait: NoWaitOption = False,
    timeout: TimeoutOption = "30s",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Put the version back that served before this one.

    Within the probation it is as it has learned on in the shadow, later as it was when it left.
    Leaves with 2 where nothing served before, with 3 where no worker answered.
    """
    _ask(config, "rollback", {"reason": reason}, no_wait, timeout, as_json)


def _ask(
    config: ConfigOption,
    kind: str,
    detail: dict[str, str],
    no_wait: bool,
    timeout: str,
    as_json: bool,
) -> None:
    from stream.versions import Versions

    with opened_stream(config) as (store, settings):
        if "version" in detail:
            Versions(store).one(detail["version"])  # a name that never was is told at once
        answer = ask_worker(store, settings, kind, detail, wait=not no_wait, timeout=timeout)
    if as_json:
        print_json({"request": answer.request, "outcome": answer.outcome})
    elif answer.outcome is None:
        say(f"request {answer.request} stands in the store; a worker will carry it out")
    else:
        say(answer.outcome)
