"""The files in examples/ work."""

from pathlib import Path

import pytest

from stream.build import line_factory
from stream.load_config import load_config
from stream.pipelines.read import canonical

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.name)
def test_the_model_of_an_example_can_be_built(path, monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    line = line_factory(load_config(path), str(path))("v1")
    assert line.counts.events == 0


def test_the_flights_of_the_example_are_those_of_the_demo():
    import tomllib

    from serve.demo.config import demo_config_text

    demo = tomllib.loads(demo_config_text("flights", "b", "s", 8000))
    example = tomllib.loads((EXAMPLES / "flights.toml").read_text())
    assert example["event"] == demo["event"]
    assert canonical(example["model"]["pipeline"]) == canonical(demo["model"]["pipeline"])


def test_the_own_model_learns(riverrun, here, environment, invoke):
    environment["PYTHONPATH"] += f":{EXAMPLES}"
    rows = "".join(f"2024-01-01T{i % 24:02}:00,{i % 24},{100 + i % 24}\n" for i in range(200))
    (here / "a.csv").write_text(f"ts,hr,cnt\n{rows}")
    path = EXAMPLES / "own_model.toml"
    assert invoke("produce", "a.csv", "--config", path).exit_code == 0
    code, out, err = riverrun("worker", "--until-caught-up", "--config", path)
    assert code == 0, err
    assert "learned 200" in out
