"""``riverrun drift``: two files, a verdict for each feature, and an exit code."""

import gzip
import io
import json
import random
import re
import time

import pytest

from serve.cli.drift_choice import Choice
from serve.cli.drift_files import compare_files


@pytest.fixture
def write(here):
    """Write a CSV file of columns."""

    def write_csv(name, **columns):
        rows = zip(*columns.values(), strict=True)
        text = "".join(",".join(map(str, row)) + "\n" for row in rows)
        content = (",".join(columns) + "\n" + text).encode()
        (here / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return here / name

    return write_csv


def normal(mean=0.0, n=1000, seed=1):
    rng = random.Random(seed)
    return [round(rng.gauss(mean, 1), 4) for _ in range(n)]


def choices(names, n=1000, seed=1):
    rng = random.Random(seed)
    return [rng.choice(names) for _ in range(n)]


def report(result):
    return json.loads(result.stdout)


def features(result):
    return {feature["name"]: feature for feature in report(result)["features"]}


def test_no_drift_leaves_with_0_and_drift_with_1(write, invoke):
    write("a.csv", x=normal(), y=normal(seed=2))
    write("b.csv", x=normal(seed=3), y=normal(seed=4))
    write("c.csv", x=normal(seed=3), y=normal(0.5, seed=4))
    fine = invoke("drift", "a.csv", "b.csv")
    assert fine.exit_code == 0
    assert "None of 2 features drifted" in fine.stdout
    drifted = invoke("drift", "a.csv", "c.csv")
    assert drifted.exit_code == 1
    assert "1 of 2 features drifted: y" in drifted.stdout
    assert drifted.stderr == ""


def test_the_table_says_in_words_what_it_says_in_colours(write, invoke):
    write("a.csv", gone=normal(), kept=normal(seed=5), few=[*normal(n=50), *[""] * 950],
          c=choices(["red", "blue"]), m=normal(seed=6))  # fmt: skip
    write("b.csv", c=choices(["red", "green"], seed=9), kept=normal(seed=7),
          few=[*normal(n=60), *[""] * 940], m=[*[""] * 300, *normal(n=700)])  # fmt: skip
    result = invoke("drift", "a.csv", "b.csv", "--columns", "gone,kept,few,c,m")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    (c,) = [line for line in lines if line.startswith("c ")]
    (m,) = [line for line in lines if line.startswith("m ")]
    assert "✗ DRIFT" in c
    assert "green (" in c
    assert "DRIFT" in m
    assert "0.0% → 30.0%" in m
    assert any("✓ ok" in line and line.startswith("kept") for line in lines)
    assert any("column is gone" in line and line.startswith("gone") for line in lines)
    order = [line.split()[0] for line in lines if "✗" in line or "✓" in line]
    assert order[-2:] in (["few", "kept"], ["kept", "few"])
    assert re.search("[▁▂▃▄▅▆▇█]{2}", result.stdout)


def test_json_is_the_whole_report_and_nothing_else(write, invoke):
    write("a.csv.gz", x=normal(), c=choices(["a", "b"]))
    write("b.csv", x=normal(1.0, seed=3), c=choices(["a", "z"], seed=2))
    result = invoke("drift", "a.csv.gz", "b.csv", "--json")
    data = report(result)
    assert result.exit_code == 1
    assert data["verdict"] == "drift"
    assert data["reference"] == {"name": "a.csv.gz", "rows": 1000}
    assert set(data["drifted"]) == {"x", "c"}
    x, c = features(result)["x"], features(result)["c"]
    assert x["test"] == "wasserstein"
    assert x["distance"] == pytest.approx(1.0, abs=0.1)
    assert x["distance"] > x["threshold"]
    assert list(c["new_categories"]) == ["z"]
    assert sum(b["current"] for b in x["bins"]) == pytest.approx(1.0)
    assert len(x["bins"]) == 32


def test_formats_mix(write, here, invoke):
    write("a.csv", x=normal(), flag=choices(["true", "false"]))
    rows = zip(normal(seed=3), choices([True, False], seed=3), strict=True)
    lines = "".join(json.dumps({"x": x, "flag": flag}) + "\n" for x, flag in rows)
    (here / "b.jsonl").write_text(lines)
    (here / "b.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    for name in ("b.jsonl", "b.jsonl.gz"):
        result = invoke("drift", "a.csv", name, "--json")
        assert result.exit_code == 0, result.output
        assert len(features(result)) == 2


def test_ids_times_and_counters_are_left_out_and_named(write, invoke):
    def columns(start, seed):
        return {
            "order_id": range(start, start + 1000),
            "code": [f"k{number:06x}" for number in range(start, start + 1000)],
            "placed": [f"2025-01-01T{n // 60:02d}:{n % 60:02d}:00" for n in range(1000)],
            "meter": [start + number // 3 for number in range(1000)],
            "hour": [number % 24 for number in range(1000)],
            "x": normal(seed=seed),
        }

    write("a.csv", **columns(0, 1))
    write("b.csv", **columns(1000, 2))
    result = invoke("drift", "a.csv", "b.csv")
    assert result.exit_code == 0
    assert "None of 2 features drifted" in result.stdout
    for name in ("order_id", "code", "placed", "meter"):
        assert re.search(rf"Left out: .*\b{name}\b", result.stdout), name
    assert invoke("drift", "a.csv", "b.csv", "--columns", "meter,x").exit_code == 1
    ignored = invoke("drift", "a.csv", "b.csv", "--ignore", "hour", "--json")
    assert report(ignored)["left_out"]["hour"] == "ignored, as asked"


def test_options_change_the_verdict(write, invoke):
    write("a.csv", x=normal())
    write("b.csv", x=normal(0.3, seed=3))
    assert invoke("drift", "a.csv", "b.csv").exit_code == 1
    floors = ("--wasserstein-floor", "0.6", "--js-floor", "0.9")
    assert invoke("drift", "a.csv", "b.csv", *floors).exit_code == 0
    strict = invoke("drift", "a.csv", "b.csv", "--false-alarms", "1 per 10 panes", "--json")
    assert report(strict)["false_alarms_per_pane"] == 0.1


def test_a_column_of_another_type_has_drifted(write, invoke):
    write("a.csv", x=normal(), y=normal(seed=2))
    write("b.csv", x=["n/x"] * 1000, y=normal(seed=3))
    result = invoke("drift", "a.csv", "b.csv", "--json")
    assert result.exit_code == 1
    assert features(result)["x"]["why"] == "type changed"
    assert features(result)["x"]["unusable_current"] == 1.0
    assert "type changed" in invoke("drift", "a.csv", "b.csv").stdout


def test_nulls_constants_and_columns_without_a_value(write, invoke):
    empty, same = [""] * 1000, [5] * 1000
    write("a.csv", empty=empty, same=same, wakes=empty, moves=same, na=["NA"] * 1000)
    write("b.csv", empty=empty, same=same, wakes=normal(), moves=normal(), na=empty)
    result = invoke("drift", "a.csv", "b.csv", "--json")
    assert set(report(result)["drifted"]) == {"wakes", "moves"}
    assert features(result)["wakes"]["kind"] == "presence"
    assert invoke("drift", "a.csv", "b.csv").exit_code == 1
    assert invoke("drift", "a.csv", "a.csv").exit_code == 0


def test_hostile_and_unicode_names_are_shown_as_they_are(here, invoke):
    names = ["<img src=x onerror=alert(1)>", "[red]bold[/red]", "größe 日本", "\x1b[31mx\n\u202e",
             "a, b", "[/]", "x" * 300]  # fmt: skip

    def lines(mean):
        values = normal(mean)
        return "".join(json.dumps(dict.fromkeys(names, v) | {"c": "[b]é"}) + "\n" for v in values)

    (here / "a.jsonl").write_text(lines(0))
    (here / "b.jsonl").write_text(lines(3).replace("[b]", "[i]"))
    result = invoke("drift", "a.jsonl", "b.jsonl")
    assert result.exit_code == 1
    squeezed = "".join(result.stdout.split())
    for text in (*names[:3], r"\x1b[31mx\n\u202e", names[5], "[i]é"):
        assert "".join(text.split())[:20] in squeezed
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    data = invoke("drift", "a.jsonl", "b.jsonl", "--json", "--columns", '"a, b"')
    assert report(data)["drifted"] == ["a, b"]


def test_half_a_character_is_refused(here, invoke):
    (here / "a.jsonl").write_text('{"\\ud800": 1}\n')
    result = invoke("drift", "a.jsonl", "a.jsonl")
    assert result.exit_code == 2
    assert "a.jsonl, line 1: JSON is malformed" in result.stderr


def test_output_that_takes_ascii_only_gets_it(write, riverrun):
    write("a.csv", x=normal(), größe=normal(seed=2))
    write("b.csv", x=normal(2, seed=3), größe=normal(seed=4))
    ascii_only = {"PYTHONIOENCODING": "ascii"}
    code, out, err = riverrun("drift", "a.csv", "b.csv", env=ascii_only)
    assert (code, err) == (1, "")
    assert "1 of 2 features drifted: x" in out
    assert re.search(r"[.:=+*%@-]{4}", out)
    assert riverrun("schema", "infer", "a.csv", "-o", "s.toml", env=ascii_only)[0] == 0
    code, out, err = riverrun("schema", "check", "b.csv", "--schema", "s.toml", env=ascii_only)
    assert (code, err) == (0, "")
    assert "! warning" in out


def test_a_narrow_table_leaves_out_columns_that_say_nothing(write):
    from rich.console import Console

    from monitor.config import SkewConfig
    from serve.cli.drift_view import drift_view

    a = write("a.csv", amount_of_order=normal(), c=choices(["red", "blue"]))
    b = write("b.csv", amount_of_order=normal(2, seed=3), c=choices(["red", "blue"], seed=2))
    result = compare_files(a, b, Choice(), SkewConfig())
    for width, shown in ((80, False), (160, True)):
        console = Console(width=width, record=True, file=io.StringIO())
        console.print(drift_view(result, width=width))
        text = console.export_text()
        assert ("new categories" in text) is shown
        assert "amount_of_order" in text
        assert max(map(len, text.splitlines())) <= width


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nope.csv", "a.csv"], "nope.csv: no such file"),
        (["a.csv", "nope.parquet"], "nope.parquet: no such file"),
        (["a.csv", "empty.csv"], "the file is empty"),
        (["header.csv", "a.csv"], "only the line of column names"),
        (["a.csv", "header.csv"], "only the line of column names"),
        (["a.csv", "other.csv"], "no columns in common"),
        (["a.csv", "small.csv"], "each feature needs 100 values"),
        (["a.csv", "a.csv", "--columns", "xx"], "did you mean 'x'?"),
        (["a.csv", "a.csv", "--ignore", "zzz"], "neither file has a column 'zzz'"),
        (["a.csv", "a.csv", "--ignore", "x"], "no column is left to compare"),
        (["a.csv", "a.csv", "--false-alarms", "often"], "--false-alarms"),
        (["a.csv", "a.csv", "--js-floor", "2"], "--js-floor"),
        (["a.csv", "a.csv", "--schema", "no.toml"], "no.toml: no such file"),
        (["a.csv", "a.csv", "--schema", "bad.toml"], "bad.toml"),
        (["a.csv", "a.csv", "--schema", "other.toml"], "no column is left to compare"),
        (["a.csv", "a.txt"], "the extension '.txt'"),
        (["a.csv", "-"], "not from standard input"),
        (["a.csv", "bad.parquet"], "not readable as Parquet"),
        (["a.csv", "."], "extension"),
    ],
)
def test_what_cannot_be_used_leaves_with_2_and_a_sentence(write, here, invoke, arguments, message):
    if "bad.parquet" in arguments:
        pytest.importorskip("pyarrow")
    write("a.csv", x=normal())
    write("other.csv", y=normal())
    write("small.csv", x=normal(n=20))
    (here / "empty.csv").write_text("")
    (here / "header.csv").write_text("x,y\n")
    (here / "a.txt").write_text("x\n1\n")
    (here / "bad.toml").write_text("[features.x]\ntype = 7\n")
    (here / "other.toml").write_text('[features.q]\ntype = "int"\n')
    (here / "bad.parquet").write_bytes(b"PAR1 no PAR1")
    result = invoke("drift", *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert "Traceback" not in result.output


def test_a_schema_says_what_columns_hold(write, here, invoke):
    write("a.csv", code=choices(["1", "2", "3"]), x=normal(), note=normal(seed=2))
    write("b.csv", code=choices(["1", "2", "4"], seed=2), x=normal(seed=3), note=normal(9))
    (here / "s.toml").write_text('[features.code]\ntype = "string"\n[features.x]\ntype = "float"\n')
    result = invoke("drift", "a.csv", "b.csv", "--schema", "s.toml", "--json")
    assert features(result)["code"]["kind"] == "categorical"
    assert list(features(result)["code"]["new_categories"]) == ["4"]
    assert report(result)["left_out"] == {"note": "not in the schema"}


def test_a_reference_that_does_not_fit_in_memory_is_counted_as_a_whole(write):
    from monitor.config import SkewConfig

    a = write("a.csv", x=normal(n=25_000), c=choices("abcde", n=25_000))
    b = write("b.csv", x=normal(0.4, n=25_000, seed=2), c=choices("abcdf", n=25_000, seed=2))
    whole = compare_files(a, b, Choice(), SkewConfig())
    part = compare_files(a, b, Choice(), SkewConfig(), cells_max=7_000)
    assert any("one row in 8" in note for note in part.notes)
    for one, other in zip(whole.features, part.features, strict=True):
        assert other.skew.name == one.skew.name
        assert other.skew.values_reference == 25_000
        assert other.skew.js == pytest.approx(one.skew.js, rel=0.1)
        assert other.extra == one.extra


def test_a_million_rows_are_quick(here, invoke):
    block = "".join(f"{x},{c}\n" for x, c in zip(normal(), choices("abc"), strict=True))
    for name in ("a.csv", "b.csv"):
        (here / name).write_text("x,c\n" + block * 1000)
    started = time.process_time()  # other processes of a busy machine do not count
    result = invoke("drift", "a.csv", "b.csv", "--json")
    seconds = time.process_time() - started
    assert result.exit_code == 0
    assert report(result)["current"]["rows"] == 1_000_000
    print(f"drift of a million rows: {seconds:.1f} s")
    assert seconds < 40
