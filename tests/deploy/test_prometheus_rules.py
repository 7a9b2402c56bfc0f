"""Rules and routes: the programs that use them take them; alerts fire where they should."""

from __future__ import annotations

import re
import subprocess

import pytest

from serve.notify.alerts import KINDS
from tests.deploy.conftest import DEPLOY, ROOT, alerts, read

WORKERS = {kind.name for kind in KINDS.values()}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ALERTMANAGER = str(DEPLOY / "alertmanager" / "alertmanager.yml")


def run(*command: object) -> str:
    done = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_takes_the_rules_and_the_configuration(program, tmp_path):
    promtool = program("promtool", "prometheus")
    rules = sorted((DEPLOY / "prometheus" / "rules").glob("*.yml"))
    assert len(rules) == 2
    run(promtool, "check", "rules", *rules)
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(
        text.replace("/etc/prometheus/rules", str(DEPLOY / "prometheus" / "rules"))
    )
    assert f"{len(rules)} rule files found" in run(
        promtool, "check", "config", tmp_path / "prometheus.yml"
    )


def test_rules_fire_and_do_not_fire(program):
    promtool = program("promtool", "prometheus")
    run(promtool, "test", "rules", *(DEPLOY / "prometheus" / "tests").glob("*.yml"))


def test_every_alert_has_a_test_in_which_it_fires():
    text = (DEPLOY / "prometheus" / "tests" / "alerts_test.yml").read_text()
    fired = set(re.findall(r'alertname="(\w+)", ?(?:stream|job|instance|alertstate)', text))
    fired |= set(re.findall(r"alertname: (\w+)\n\s+exp_alerts", text))
    fired |= set(re.findall(r'alertname="(\w+)"}\', value', text))
    assert set(alerts()) <= fired


def test_every_alert_says_what_how_bad_and_where_to_read_on():
    for name, rule in alerts().items():
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}, name
        texts = rule["annotations"]
        assert texts["summary"].endswith("."), name
        assert texts["description"].endswith("."), name
        assert texts["runbook_url"] == f"docs/runbook.md#{name.lower()}"


@pytest.mark.parametrize("name", sorted({*alerts(), *WORKERS}))
def test_every_alert_has_a_section_in_the_runbook(name):
    (section,) = re.findall(rf"^### {name}\n(.+?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert len(section) > 20
    if alerts().get(name, {}).get("labels", {}).get("severity") == "critical":
        assert "**Do**" in section or "As above" in section


def test_the_runbook_has_no_section_of_an_alert_that_does_not_exist():
    assert set(re.findall(r"^### (\w+)$", RUNBOOK, re.MULTILINE)) == {*alerts(), *WORKERS}


def test_no_alert_of_prometheus_has_the_name_of_one_of_the_workers():
    """Alertmanager tells alerts apart by their labels: the same name would page twice."""
    assert not set(alerts()) & WORKERS


def test_rules_use_metrics_that_are_documented():
    documented = set(
        re.findall(r"`(riverrun_\w+)`", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"))
    )
    texts = [path.read_text() for path in (DEPLOY / "prometheus" / "rules").glob("*.yml")]
    used = set(re.findall(r"\b(riverrun_[a-z_0-9]+)", " ".join(texts)))
    used = {re.sub(r"_(bucket|count|sum)$", "", name) for name in used}
    assert used <= documented


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=RiverrunHalted", "severity=critical", "stream=s"), "pager"),
        (("alertname=RiverrunApiDown", "severity=critical"), "pager"),
        (("alertname=RiverrunDrift", "severity=warning", "stream=s"), "chat"),
        (("alertname=RiverrunValueSkew", "severity=warning", "stream=s"), "chat"),
        (("alertname=RiverrunPromoted", "severity=info", "stream=s"), "record"),
        (("alertname=RiverrunTest", "severity=info", "stream=s"), "chat"),
        (("alertname=SomebodyElses",), "chat"),
    ],
)
def test_routes_lead_to_the_right_receiver(program, labels, receiver):
    amtool = program("amtool", "prometheus-alertmanager")
    found = run(amtool, "config", "routes", "test", f"--config.file={ALERTMANAGER}", *labels)
    assert found.strip() == receiver


def test_alertmanager_takes_its_configuration(program):
    assert "SUCCESS" in run(
        program("amtool", "prometheus-alertmanager"), "check-config", ALERTMANAGER
    )


def test_inhibitions_name_alerts_that_exist_and_stand_in_the_runbook():
    known = {*alerts(), *WORKERS}
    for rule in read("alertmanager/alertmanager.yml")["inhibit_rules"]:
        assert rule["equal"] == ["stream"]
        sources = set(re.findall(r"Riverrun\w+", str(rule["source_matchers"])))
        targets = set(re.findall(r"Riverrun\w+", str(rule["target_matchers"])))
        assert sources | targets <= known
        assert targets <= set(alerts()), "what the worker tells is never kept back"
