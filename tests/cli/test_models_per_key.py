"""``status`` tells of models per key, and ``worker --runner quix`` of what does not fit it."""

from __future__ import annotations

import json

import pytest

PER = """
[retrain]
enabled = false
"""


@pytest.fixture
def keyed(config, here):
    """A stream with models per key, three of which fit into memory, and its events."""
    text = config.read_text().replace("[model]", '[model]\nper = "color"\nper_in_memory = 3')
    config.write_text(text + PER)
    path = here / "events.jsonl"
    rows = [{"id": n, "x": n % 7, "color": f"c{n % 9}", "y": n % 2 == 0} for n in range(450)]
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_the_status_counts_keys_and_says_where_they_are(keyed, invoke):
    invoke("produce", keyed)
    assert invoke("worker", "--until-caught-up").exit_code == 0
    result = invoke("status")
    assert "keys by color: 9, 3 in memory, 6 in the store alone" in " ".join(result.stdout.split())
    assert "the parent answered 40.0%" in " ".join(result.stdout.split())
    told = json.loads(invoke("status", "--json").stdout)["keys"]
    assert (told["keys"], told["answers"]) == (9, {"parent": 180, "key": 270})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "stream.broker: found sqlite"),
        (("--rebuild",), "--rebuild: Quix keeps the state"),
        (("--member", "a/b"), "--member 'a/b'"),
    ],
)
def test_what_the_quix_runner_does_not_do_is_refused(keyed, invoke, options, message):
    result = invoke("worker", "--runner", "quix", *options)
    assert result.exit_code == 2
    assert message in result.stderr
