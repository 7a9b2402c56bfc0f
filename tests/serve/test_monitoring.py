"""What the monitor saw, over HTTP: on a real worker's store, SQLite and PostgreSQL."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import get_args

import pytest

from monitor.anomalies import KINDS
from monitor.panes import Pane
from monitor.performance import Performance
from monitor.schema_text import schema_from_toml
from serve.api.monitoring.anomalies import AnomalyAnswer, KindName
from serve.api.monitoring.drift import DriftAnswer
from serve.api.monitoring.drift_feature import FeatureAnswer
from serve.api.monitoring.drift_report import DriftReportAnswer
from serve.api.monitoring.performance_models import PerformanceAnswer
from serve.api.monitoring.schema import SchemaAnswer
from serve.drift_history import DriftHistory
from serve.stored_monitor import scores_of
from tests.serve.watched import EVENTS, PANE, SHIFTED_FROM, WARM_UP, watched_event, watched_world

BASE = "/v1/streams/flights"
ROUTES = {
    "/schema": SchemaAnswer,
    "/anomalies": AnomalyAnswer,
    "/anomalies?from=0": AnomalyAnswer,
    "/drift": DriftAnswer,
    "/drift-report": DriftReportAnswer,
    "/drift/x": FeatureAnswer,
    "/performance": PerformanceAnswer,
    "/performance?from=0&outlooks=true": PerformanceAnswer,
}


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def world(request, tmp_path_factory):
    """A stream of 400 events, whose feature x is shifted from one time on."""
    sections = {}
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").url("monitoring")
        sections["stream"] = {"store": url}
    made = watched_world(tmp_path_factory.mktemp("world"), **sections)
    bad = [
        watched_event(number) | fields
        for number, fields in enumerate(
            [{"x": "text"}, {"z": None}, {"c": "new"}, {"surprise": 1}] * 5, start=EVENTS
        )
    ]
    made.append(*bad)
    made.work()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(world):
    with world.api() as opened:
        yield opened


def rows(world) -> list:
    """Return the stored panes, newest first."""
    return [stored.row for stored in world.store.history.panes()]


def _tallied(row, kind: str, feature: str) -> int:
    return Pane.from_bytes(row.data).tally(kind, feature)


def milliseconds(seconds: float) -> int:
    return round(seconds * 1000)


@pytest.mark.parametrize("route", ROUTES)
def test_answers_have_the_documented_shape_and_begin_with_the_state(client, route):
    answer = client.get(BASE + route)
    assert answer.status_code == 200, answer.text
    found = ROUTES[route].model_validate(answer.json())
    assert (found.stream, found.warm_up, found.note) == ("flights", None, None)
    assert found.state == "HALTED"
    assert list(answer.json())[:5] == ["stream", "checkpoint", "state", "warm_up", "note"]


def test_the_schema_is_the_same_as_json_and_as_text(client):
    shape = SchemaAnswer.model_validate(client.get(f"{BASE}/schema").json()).shape
    for answer in (
        client.get(f"{BASE}/schema?format=toml"),
        client.get(f"{BASE}/schema", headers={"accept": "application/toml, application/json"}),
    ):
        assert answer.headers["content-type"] == "application/toml"
        assert answer.headers["vary"] == "Accept"
        schema = schema_from_toml(answer.text)
        assert schema.names == tuple(feature.name for feature in shape.features)
        declared = schema.by_name["x"]
        (x,) = [feature for feature in shape.features if feature.name == "x"]
        assert (x.minimum, x.maximum, x.type) == (declared.minimum, declared.maximum, "float")
    assert shape.inferred
    assert {kind.kind for kind in shape.kinds} == set(KINDS)
    wins = client.get(f"{BASE}/schema?format=json", headers={"accept": "application/toml"})
    assert wins.headers["content-type"] == "application/json"
    assert client.get(f"{BASE}/schema?format=xml").status_code == 422


def test_anomalies_are_grouped_with_first_and_last_seen_and_a_redacted_sample(client):
    assert set(get_args(KindName)) == set(KINDS)
    found = AnomalyAnswer.model_validate(client.get(f"{BASE}/anomalies").json())
    groups = {(group.kind, group.feature): group for group in found.groups}
    wrong = groups["wrong_type", "x"]
    assert (wrong.count, wrong.severity, wrong.sample) == (5, "error", "'texx'")
    assert wrong.first_seen == datetime.fromtimestamp(EVENTS, UTC)
    assert wrong.last_seen == datetime.fromtimestamp(EVENTS + 16, UTC)
    assert wrong.tfdv == ["UNEXPECTED_DATA_TYPE"]
    assert wrong.expected == "float"
    assert groups["unexpected_feature", "surprise"].count == 5
    assert found.counts["missing_feature"] == 5
    assert found.counts["volume"] == 0
    assert found.range is None
    starts = [group.first_seen for group in found.groups]
    assert starts == sorted(starts, reverse=True)


def test_anomalies_of_a_range_are_the_sums_of_its_panes(client, world):
    late = AnomalyAnswer.model_validate(
        client.get(f"{BASE}/anomalies", params={"from": EVENTS * 1000}).json()
    )
    assert (late.range.panes, late.range.events) == (1, 20)
    assert late.counts["wrong_type"] == late.counts["missing_feature"] == 5
    assert late.counts["unexpected_feature"] == 5
    whole = client.get(f"{BASE}/anomalies").json()["counts"]
    in_panes = client.get(f"{BASE}/anomalies?from=0").json()
    assert in_panes["counts"] == whole
    assert {group.feature for group in late.groups if group.kind == "wrong_type"} == {"x"}
    (x,) = [g for g in in_panes["groups"] if (g["kind"], g["feature"]) == ("out_of_range", "x")]
    with_it = [row for row in rows(world) if row.data and _tallied(row, "out_of_range", "x")]
    assert x["count"] == sum(_tallied(row, "out_of_range", "x") for row in with_it)
    assert datetime.fromisoformat(x["first_seen"]).timestamp() == min(r.first for r in with_it)
    assert datetime.fromisoformat(x["last_seen"]).timestamp() == max(r.last for r in with_it)
    pane_level = [g for g in late.groups if (g.kind, g.severity) == ("out_of_domain", "error")]
    assert [group.count for group in pane_level] == [1]
    before = client.get(f"{BASE}/anomalies", params={"to": milliseconds(SHIFTED_FROM)}).json()
    assert before["counts"]["wrong_type"] == 0
    assert before["range"]["panes"] == (SHIFTED_FROM - WARM_UP) / PANE
    nothing = client.get(f"{BASE}/anomalies?from=2030-01-01T00:00:00Z").json()
    assert (nothing["groups"], nothing["range"]["panes"]) == ([], 0)
    assert nothing["range"]["first"] is None


def test_an_optional_value_that_is_missing_is_no_anomaly_of_a_range(tmp_path):
    world = watched_world(tmp_path, 0)
    for number in range(WARM_UP + PANE):
        world.append(watched_event(number) | ({"maybe": 1.0} if number % 3 else {}))
    world.work()
    with world.api() as client:
        found = client.get(f"{BASE}/anomalies?from=0").json()
        maybe = client.get(f"{BASE}/drift/maybe?from=0").json()
    assert maybe["distribution"]["missing"]["current"] > 0.2
    assert found["counts"]["missing_feature"] == 0
    world.close()


def test_anomalies_are_filtered_and_paged_without_gaps(client):
    everything = client.get(f"{BASE}/anomalies").json()["groups"]
    assert len(everything) > 4
    seen, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"{BASE}/anomalies", params=params).json()
        assert len(page["groups"]) <= 2
        seen += page["groups"]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == everything
    for name, value in (("kind", "wrong_type"), ("feature", "x"), ("severity", "error")):
        kept = client.get(f"{BASE}/anomalies", params={name: value}).json()
        assert kept["groups"] == [group for group in everything if group[name] == value]
        assert kept["groups"]
        assert sum(kept["counts"].values()) == sum(group["count"] for group in kept["groups"])
    assert (
        client.get(f"{BASE}/anomalies?kind=nonsense").json()["errors"][0]["field"] == "query.kind"
    )


def test_the_timeline_is_what_was_stored_when_each_pane_closed(client, world):
    answer = DriftAnswer.model_validate(client.get(f"{BASE}/drift").json())
    stored = rows(world)
    assert [pane.index for pane in answer.panes] == [row.index for row in stored]
    for pane, row in zip(answer.panes, stored, strict=True):
        assert pane.ratios == row.summary.ratios
        assert pane.signals.model_dump() == row.summary.signals
        assert [(a.role, a.name) for a in pane.alarms] == row.summary.alarms
        assert (pane.events, pane.errors) == (row.events, row.errors)
        assert pane.first == datetime.fromtimestamp(row.first, UTC)
        assert [column.name for column in answer.layouts[pane.layout]] == ["x", "z", "c"]
    assert answer.panes[0].actions == ["pause", "alert"]
    assert answer.panes[0].anomalies[0].kind
    assert answer.signals.error_fraction == 0.5
    assert answer.reference.version == "v1"
    assert answer.reference.events == WARM_UP
    assert answer.versions == ["v1"]


def test_a_range_of_the_timeline_takes_times_in_both_forms(client):
    first, last = 200, 259
    by_number = client.get(f"{BASE}/drift", params={"from": first * 1000, "to": last * 1000})
    for sign, offset in (("Z", ""), ("+01:00", ""), (" 01:00", "")):
        hour = 1 if sign != "Z" else 0
        by_text = client.get(
            f"{BASE}/drift?from=1970-01-01T{hour:02}:03:20{sign}{offset}"
            f"&to=1970-01-01T00:04:19.000Z"
        )
        assert by_text.json() == by_number.json()
    assert [pane["index"] for pane in by_number.json()["panes"]] == [7, 6, 5]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=yesterday", "from"),
        ("to=1e5", "to"),
        ("from=99999999999999999", "from"),
        ("from=200&to=100", "to"),
        ("from=100&to=100", "to"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=many", "limit"),
        ("cursor=!!", "cursor"),
        ("cursor=kgM", "cursor"),
        ("cursor=" + "a" * 3000, "cursor"),
    ],
)
@pytest.mark.parametrize("route", ["/drift", "/anomalies", "/drift/x", "/performance"])
def test_a_mistake_in_the_query_is_a_problem_that_names_the_field(client, route, query, field):
    answer = client.get(f"{BASE}{route}?{query}")
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert f"query.{field}" in [error["field"] for error in answer.json()["errors"]]


def test_the_report_of_a_span_is_the_test_of_its_merged_panes(client, world):
    start = SHIFTED_FROM
    answer = client.get(
        f"{BASE}/drift-report", params={"from": milliseconds(start), "against": "v1"}
    )
    report = DriftReportAnswer.model_validate(answer.json())
    found = DriftHistory(world.store, world.config).span(start, None, "v1")
    assert report.drifted
    assert report.columns[0].name == "x"
    assert [column.ratio for column in report.columns] == [b.ratio for b in found.report.blame]
    assert [column.q for column in report.columns] == [b.q for b in found.report.blame]
    assert report.span.panes == found.panes
    assert report.span.events == found.pane.events
    recent = DriftReportAnswer.model_validate(client.get(f"{BASE}/drift-report").json())
    assert recent.span.panes == max(world.config.monitor.spans)
    two = DriftReportAnswer.model_validate(client.get(f"{BASE}/drift-report?panes=2").json())
    assert two.span.panes == 2
    calm = client.get(f"{BASE}/drift-report", params={"to": milliseconds(start)}).json()
    assert not calm["drifted"]


def test_a_report_that_cannot_be_is_a_problem_that_says_why(client):
    nothing = client.get(f"{BASE}/drift-report?from=2030-01-01T00:00:00Z").json()
    assert nothing["type"].endswith(":no_panes")
    assert "panes are stored from 1970-01-01T00:01:40" in nothing["detail"]
    unknown = client.get(f"{BASE}/drift-report?against=v9").json()
    assert (unknown["status"], unknown["known"]) == (404, ["v1"])
    assert unknown["errors"][0]["field"] == "query.against"


def test_a_feature_has_both_distributions_and_its_statistics_over_time(client, world):
    params = {"from": milliseconds(SHIFTED_FROM), "to": milliseconds(EVENTS)}
    found = FeatureAnswer.model_validate(client.get(f"{BASE}/drift/x", params=params).json())
    report, bins = found.report, found.distribution.bins
    assert (report.status, report.kind, found.declared.type) == ("ALARM", "numeric", "float")
    for side in ("reference", "current"):
        missing = getattr(found.distribution.missing, side)
        assert sum(getattr(one, side) for one in bins) + missing == pytest.approx(1.0)
    assert bins[0].low is None
    assert [one.high for one in bins[:-1]] == [one.low for one in bins[1:]]
    assert report.l_infinity == pytest.approx(
        max(abs(one.current - one.reference) for one in bins), abs=1e-9
    )
    assert report.culprit == found.distribution.changed_most[0]
    assert report.ks > 0.5
    assert found.span.panes == len(found.series) == (EVENTS - SHIFTED_FROM) / PANE
    stored = {row.index: row for row in rows(world)}
    for point in found.series:
        assert point.recorded_ratio == stored[point.index].summary.ratios[0]
        distance = {"wasserstein": point.wasserstein, "js": point.js}[point.test]
        assert point.ratio == pytest.approx(distance / point.threshold)
        assert point.values == PANE
    first = client.get(f"{BASE}/drift/x", params={"to": (WARM_UP + 1) * 1000}).json()["series"]
    assert [point["index"] for point in first] == [0]
    assert first[0]["ratio"] == pytest.approx(first[0]["recorded_ratio"], abs=1e-4)


def test_missing_unusable_and_unseen_values_have_their_shares(client):
    params = {"from": EVENTS * 1000}
    x = client.get(f"{BASE}/drift/x", params=params).json()
    assert x["distribution"]["unusable"] == {"reference": 0.0, "current": 0.25}
    z = client.get(f"{BASE}/drift/z", params=params).json()
    assert z["distribution"]["missing"] == {"reference": 0.0, "current": 0.25}
    assert z["series"][0]["missing"] == 0.25
    c = client.get(f"{BASE}/drift/c", params=params).json()
    unseen = {one["label"]: one["current"] for one in c["distribution"]["bins"]}["(unseen)"]
    assert unseen == 0.25
    tops = [one["current"] for one in c["distribution"]["top_categories"]]
    assert tops == sorted(tops, reverse=True)
    assert x["distribution"]["top_categories"] is None


def test_a_feature_without_panes_still_shows_its_reference(client):
    found = client.get(f"{BASE}/drift/x?from=2030-01-01T00:00:00Z").json()
    assert found["span"] is found["report"] is None
    assert found["series"] == []
    assert {one["current"] for one in found["distribution"]["bins"]} == {None}
    assert sum(one["reference"] for one in found["distribution"]["bins"]) == pytest.approx(1.0)


def test_an_unknown_feature_names_those_that_are_close(client):
    answer = client.get(f"{BASE}/drift/xx")
    assert answer.status_code == 404
    assert answer.json()["known"] == ["x"]
    assert answer.json()["errors"][0]["field"] == "path.feature"
    assert client.get(f"{BASE}/drift/").json()["known"] == ["x", "z", "c"]
    no_label = client.get(f"{BASE}/drift/label?role=label").json()
    assert "too few came during the warm-up" in no_label["detail"]


def test_performance_is_told_beside_the_baselines_and_adds_up(client, world):
    whole = PerformanceAnswer.model_validate(client.get(f"{BASE}/performance").json())
    assert [one.model for one in whole.models] == ["model", "majority", "no_change"]
    assert "Brier score" in whole.loss
    assert whole.scores == world.store.newest().status["scores"]
    assert whole.rolling.window == world.config.model.window
    assert whole.fates.matched == world.store.newest().status["labels"]["matched"]
    total = Performance()
    for stored in world.store.history.panes():
        total += scores_of(stored)[0]
    assert (whole.predictions, whole.labels) == (total.predictions, total.labelled)
    assert whole.models[0].mean_loss == total.mean("model")
    ranged = PerformanceAnswer.model_validate(client.get(f"{BASE}/performance?from=0").json())
    assert ranged.models == whole.models
    assert ranged.segments == whole.segments
    assert ranged.fates is ranged.scores is ranged.rolling is None
    assert ranged.range.panes == len(whole.series)
    by_segment = [one for one in whole.segments if one.feature == "c"]
    assert sum(one.labels for one in by_segment) == whole.models[0].labels
    worst = [one.mean_loss["model"] for one in whole.segments]
    assert worst == sorted(worst, reverse=True)
    assert [one.age for one in whole.ages] == ["<1s"]
    assert whole.delay.p99 == "<1s"


def test_what_confidence_promised_stands_beside_what_came_true(client):
    ranged = client.get(f"{BASE}/performance?from=200000&to=300000&outlooks=true").json()
    accuracy = ranged["outlook"]["expected"]["accuracy"]
    assert accuracy["low"] <= accuracy["value"] <= accuracy["high"]
    assert 0 <= ranged["outlook"]["realised"]["accuracy"] <= 1
    assert ranged["outlook"]["panes"] == ranged["range"]["panes"] == len(ranged["series"])
    assert ranged["outlook"]["labels"] == sum(p["outlook"]["labels"] for p in ranged["series"])
    plain = client.get(f"{BASE}/performance?from=200000").json()
    assert {point["outlook"] for point in plain["series"]} == {None}


@pytest.mark.parametrize("route", ["/drift", "/drift/x", "/performance"])
def test_pages_have_no_gaps_and_no_repeats_while_panes_arrive(tmp_path, route):
    world = watched_world(tmp_path)
    before = [row.index for row in rows(world)]
    key = "series" if route != "/drift" else "panes"
    with world.api() as client:
        seen, cursor = [], None
        while True:
            params = {"limit": 4} | ({"cursor": cursor} if cursor else {})
            page = client.get(BASE + route, params=params).json()
            seen += [pane["index"] for pane in page[key]]
            cursor = page["next"]
            if cursor is None:
                break
            start = EVENTS + 20 * len(seen)
            world.append(*(watched_event(number) for number in range(start, start + 40)))
            world.work()
    assert len(rows(world)) > len(before)
    assert seen == before
    world.close()


def test_answers_are_json_that_any_parser_takes(client):
    def refuse(name):
        raise AssertionError(f"{name} is not JSON")

    for route in ROUTES:
        json.loads(client.get(BASE + route).text, parse_constant=refuse)


def test_openapi_shows_an_example_of_each_answer_and_explains_each_parameter(client):
    document = client.get("/openapi.json").json()
    for route, model in ROUTES.items():
        path = route.partition("?")[0].replace("/drift/x", "/drift/{feature}")
        operation = document["paths"]["/v1/streams/{stream}" + path]["get"]
        content = operation["responses"]["200"]["content"]["application/json"]
        shape = document["components"]["schemas"][content["schema"]["$ref"].split("/")[-1]]
        for example in shape["examples"]:
            model.model_validate(example)
        explained = {p["name"]: p.get("description") for p in operation.get("parameters", ())}
        assert all(explained[name] for name in explained if name in ("from", "to", "limit"))
        assert set(operation["responses"]) >= {"200", "404", "422", "503"}
    text = document["paths"]["/v1/streams/{stream}/schema"]["get"]["responses"]["200"]["content"]
    assert "application/toml" in text
