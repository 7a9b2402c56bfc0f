"""Options of the commands that compare and check files, and the configuration they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream.errors import InputError

if TYPE_CHECKING:
    from monitor.config import SkewConfig

FALSE_ALARMS = "1 per 1000 panes"

ColumnsOption = Annotated[
    str | None,
    typer.Option("--columns", help="Only these, such as a,b; also ids and times, if named."),
]
IgnoreOption = Annotated[
    str | None, typer.Option("--ignore", help="Leave these out, such as id,time.")
]
SchemaOption = Annotated[
    Path | None, typer.Option("--schema", help="A schema.toml that says what the columns hold.")
]
FalseAlarmsOption = Annotated[
    str,
    typer.Option("--false-alarms", help="How many are fine, over all columns together."),
]
WassersteinFloorOption = Annotated[
    float,
    typer.Option(
        "--wasserstein-floor",
        help="Smallest shift of numbers that matters, in standard deviations.",
    ),
]
JsFloorOption = Annotated[
    float,
    typer.Option("--js-floor", help="Smallest Jensen-Shannon distance that matters, 0 to 1."),
]


def skew_config(
    false_alarms: str, *, wasserstein_floor: float = 0.1, js_floor: float = 0.1
) -> SkewConfig:
    """Make the configuration of the tests.

    Parameters
    ----------
    false_alarms
        The budget, ``"<count> per <number> panes"``.
    wasserstein_floor, js_floor
        Effect floors.

    Returns
    -------
    SkewConfig
        With defaults for the rest.

    Raises
    ------
    InputError
        With what may stand there.
    """
    from monitor.config import SkewConfig
    from monitor.errors import ConfigError

    try:
        return SkewConfig(
            false_alarms=false_alarms, wasserstein_floor=wasserstein_floor, js_floor=js_floor
        )
    except ConfigError as error:
        mistakes = "; ".join(error.mistakes)
        for key in ("false_alarms", "wasserstein_floor", "js_floor"):
            mistakes = mistakes.replace(f"skew.{key}", f"--{key.replace('_', '-')}")
        raise InputError(mistakes) from None
