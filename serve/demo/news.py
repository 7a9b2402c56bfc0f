"""What happened since one last looked, as lines for a person who watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
        self._closed = -1
        self._alarms: set[str] = set()

    def lines(self, status: Mapping[str, Any] | None) -> Iterator[str]:
        """Yield what is new, oldest first.

        Parameters
        ----------
        status
            Of the newest checkpoint.

        Raises
        ------
        StoreUnreachableError
        """
        yield from self._of_the_last_pane(((status or {}).get("monitor") or {}).get("last_pane"))
        yield from self._of_the_monitor()
        for change in reversed(self._store.runs.changes(_LOOKED_AT)):
            at = (change["number"], change["position"])
            if at > self._runs:
                self._runs = at
                yield _line(change["time"], f"run {change['run']}", change["sentence"])

    def _of_the_last_pane(self, pane: Mapping[str, Any] | None) -> Iterator[str]:
        """Say which columns are newly in alarm, whatever state that finds the monitor in."""
        if pane is None or pane["index"] == self._closed:
            return
        self._closed = pane["index"]
        alarms = [name for _, name in pane["alarms"]]
        if new := [name for name in alarms if name not in self._alarms]:
            yield _line(round(pane["last"] * 1000), "monitor", f"in alarm: {', '.join(new[:8])}")
        self._alarms = set(alarms)

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
        about = f"; of the schema: {', '.join(detail['anomalies'][:3])}"
        return f"{detail['state']}, wants {wanted}" + (about if detail["anomalies"] else "")


def _line(moment: int, about: str, text: str) -> str:
    day = f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d}"
    return f"{day}  {about:<8} {printable(text, _LONGEST)}"
