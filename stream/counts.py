"""Everything that is counted, declared once. Counters only rise, and only with the history."""

from __future__ import annotations

import msgspec

from stream.labels import Label

LABEL_FATES = (
    "matched",
    "early",
    "orphaned",
    "late",
    "duplicate",
    "conflicting",
    "expired",
    "evicted",
)
"""What may become of a label, or of the wait for it: names in the status' ``labels``."""


class Counts(msgspec.Struct):
    """Counters of one shard. They add up, and a test holds them to it.

    ``events = predicted + repeated + rejected_events``,
    ``label_messages = matched_by_message + early_waiting + orphaned_for_good + late + duplicate +
    conflicting + rejected_labels`` and ``predicted = matched + expired + evicted + pending``.

    Parameters
    ----------
    events, label_messages
        Records read from each topic.
    predicted
        Events that were predicted (or came with the API's prediction).
    served
        Those of them that the API predicted first.
    learned
        Events that the model learned from.
    unlearned
        Events that it would have learned from, had the monitor not paused learning.
    repeated
        Events dropped because their id came before.
    dead_lettered
        Records sent to the dead-letter topic, for any reason.
    matched
        Labels that met their prediction, in the event itself or by message.
    early
        Matched labels that had come before their event.
    orphaned
        Labels whose event never came within the delay.
    late
        Labels of predictions that were given up before.
    duplicate, conflicting
        Labels that came again for an id, the same as before, or another.
    expired, evicted
        Predictions given up: by age, or because too many were pending.
    """

    events: int = 0
    label_messages: int = 0
    predicted: int = 0
    served: int = 0
    learned: int = 0
    unlearned: int = 0
    repeated: int = 0
    dead_lettered: int = 0
    matched: int = 0
    early: int = 0
    orphaned: int = 0
    late: int = 0
    duplicate: int = 0
    conflicting: int = 0
    expired: int = 0
    evicted: int = 0

    def again(self, known: Label | None, label: Label) -> None:
        """Count a label that came again; ``known`` is the first, None where it was given up."""
        if known is None:
            self.late += 1
        elif known == label:
            self.duplicate += 1
        else:
            self.conflicting += 1
