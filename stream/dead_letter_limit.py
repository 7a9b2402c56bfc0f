"""When so much is wrong that the worker had better stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

from stream.events import Rejected
from stream.sections import DeadLettersSection


def over_the_limit(
    limit: DeadLettersSection,
    recent: Collection[bool],
    reasons: Counter[str],
    rejected: Rejected,
) -> str | None:
    """Return why the worker must stop, or None.

    Parameters
    ----------
    limit
        The section ``[dead_letters]``.
    recent
        Whether each of the last records was a dead letter.
    reasons
        Dead letters so far by stage and kind.
    rejected
        The last one.
    """
    bad = sum(recent)
    if bad <= limit.max_share * limit.window:
        return None
    common = ", ".join(f"{kind} ({count:,})" for kind, count in reasons.most_common(3))
    return (
        f"{bad:,} of the last {limit.window:,} records were dead letters, more than "
        f"dead_letters.max_share = {limit.max_share:g} allows; most often {common}; the last: "
        f"{rejected.message}. Mend what produces them, or the configuration, and start again"
    )
