"""What riverrun promises, and what the tests found: ``python -m tests.faults.promises``.

The command writes the figures of ``docs/promises.json`` into the README. The figures themselves are
written by the tests alone: ``make test-faults ARGS=--write-promises``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FIGURES = ROOT / "docs" / "promises.json"
README = ROOT / "README.md"
BEGIN = "<!-- promises: written by python -m tests.faults.promises -->"
END = "<!-- /promises -->"

PROMISES = {
    "learned_once": "Every event is learned from exactly once, whatever dies when: counts, "
    "`state_digest` and predictions equal those of an offline replay of the same log.",
    "fenced": "Two workers cannot both write: the older one changes nothing.",
    "runs_once": "A retraining that dies in any stage comes to the same decision, once.",
    "replayed_once": "A dead letter that is replayed is learned at most once, however often the "
    "replay runs or is killed.",
    "answers_kept": "A prediction that was answered and recorded is scored as it was given, and "
    "asked again with the same id it is answered the same, whoever died meanwhile.",
    "checkpoints_whole": "A damaged, exchanged or wrongly signed checkpoint is never unpickled; "
    "the one before is used, or all is learned anew, loudly.",
    "labels_settle": "Labels that come twice, late, early, without an event or against each "
    "other are counted, and change nothing that was learned.",
    "models_fail_alone": "A model that raises, answers nonsense, never ends or eats memory loses "
    "no event in silence, and is named.",
    "stops_clean": "SIGTERM in every stage ends a process within its grace, and nothing is lost.",
    "resources_run_out": "A process that runs out of file handles or disk stops or waits with a "
    "message, and goes on where it was.",
    "clock_free": "What is learned does not depend on the machine's clock.",
    "store_lost": "A store that is killed, locked or slow costs time and nothing else.",
    "broker_lost": "A broker or a network that is killed, unreachable, slow or half-open costs "
    "time and nothing else.",
    "log_honest": "A log that was truncated, expired or poisoned is never skipped in silence.",
}
"""Each promise of the README by its key; a test says which it is for by ``mark.promise(key)``."""


@dataclass
class Figures:
    """What tests did and found.

    Parameters
    ----------
    faults, survived
        Faults injected, and those of them after which everything was as promised.
    events
        Events compared with the offline replay.
    lost, twice
        Those of them that were not learned (answered, appended), and those that were more than
        once.
    """

    faults: int = 0
    survived: int = 0
    events: int = 0
    lost: int = 0
    twice: int = 0

    def add(self, other: Figures) -> None:
        """Add what another test found."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass
class Tested:
    """What one test, with all its parameters, found for which promises."""

    promises: list[str]
    figures: Figures


class Record:
    """What one test did and found; the fixture ``record``.

    Examples
    --------
    >>> record = Record(["learned_once"])
    >>> record.fault()
    >>> record.compared({"a": 1, "b": 1}, {"a": 1, "b": 2})
    >>> record.figures.events, record.figures.lost, record.figures.twice
    (2, 0, 1)
    """

    def __init__(self, promises: Iterable[str]) -> None:
        self.promises = list(promises)
        self.figures = Figures()

    def fault(self, count: int = 1) -> None:
        """Take note that a fault was injected, and did happen."""
        self.figures.faults += count

    def compared(self, wanted: Mapping[Any, int], found: Mapping[Any, int]) -> None:
        """Compare how often each event was learned with how often it should have been.

        The test goes on: what is lost or learned twice fails it by ``assert_nothing_lost``, and is
        counted in the table either way.
        """
        self.figures.events += len(wanted)
        for key in {*wanted, *found}:
            difference = found.get(key, 0) - wanted.get(key, 0)
            self.figures.lost += max(0, -difference)
            self.figures.twice += max(0, difference)

    def assert_nothing_lost(self) -> None:
        """Fail where anything was lost or learned twice."""
        found = self.figures
        assert (found.lost, found.twice) == (0, 0), f"{found.lost} lost, {found.twice} twice"


def collect(told: Iterable[tuple[str, list[str], Figures]]) -> dict[str, Tested]:
    """Return what was told of each test, those of several parameters as one."""
    found: dict[str, Tested] = {}
    for name, promises, figures in told:
        found.setdefault(name, Tested(promises, Figures())).figures.add(figures)
    return found


def by_promise(found: Mapping[str, Tested]) -> dict[str, Tested]:
    """Return the figures of each promise and the names of its tests, in the order of promises."""
    rows: dict[str, Tested] = {}
    for key in PROMISES:
        for name, tested in sorted(found.items()):
            if key in tested.promises:
                row = rows.setdefault(key, Tested([], Figures()))
                row.promises.append(name)
                row.figures.add(tested.figures)
    return rows


def write(found: Mapping[str, Tested], path: Path = FIGURES) -> None:
    """Write the figures; those of tests that were not run this time stay."""
    kept = (read(path) if path.exists() else {}) | dict(found)
    there = names_in(ROOT / "tests" / "faults")
    rows = {name: asdict(kept[name]) for name in sorted(kept) if name in there}
    path.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def read(path: Path = FIGURES) -> dict[str, Tested]:
    """Return the figures that the tests wrote."""
    rows = json.loads(path.read_text(encoding="utf-8"))
    return {name: Tested(row["promises"], Figures(**row["figures"])) for name, row in rows.items()}


def names_in(folder: Path) -> set[str]:
    """Return every test of a folder by the name of its file and its own."""
    return {
        f"{path.name}::{name}"
        for path in folder.rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def table(found: Mapping[str, Tested]) -> str:
    """Return the README's table of promises."""
    lines = [
        "| promise | faults survived | events checked | lost | learned twice | proved by |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for key, row in by_promise(found).items():
        one = row.figures
        files = sorted({name.partition("::")[0] for name in row.promises})
        proof = ", ".join(f"`{name}`" for name in files)
        survived = f"{one.survived:,} of {one.faults:,}"
        figures = f"{survived} | {one.events:,} | {one.lost} | {one.twice}"
        lines.append(f"| {PROMISES[key]} | {figures} | {proof} |")
    return "\n".join(lines)


def in_readme(text: str, found: Mapping[str, Tested]) -> str:
    """Return the README with the table of these figures in its place."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table(found)}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(in_readme(README.read_text(encoding="utf-8"), read()), encoding="utf-8")
