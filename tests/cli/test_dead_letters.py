"""``riverrun dead-letters`` over the embedded log: what people see, and what they send there."""

import json
import re
import sqlite3
import time
from contextlib import closing

import pytest

from stream.load_config import load_config
from stream.logs.open_log import open_log
from stream.records import NewRecord

GOOD = '{"id": "g%d", "x": 1.0, "color": "red", "y": true}'
LARGE = '{"id": "l%d", "x": 2.0, "color": "%s", "y": false}'


@pytest.fixture
def limited(config):
    """Events of more than 100 bytes are dead letters; nothing is remembered to drop repeats."""
    text = config.read_text().replace(
        'id = "id"', 'id = "id"\nmax_bytes = 100\ndedup_window = 0', 1
    )
    config.write_text(f"{text}\n[dead_letters]\nmax_share = 1.0\n")
    return config


@pytest.fixture
def mend(limited):
    """Raise the limit: no mapping changes, so the worker goes on without a rebuild."""
    return lambda: limited.write_text(limited.read_text().replace("max_bytes = 100\n", ""))


@pytest.fixture
def send(limited):
    """Append values as they are."""

    def append(*values, topic="s.events", headers=(), key=None):
        settings = load_config(limited)
        with closing(open_log(settings.stream.broker)) as log:
            log.create_topics(dict.fromkeys(settings.topic_names, 1))
            encoded = [v.encode() if isinstance(v, str) else v for v in values]
            log.sink().append([NewRecord(topic, key, v, headers) for v in encoded])

    return append


@pytest.fixture
def work(riverrun):
    def run(*options):
        code, out, err = riverrun("worker", "--until-caught-up", "--json", *options)
        assert code == 0, err
        return json.loads(out)["counts"]

    return run


