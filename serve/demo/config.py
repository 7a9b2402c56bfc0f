"""The demo's configuration, as a file that a person can read and change."""

from __future__ import annotations

import json

from serve.demo.fault import Break

_FEATURES = (
    "(compose.SelectType(str) | preprocessing.OneHotEncoder()) + "
    "(compose.SelectType(int, float) | preprocessing.StandardScaler()) | "
)
DEMO_PIPELINE = f"{_FEATURES}linear_model.LogisticRegression()"
DEMO_SETTLED = f"{_FEATURES}linear_model.LogisticRegression(optim.AdaGrad(0.05))"
"""Its steps get smaller with what it has seen: it does not learn a new concept by itself soon."""
DEMO_CANDIDATE = f"{_FEATURES}linear_model.LogisticRegression(optim.Adam(0.002))"

_TEXT = """\
# The demo: will a flight arrive more than 15 minutes late? Asked at its scheduled departure,
# answered when it lands.

[stream]
name = {name}
broker = {broker}
store = {store}

[event]
id = "flight_id"
time = "scheduled"
label = "late"
features = [
  "carrier", "origin", "dest", "distance", "hour", "weekday",
  "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib",
]

[model]
task = "binary"
pipeline = {pipeline}
metrics = ["ROCAUC", "LogLoss"]
{candidates}
[labels]
max_delay = "3d"  # no flight takes that long: what has no label by then was cancelled or diverted

[monitor]
warmup_events = 12_067    # two weeks, to the end of a day
pane_span = "1d"
detector = "none"         # storms come and go: the test with a budget is enough
reference_losses = 9_000  # ten days of labels

[retrain]
window = 20_000    # three weeks
min_events = 3_000
min_labels = 1_000
max_labels = 8_000

[checkpoint]
max_interval = "1s"  # what is shown live comes from the checkpoints

[api]
port = {port}
"""

_CANDIDATES = """
[[model.candidates]]
name = "adam"  # races the configured one in every retraining, and once after the warm-up
pipeline = {candidate}
"""


def demo_config_text(
    name: str, broker: str, store: str, port: int, fault: Break | None = None
) -> str:
    """Return the demo's ``riverrun.toml``.

    Parameters
    ----------
    name
        Of the stream.
    broker, store
        URLs.
    port
        Of the API.
    fault
        What is broken on purpose. Without one another pipeline races the configured one. It does
        so once after the warm-up, and while a run is under way the monitor calls for no other: a
        fault is to find it at rest. A changed concept meets a model that is settled; the usual one
        learns a new concept within days, so that a challenger has nothing to prove.

    Examples
    --------
    >>> import tomllib
    >>> text = demo_config_text("flights", "sqlite:///log.db", "sqlite:///riverrun.db", 8000)
    >>> tomllib.loads(text)["stream"]["name"]
    'flights'
    """
    # JSON writes text as TOML does.
    return _TEXT.format(
        name=json.dumps(name),
        broker=json.dumps(broker),
        store=json.dumps(store),
        pipeline=json.dumps(DEMO_SETTLED if fault is Break.CONCEPT else DEMO_PIPELINE),
        candidates=_CANDIDATES.format(candidate=json.dumps(DEMO_CANDIDATE))
        if fault is None
        else "",
        port=port,
    )
