"""What happened since one last looked, as lines for a person who watches."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from serve.cli.printable import printable
from stream.storage.store import Store

_LONGEST = 200
_LOOKED_AT = 50


class News:
    """Follows runs and the monitor's findings in the store.

    Parameters
    ----------
    store
        Only read.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._runs: tuple[int, int] = (-1, -1)
        self._pane = -1
        self._drift = 0

    def lines(self) -> Iterator[str]:
        """Yield what is new, oldest first.

        Raises
        ------
        StoreUnreachableError
        """
        yield from self._of_the_monitor()
        for change in reversed(self._store.runs.changes(_LOOKED_AT)):
            at = (change["number"], change["position"])
            if at > self._runs:
                self._runs = at
                yield _line(change["time"], f"run {change['run']}", change["sentence"])

    def _of_the_monitor(self) -> Iterator[str]:
        for row in reversed(self._store.happenings(_LOOKED_AT)):
            detail = row["detail"]
            if row["kind"] == "concept_drift" and detail["time"] > self._drift:
                self._drift = detail["time"]
                since = datetime.fromtimestamp(detail["drift"]["since_time"], UTC)
                text = f"the loss has changed, since about {since:%b %d} ({detail['drift']['by']})"
                yield _line(detail["time"], "drift", text)
            elif row["kind"] == "pane" and detail["pane"] > self._pane:
                self._pane = detail["pane"]
                yield _line(detail["time"], "monitor", self._pane_text(detail))

    def _pane_text(self, detail: dict[str, Any]) -> str:
        wanted = ", ".join(detail["wanted"])
        found = [f"in alarm: {', '.join(detail['alarms'][:5])}"] if detail["alarms"] else []
        if detail["anomalies"]:
            found.append(f"schema: {', '.join(detail['anomalies'][:3])}")
        return "; ".join([f"{detail['state']}, wants {wanted}", *found])


def _line(moment: int, about: str, text: str) -> str:
    day = f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d}"
    return f"{day}  {about:<8} {printable(text, _LONGEST)}"