def ask(invoke, *arguments):
    result = invoke("dead-letters", *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_fixed_and_replayed_twice_is_learned_once(send, work, riverrun, mend):
    send(GOOD % 1, LARGE % (1, "x" * 100), LARGE % (2, "x" * 100))
    assert work()["learned"] == 1
    code, out, err = riverrun("dead-letters", "replay", "--yes", "--json")
    assert code == 0, err
    assert json.loads(out)["rejections"] == {"decode/too_large": 2}
    mend()
    for replayed in (2, 0):
        code, out, err = riverrun("dead-letters", "replay", "--yes", "--json")
        assert code == 0, err
        assert json.loads(out)["replayed"] == replayed
        assert work()["learned"] == 3
    assert json.loads(out)["skipped"] == {"already_replayed": 2}


def test_list_shows_the_newest_first_and_sums_up(send, work, invoke):
    send("{", GOOD % 1, LARGE % (1, "x" * 100), '{"x": 1.0}', "{")
    work()
    found = ask(invoke, "list")
    assert [letter["place"] for letter in found["letters"]] == ["0:3", "0:2", "0:1", "0:0"]
    assert [letter["reason"] for letter in found["letters"]] == [
        "invalid_json", "missing_id", "too_large", "invalid_json",
    ]  # fmt: skip
    assert {(k["stage"], k["reason"], k["count"]) for k in found["summary"]} == {
        ("decode", "invalid_json", 2),
        ("decode", "too_large", 1),
        ("check", "missing_id", 1),
    }
    assert found["summary"][0]["count"] == 2
    newest = found["letters"][0]
    assert newest["source"].items() >= {"topic": "s.events", "partition": 0, "offset": 4}.items()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", newest["time"])
    assert (newest["bytes"], newest["replayed"], newest["replay_of"]) == (1, "no", None)
    text = invoke("dead-letters", "list").stdout
    assert "s.dead-letters: 4 dead letters" in text
    assert "s.events-0:4" in text
    assert "decode/invalid_json" in text


def test_pages_go_on_where_the_one_before_ended(send, work, invoke):
    send(*["{"] * 7, '{"x": 1.0}')
    work()
    for order, wanted in (((), range(6, -1, -1)), (("--oldest-first",), range(7))):
        seen, start = [], ()
        for _ in range(4):
            page = ask(invoke, "list", "--limit", 2, "--reason", "invalid_json", *order, *start)
            assert page["matched"] == 7
            seen += [letter["place"] for letter in page["letters"]]
            start = ("--from", page["next"])
        assert page["next"] is None
        assert seen == [f"0:{n}" for n in wanted]
    assert "More: add --from 0:5" in invoke("dead-letters", "list", "--limit", 2).stdout


def test_filters(send, work, invoke):
    send("{", '{"x": 1.0}')
    work()
    middle = time.time()
    while time.time() - middle < 0.05:
        time.sleep(0.01)
    send("[]")
    work()

    def places(*options):
        return [letter["place"] for letter in ask(invoke, "list", *options)["letters"]]

    assert places("--stage", "check") == ["0:1"]
    assert places("--reason", "riverrun.wrong_type", "--reason", "invalid_json") == ["0:2", "0:0"]
    moment = ask(invoke, "list")["letters"][0]["time"]
    assert places("--since", moment) == ["0:2"]
    assert places("--until", moment) == ["0:1", "0:0"]
    assert places("--since", "1h") == ["0:2", "0:1", "0:0"]
    assert places("--until", "1h") == []
    result = invoke("dead-letters", "list", "--stage", "decod")
    assert result.exit_code == 0
    assert "none of 3 dead letters matches; there are check/missing_id (1)" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("list", "--since", "yesterday"), "--since: found 'yesterday'"),
        (("list", "--from", "0:99"), "no dead letter at 0:99"),
        (("list", "--from", "first"), "partition:offset"),
        (("list", "--limit", "0"), "--limit"),
        (("show", "99"), "no dead letter at 0:99 of s.dead-letters"),
        (("show", "1:0"), "no partition 1"),
        (("show", "x"), "partition:offset"),
        (("show", "0", "--raw", "--json"), "say one of them"),
        (("replay",), "say --yes"),
        (("replay", "0:0", "0:99", "--yes"), "no dead letter at 0:99"),
        (("replay", "0:0", "--since", "1h", "--yes"), "give either places, or"),
        (("replay", "7:0", "--yes"), "no partition 7"),
    ],
)
def test_a_mistake_is_said_and_nothing_is_done(send, work, invoke, mend, arguments, message):
    send(LARGE % (1, "x" * 100))
    work()
    mend()
    result = invoke("dead-letters", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert ask(invoke, "replay", "--dry-run")["would_replay"] == 1


def test_a_log_or_topic_that_is_not_there(config, here, invoke, events):
    for command in (("list",), ("show", "0"), ("replay", "--yes"), ("replay", "0", "--yes")):
        result = invoke("dead-letters", *command)
        assert result.exit_code == 3
        assert "there is no such file" in result.stderr
        assert not (here / "log.db").exists()
    assert invoke("produce", events).exit_code == 0
    config.write_text(config.read_text() + '\n[topics]\ndead_letters = "gone"\n')
    for command in (("list",), ("show", "0"), ("replay", "--yes"), ("replay", "0", "--yes")):
        result = invoke("dead-letters", *command)
        assert result.exit_code == 3
        assert "topic 'gone' does not exist" in result.stderr


def test_an_empty_topic_is_good_news(config, invoke, events):
    assert invoke("produce", events).exit_code == 0
    result = invoke("dead-letters", "list")
    assert (result.exit_code, result.stdout) == (0, "s.dead-letters: no dead letters\n")
    found = ask(invoke, "list")
    assert (found["total"], found["letters"], found["summary"]) == (0, [], [])
    assert ask(invoke, "replay", "--yes")["selected"] == 0


HOSTILE = [
    b"\x1b]0;owned\x07\x1b[2J\x1b[31m{",
    '{"id": "\x9b31m\u202ered\u2028", "[red]x[/red]": 1'.encode(),
    b"[/bold][link=file:///etc/passwd]click[/link]",
    b"\x00\xff\xfe" * 20,
    b"[" * 5_000,
    b'{"a":' * 300,
    json.dumps({"deep": [[[[[1] * 100] * 10] * 10] * 3]}).encode(),
    b"\r\n\r\n\x08\x08",
    b"",
]


def test_peoples_bytes_are_shown_and_never_carried_out(send, work, invoke, limited):
    limited.write_text(limited.read_text().replace("max_bytes = 100\n", ""))
    headers = (("\x1b[5m[red]name[/red]", b"\x1b[2J\xff\x9b"), ("__connect.errors.stage", b"[b]"))
    send(*HOSTILE, headers=headers, key=b"\x1b[1A[/]\xff")
    assert work()["dead_lettered"] == len(HOSTILE)
    everything = [invoke("dead-letters", "list").stdout]
    for number, value in enumerate(HOSTILE):
        result = invoke("dead-letters", "show", f"0:{number}")
        assert result.exit_code == 0, result.stderr
        everything.append(result.stdout)
        everything.append(invoke("dead-letters", "show", number, "--json").stdout)
        raw = invoke("dead-letters", "show", number, "--raw")
        assert raw.stdout_bytes == value
    for text in everything:
        assert text.replace("\n", "").isprintable(), ascii(text)
    text = "\n".join(everything)
    assert "\\x1b]0;owned\\x07\\x1b[2J\\x1b[31m{" in text
    assert "[/bold][link=file:///etc/passwd]click[/link]" in text
    assert "\\x1b[5m[red]name[/red]" in text
    assert "00000000  00 ff fe 00" in text
    shown = ask(invoke, "show", 3)
    assert set(shown["value"]) == {"base64"}
    assert shown["headers"][0]["value"] == {"base64": "G1sySv+b"}
    assert ask(invoke, "show", 1)["value"]["text"].encode() == HOSTILE[1]


def test_show_indents_json_and_tells_all_there_is(send, work, invoke):
    send('{"x":[1,{"y":2}]}', headers=(("trace", b"abc"),), key=b"k")
    work()
    text = invoke("dead-letters", "show", "0").stdout
    assert '{\n  "x": [\n    1,\n    {\n      "y": 2\n    }\n  ]\n}' in text
    assert re.search(r"^trace +abc +record *$", text, re.MULTILINE)
    assert re.search(r"^__connect.errors.stage +decode +worker *$", text, re.MULTILINE)
    shown = ask(invoke, "show", "0:0")
    assert (shown["key"], shown["value"]) == ({"text": "k"}, {"text": '{"x":[1,{"y":2}]}'})
    assert shown["stage"] == "decode"


def test_left_out_bytes_are_shown_from_where_they_stand(send, work, invoke, here):
    value = b'{"note": "%s"}' % (b"x" * 1_048_400)
    send(value)
    work()
    assert "stand at s.events-0:0" in invoke("dead-letters", "show", "0").stdout
    assert invoke("dead-letters", "show", "0", "--raw").stdout_bytes == value
    with closing(sqlite3.connect(here / "log.db")) as db, db:
        db.execute("UPDATE log_partitions SET earliest = 1 WHERE topic = 's.events'")
        db.execute("DELETE FROM log_records WHERE offset = 0 AND partition_id = 1")
    assert "no longer holds them" in invoke("dead-letters", "show", "0").stdout
    result = invoke("dead-letters", "show", "0", "--raw")
    assert (result.exit_code, result.stdout_bytes) == (2, b"")
    assert ask(invoke, "replay", "--yes", "--no-check")["skipped"] == {"original_gone": 1}


def test_a_replay_that_failed_again_names_its_origin(send, work, invoke, mend):
    send(GOOD % 1, LARGE % (1, "x" * 100))
    work()
    assert ask(invoke, "replay", "--yes", "--no-check")["replayed"] == 1
    work()
    newest, oldest = ask(invoke, "list")["letters"]
    assert newest["replay_of"].items() >= {"topic": "s.events", "offset": 1}.items()
    assert (oldest["replay_of"], oldest["replayed"], newest["replayed"]) == (None, "yes", "no")
    assert "s.events-0:2, a replay of s.events-0:1" in invoke("dead-letters", "list").stdout
    mend()
    assert ask(invoke, "replay", "--yes")["replayed"] == 1
    assert work()["learned"] == 2


def test_a_dry_run_tells_and_does_nothing(send, work, invoke, mend):
    send(LARGE % (1, "x" * 100), "{")
    work()
    mend()
    for _ in range(2):
        assert ask(invoke, "replay", "--dry-run") == {
            "topic": "s.dead-letters", "dry_run": True, "stopped": False, "selected": 2,
            "would_replay": 1, "skipped": {"still_rejected": 1},
            "rejections": {"decode/invalid_json": 1},
        }  # fmt: skip
    text = invoke("dead-letters", "replay", "--dry-run").stdout
    assert "s.dead-letters: 1 of 2 dead letters would be replayed" in text
    assert "skipped 1: they would be rejected again" in text
    assert work()["events"] == 2


def test_after_a_rebuild_nothing_is_learned_twice(send, work, invoke, mend):
    send(LARGE % (1, "x" * 100))
    work()
    mend()
    assert work("--rebuild")["learned"] == 1
    result = invoke("dead-letters", "replay", "--dry-run")
    assert "skipped 1: they were read again by a rebuild" in result.stdout
    assert ask(invoke, "replay", "--dry-run", "--rebuilt")["would_replay"] == 1
