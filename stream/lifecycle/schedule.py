"""When the next scheduled retraining is due."""

from __future__ import annotations

from datetime import UTC, datetime

from cronsim import CronSim, CronSimError

from stream.units import parse_duration


def next_due(schedule: str, after: float) -> float:
    """Return the next time of a schedule.

    Parameters
    ----------
    schedule
        A cron expression of five fields, in UTC, or an interval such as ``6h``.
    after
        Seconds since the epoch of the last time.

    Returns
    -------
    float
        Seconds since the epoch.

    Raises
    ------
    ValueError
        When it is neither.

    Examples
    --------
    >>> next_due("6h", 1_000.0), next_due("0 3 * * *", 0.0)
    (22600.0, 10800.0)
    """
    if len(schedule.split()) < 5:
        return after + parse_duration(schedule) / 1000
    try:
        return next(CronSim(schedule, datetime.fromtimestamp(after, UTC))).timestamp()
    except (CronSimError, StopIteration):
        raise ValueError("give five fields of cron, such as 0 3 * * *, or an interval") from None
