"""One record that a broker refuses is one failure, and not the end of its producer."""

from __future__ import annotations

from typing import Any


def keep_failures_local(producer: Any) -> None:
    """Let an idempotent KafkaProducer go on after a record that can never be written.

    kafka-python 3.0.12 takes every error that a retry cannot mend for the end of the producer, also
    a record over its topic's limit: whatever is sent afterwards, to whichever topic, fails with the
    same error. Here such a producer begins a new epoch, as after a gap in its sequence numbers: the
    record's own batch fails, and others go on.
    """
    manager = producer._transaction_manager  # noqa: SLF001
    classify = manager.classify_batch_error

    def classify_mildly(error: Any, batch: Any, **known: Any) -> Any:
        found = classify(error, batch, **known)
        kind = error if isinstance(error, type) else type(error)
        if found == manager.ERROR_CLASS_FATAL and kind not in manager._FATAL_ERRORS:  # noqa: SLF001
            return manager.ERROR_CLASS_NEEDS_EPOCH_BUMP
        return found

    manager.classify_batch_error = classify_mildly
