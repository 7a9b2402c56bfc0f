"""What the API processes of one machine share: a folder that lives as long as their supervisor."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Share:
    """The folder, as one of the processes sees it.

    Parameters
    ----------
    folder
        Of the supervisor.
    slot
        Which of the processes this is, from 0 on; the one that follows a dead one has its number.
    """

    folder: Path
    slot: int

    @property
    def metrics(self) -> Path:
        """Where prometheus-client keeps what the processes count."""
        return metrics_folder(self.folder)

    @property
    def answers(self) -> Path:
        """The file of answers that are given again to the same id."""
        return self.folder / "answers.db"

    def limits(self, name: str) -> Path:
        """Return the file of a limit."""
        return self.folder / f"{name}.limits"

    def say_ready(self) -> None:
        """Tell the supervisor that this process answers requests."""
        path = ready_file(self.folder, self.slot)
        fresh = path.with_suffix(".new")
        fresh.write_text(str(os.getpid()), encoding="ascii")
        fresh.replace(path)

    def processes(self) -> dict[int, int]:
        """Return the ids of the processes that answer requests, by slot."""
        found = {}
        for path in self.folder.glob("*.ready"):
            try:
                found[int(path.stem)] = int(path.read_text(encoding="ascii"))
            except (OSError, ValueError):  # it ended just now
                continue
        return found


def metrics_folder(folder: Path) -> Path:
    """Return where prometheus-client keeps what the processes count."""
    return folder / "metrics"


def ready_file(folder: Path, slot: int) -> Path:
    """Return the file in which a process says its id when it answers requests."""
    return folder / f"{slot}.ready"
