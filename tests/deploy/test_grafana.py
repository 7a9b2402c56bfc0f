"""Every query of every panel and variable has an answer, on a real Prometheus and a real stream."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from deploy.grafana.make import files
from tests.deploy.conftest import DEPLOY, find_program, read
from tests.deploy.prometheus import LocalPrometheus
from tests.deploy.scene import Shop
from tests.notify.alertmanager import LocalAlertmanager

GRAFANA = DEPLOY / "grafana"
NAMES = ["overview", "drift", "model", "service"]
WIDTH = 24
# These say something only in trouble that a test does not make; that they parse is tested.
MAY_BE_EMPTY = {"rolled back"}


def board(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((GRAFANA / "dashboards" / f"{name}.json").read_text())
    return found


class Scene:
    """Everything at work, and when it began."""

    def __init__(self, folder: Path) -> None:
        for name in ("prometheus", "alertmanager", "shop"):
            (folder / name).mkdir()
        self.alertmanager = LocalAlertmanager(
            folder / "alertmanager", "http://127.0.0.1:1/nobody-listens"
        )
        self.shop = Shop(folder / "shop", self.alertmanager.url)
        self.prometheus = LocalPrometheus(
            find_program("prometheus", "prometheus"),
            folder / "prometheus",
            {
                "api:8000": f"127.0.0.1:{self.shop.port}",
                "alertmanager:9093": f"127.0.0.1:{self.alertmanager.port}",
            },
        )

    def play(self) -> None:
        """Let a stream warm up, drift, retrain, promote, and meet trouble."""
        self.began = time.time()
        shop = self.shop
        self.alertmanager.start()
        shop.start()
        self.prometheus.start()
        shop.send(3_500)
        shop.wait_for(lambda: shop.went_through("racing"), "the race after the warm-up")
        shop.ask(30)
        shop.spoil(5)
        seen = "count_over_time(riverrun_monitor_panes_total[1m]) > 2"
        shop.wait_for(lambda: self.prometheus.now(seen), "three scrapes before the change")
        drifts = shop.drifts()
        shop.turn()

        def drifted_and_promoted() -> bool:
            shop.send(60)
            time.sleep(0.15)
            return shop.went_through("promoted") and shop.drifts() > drifts

        shop.wait_for(drifted_and_promoted, "drift and a promotion")
        shop.ask(30)
        shop.send(400)
        for counter in ("riverrun_promotions_total", "riverrun_monitor_concept_drifts_total"):
            seen = f"changes({counter}[10m]) > 0"
            shop.wait_for(partial(self.prometheus.now, seen), f"a scrape after {counter} rose")
        time.sleep(3)  # the rules' turn, and three scrapes with all of it
        self.ended = time.time()


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    made = Scene(tmp_path_factory.mktemp("scene"))
    try:
        made.play()
        yield made
    finally:
        for part in (made.prometheus, made.shop, made.alertmanager):
            if hasattr(part, "_process"):
                part.stop()


def filled(expression: str, scene: Scene) -> str:
    """Return an expression with Grafana's variables as they would stand there."""
    values = {
        "$stream": "shop",
        "$metric": "ROCAUC",
        "$feature": ".*",
        "$instance": ".*",
        "$route": ".*",
        "$__rate_interval": "15s",
        "$__interval": "10s",
        "$__range": f"{int(scene.ended - scene.began)}s",
    }
    for name in sorted(values, key=len, reverse=True):
        expression = expression.replace(name, values[name])
    assert "$" not in expression, expression
    return expression


def panels(name: str) -> list[Any]:
    return [pytest.param(one, id=f"{name}: {one['title']}") for one in board(name)["panels"]]


@pytest.mark.parametrize("panel", [one for name in NAMES for one in panels(name)])
def test_every_query_of_every_panel_has_an_answer(scene, panel):
    assert panel["targets"]
    for target in panel["targets"]:
        query = filled(target["expr"], scene)
        if target["instant"]:
            found = scene.prometheus.now(query)
        else:
            found = scene.prometheus.over(query, scene.began, scene.ended)
        assert found, query
        numbers = [v for one in found for _, v in one.get("values", [one.get("value")])]
        assert any(number not in {"NaN", "+Inf", "-Inf"} for number in numbers), query
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            assert all(label in one["metric"] for one in found), (query, label)


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_exists_and_every_variable_has_values(scene, name):
    known = set(scene.prometheus.ask("label/__name__/values"))
    text = json.dumps(board(name))
    used = set(re.findall(r"\b(riverrun[_:][a-z_:0-9]+|process_[a-z_]+)\b(?=[{)\[ ])", text))
    assert len(used) > 5
    assert used <= known
    for variable in board(name)["templating"]["list"]:
        if variable["type"] == "query":
            definition = filled(variable["query"]["query"], scene)
            selector, label = re.fullmatch(r"label_values\((.+), (\w+)\)", definition).groups()
            found = scene.prometheus.ask(f"label/{label}/values", **{"match[]": selector})
            assert found, definition


@pytest.mark.parametrize("name", NAMES)
def test_marks_on_the_charts_have_answers(scene, name):
    for mark in board(name)["annotations"]["list"]:
        query = filled(mark["expr"], scene)
        found = scene.prometheus.over(query, scene.began, scene.ended)
        assert found or mark["name"] in MAY_BE_EMPTY, query


def test_rules_have_answers_and_no_alert_fires_on_its_own(scene):
    groups = scene.prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert {rule["health"] for rule in rules} == {"ok"}
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
    assert len(recorded) >= 14
    for name in recorded:
        assert scene.prometheus.over(name, scene.began, scene.ended), name
    firing = {rule["name"] for rule in rules if rule.get("state") == "firing"}
    # The loss did change; nothing else has happened that a person must know of.
    assert firing <= {"RiverrunConceptDrift", "RiverrunModelCameBack"}


def test_what_prometheus_and_the_worker_tell_arrives_once(scene):
    """The worker's own word is there, and Prometheus' of the same is held back by the routes."""
    names = {alert["labels"]["alertname"] for alert in scene.alertmanager.alerts()}
    assert "RiverrunPromoted" in names


@pytest.mark.parametrize("name", NAMES)
def test_panels_do_not_overlap_and_say_what_they_show(name):
    found = board(name)["panels"]
    ids = [panel["id"] for panel in found]
    assert len(set(ids)) == len(ids)
    assert len({panel["title"] for panel in found}) == len(found)
    taken: set[tuple[int, int]] = set()
    for panel in found:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= WIDTH, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, f"{panel['title']} lies on another"
        taken |= cells
        assert panel["description"].strip().endswith("."), panel["title"]
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_dashboards_have_ids_of_their_own_and_the_provisioned_source():
    boards = [board(name) for name in NAMES]
    assert len({one["uid"] for one in boards}) == len({one["title"] for one in boards}) == 4
    (source,) = read("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    for one in boards:
        (chosen,) = [v for v in one["templating"]["list"] if v["type"] == "datasource"]
        assert chosen["current"]["value"] == source["uid"]
        for panel in one["panels"]:
            assert panel["datasource"]["uid"] == "${datasource}"
    (provider,) = read("grafana/provisioning/dashboards/riverrun.yml")["providers"]
    assert provider["type"] == "file"


def test_the_files_are_as_they_are_made():
    stored = {path.name: path.read_text() for path in (GRAFANA / "dashboards").glob("*.json")}
    assert stored == files(), "run python -m deploy.grafana.make"
