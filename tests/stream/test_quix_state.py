"""What the Quix runner keeps: a line's state in a store of keys and bytes, piece by piece."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from serve.compose import Secrets
from serve.quix_runner import run_by_quix
from stream.build import line_factory
from stream.digest import state_digest
from stream.errors import CheckpointDamagedError, ConfigError, HaltedError, InputError
from stream.quix.partition_state import PartitionState
from stream.quix.values import PIECE_BYTES, Values
from stream.records import Record
from stream.storage.identity import identity_of
from tests.lines import make_config, make_line
from tests.stream.test_key_models import OFF, PER, assert_same_models, learner_of, stream_of


class Held(dict[bytes, bytes]):
    """A store of keys and bytes in memory."""

    def put(self, name: bytes, data: bytes) -> None:
        assert len(data) < 1_000_000
        self[name] = data

    def delete(self, name: bytes) -> None:
        self.pop(name, None)


def config_of(**model):
    return make_config(model=PER | model, retrain=OFF, monitor={"enabled": False})


def state_in(held: Held, config=None, secret: bytes | None = None) -> PartitionState:
    config = config or config_of()
    return PartitionState(Values(held, "s/quix/0", secret), identity_of(config), "s/quix/0")


def records() -> list[Record]:
    """Return the records of a stream in their order, each with an offset of its topic."""
    ends: dict[str, int] = {}
    found = []
    for at, row in enumerate(stream_of(250)):
        offset = ends[row.topic] = ends.get(row.topic, -1) + 1
        found.append(Record(row.topic, 0, offset, 1_000_000 + at, row.key, row.value))
    return found


@pytest.mark.parametrize("max_keys", [100_000, 5])
def test_a_line_goes_on_where_it_was_saved(max_keys):
    config = config_of(per_max_keys=max_keys, per_in_memory=3)
    held, rng, rows = Held(), random.Random(3), records()
    state = state_in(held, config)
    line = state.load(line_factory(config))
    at = 0
    while at < len(rows):
        stop = min(len(rows), at + rng.randrange(1, 60))
        for row in rows[at:stop]:
            line.handle([row], 0)
        if rng.random() < 0.3:  # what was not saved is lost, and handled again
            state = state_in(held, config)
            line = state.load(line_factory(config))
            continue
        state.save(line)
        at = stop
    wanted = make_line(config)
    wanted.handle(rows, 0)
    found = state_in(held, config).load(line_factory(config))
    assert learner_of(found).keys.held == 0
    assert_same_models(found, wanted)
    assert state_digest(found) == state_digest(wanted)


def test_what_was_written_by_somebody_else_is_noticed():
    held = Held()
    state = state_in(held)
    line = state.load(make_line_of)
    line.handle(records()[:50], 0)
    state.save(line)
    assert state.is_of_now()
    other = state_in(held)
    theirs = other.load(make_line_of)
    theirs.handle(records()[50:60], 0)
    other.save(theirs)
    assert not state.is_of_now()


def make_line_of(version: str):
    return line_factory(config_of())(version)


def test_values_are_cut_into_pieces_and_put_together_again():
    held = Held()
    values = Values(held, "here", None)
    for size in (0, 10, PIECE_BYTES, 3 * PIECE_BYTES + 7, 20):
        data = random.Random(size).randbytes(size)
        values.put("a", data)
        assert values.get("a") == data
    assert len(held) == 1
    values.delete("a")
    assert not held


@pytest.mark.parametrize("secret", [None, b"another"])
def test_a_value_that_does_not_fit_its_seal_is_not_taken(secret):
    held = Held()
    Values(held, "here", b"one").put("a", b"data")
    place = "elsewhere" if secret is None else "here"
    with pytest.raises(CheckpointDamagedError, match="damaged"):
        Values(held, place, secret).get("a")


def test_a_state_of_another_pipeline_is_refused():
    held = Held()
    state = state_in(held)
    line = state.load(make_line_of)
    state.save(line)
    other = config_of(pipeline="linear_model.LogisticRegression()")
    with pytest.raises(HaltedError, match="another pipeline"):
        state_in(held, other).load(line_factory(other))


def test_what_quix_does_not_run_is_refused_all_at_once():
    with pytest.raises(ConfigError) as refused:
        run_by_quix(
            make_config(worker={"health_port": 0}), Secrets(), "x.toml", member="0",
            state_dir=Path(),
        )  # fmt: skip
    for key in ("stream.broker", "stream.shards", "model.per", "monitor.enabled", "health_port"):
        assert key in str(refused.value)


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("serve.quix_runner.find_spec", lambda _name: None)
    config = make_config(
        stream={"broker": "kafka://127.0.0.1:1", "shards": "partition"},
        model=PER, retrain=OFF, monitor={"enabled": False},
    )  # fmt: skip
    with pytest.raises(InputError, match=r"riverrun\[quix\]"):
        run_by_quix(config, Secrets(), "x.toml", member="0", state_dir=Path())
