"""Model as a service: ask over HTTP, tell the label when it is known, see what came of it.

Run it as ``python service.py http://127.0.0.1:8000`` while ``riverrun up`` runs.
"""

# ruff: noqa: INP001, T201 - a file to run, not a package

from __future__ import annotations

import sys
import time

from serve.client import Client, NotFoundError, PredictionDetails

ORDER = {
    "order_id": f"web-{time.time_ns()}",
    "placed": "2025-01-03T12:00:00Z",
    "amount": 180.0,
    "items": 2,
    "country": "NL",
}


def when_labelled(client: Client, order_id: str) -> PredictionDetails:
    """Wait until the worker has matched the label with its prediction."""
    for _ in range(100):
        try:
            found = client.prediction(order_id)
        except NotFoundError:  # it comes with the worker's next checkpoint
            found = None
        if found is not None and found.label_state == "labelled":
            return found
        time.sleep(0.2)
    raise TimeoutError(order_id)


def main(url: str) -> None:
    """Predict one order, and follow it."""
    with Client(url, "orders", id_field="order_id") as client:
        said = client.predict(ORDER)
        print(f"returned: {said.prediction}, {said.probabilities}, by {said.model_version}")

        # Asked again, as after a lost connection: the same answer, and learned from once.
        again = client.predict(ORDER)
        print(f"the same again: {again.probabilities == said.probabilities}")

        # A what-if leaves no trace.
        cheap = client.predict(ORDER | {"amount": 5.0}, record=False)
        print(f"had it cost 5: {cheap.prediction}")

        # Days later, somewhere else:
        told = client.send_labels({"order_id": ORDER["order_id"], "returned": True})
        after = client.predict(ORDER, record=False, min_offset=told.min_offset)
        print(f"a model that has read the label answers: {after.prediction}")

        found = when_labelled(client, str(ORDER["order_id"]))
        print(f"right: {found.correct}, loss {found.loss:.3f}")


if __name__ == "__main__":
    main(sys.argv[1])
