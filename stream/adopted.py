"""What a shard has taken in from outside its own partition, and where: part of its history."""

from __future__ import annotations

from typing import Any

import msgspec


class Adoption(msgspec.Struct, frozen=True):
    """One adoption: what was taken in, and after which records.

    Parameters
    ----------
    position
        How many adoptions of the shard came before.
    learned_offset
        How far the shard had read: the sum of the next offsets of its partitions.
    kind, number
        Of what was adopted, in the table ``shared``.
    """

    position: int
    learned_offset: int
    kind: str
    number: int


class Adopted:
    """What a line has adopted; written with its checkpoints.

    Attributes
    ----------
    numbers
        By kind, the number that was adopted last.
    kept
        By kind, what its adopter needs when the next one comes; it is pickled.
    count
        Of all adoptions.
    changes
        Adoptions since the last checkpoint.
    """

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.kept: dict[str, Any] = {}
        self.count = 0
        self.changes: list[Adoption] = []

    def note(self, kind: str, number: int, learned_offset: int) -> None:
        """Remember that something was adopted."""
        self.changes.append(Adoption(self.count, learned_offset, kind, number))
        self.numbers[kind] = number
        self.count += 1

    def known(self) -> dict[str, Any]:
        """Return what a checkpoint holds of it."""
        return {"numbers": self.numbers, "kept": self.kept, "count": self.count}

    def restore(self, known: dict[str, Any]) -> None:
        """Become what a checkpoint holds."""
        self.numbers, self.kept = known["numbers"], known["kept"]
        self.count, self.changes = known["count"], []

    def mark_committed(self) -> None:
        """Forget the changes: a checkpoint holds them."""
        self.changes = []
