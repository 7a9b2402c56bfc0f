"""docker-compose.yml, as far as it can be held to anything without a Docker engine."""

from __future__ import annotations

import json
import re

import pytest
from compose_spec import PyCompose

from tests.deploy.compose_file import composed, example, mounts, wanted
from tests.deploy.conftest import ROOT

SERVICES = composed()["services"]


def test_it_keeps_to_the_compose_specification():
    found = composed()
    parsed = PyCompose.from_json(json.dumps(found))
    parsed.validate()
    assert set(parsed.service_names()) == {
        "kafka", "postgres", "migrate", "worker", "api", "prometheus", "alertmanager", "grafana",
    }  # fmt: skip
    found["services"]["api"]["helthcheck"] = {}
    with pytest.raises(ValueError, match="helthcheck"):
        PyCompose.from_json(json.dumps(found))


def test_one_env_file_has_every_variable_and_no_other():
    assert set(example()) == wanted()
    assert all("change-me" in value for value in example().values())


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_pinned_checked_and_without_privileges(name):
    service = SERVICES[name]
    assert re.search(r":v?\d+\.\d+(\.\d+)?(-\w+)?$", service["image"]), service["image"]
    user, group = service["user"].split(":")
    assert int(user) > 0 < int(group)
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert "privileged" not in service
    if name == "migrate":  # it ends
        assert service["restart"].startswith("on-failure")
    else:
        assert service["healthcheck"]["test"][0] == "CMD"
        assert service["restart"] == "unless-stopped"
    assert service.get("read_only") or name == "kafka"
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:"), "published on loopback only"


def test_every_mount_exists_and_is_read_only_where_it_is_ours():
    for name, service in SERVICES.items():
        for target, (source, read_only) in mounts(service).items():
            if source.startswith("./"):
                assert (ROOT / source).exists(), (name, source)
                assert read_only, (name, target)
            else:
                assert source in composed()["volumes"], (name, source)


def test_every_volume_is_used_and_state_is_kept():
    used = {s for service in SERVICES.values() for s, _ in mounts(service).values()}
    assert set(composed()["volumes"]) <= used
    assert mounts(SERVICES["postgres"])["/var/lib/postgresql/data"][0] == "postgres"
    kafka = SERVICES["kafka"]
    assert kafka["environment"]["KAFKA_LOG_DIRS"] in mounts(kafka)


def test_services_wait_for_what_they_need():
    for name, service in SERVICES.items():
        for other, how in service.get("depends_on", {}).items():
            assert other in SERVICES, name
            if how["condition"] == "service_healthy":
                assert SERVICES[other]["healthcheck"]
            assert (how["condition"] == "service_completed_successfully") == (other == "migrate")
    assert all("migrate" in SERVICES[name]["depends_on"] for name in ("worker", "api"))


def test_addresses_name_services_and_their_ports():
    """Every host:port that one service is told of is a service that listens there."""
    ports = {
        "kafka": {19092, 9093}, "postgres": {5432}, "api": {8000}, "prometheus": {9090},
        "alertmanager": {9093}, "grafana": {3000},
    }  # fmt: skip
    texts = [json.dumps(service.get("environment", {})) for service in SERVICES.values()]
    texts += [
        (ROOT / "deploy" / path).read_text()
        for path in ("prometheus/prometheus.yml", "grafana/provisioning/datasources/prometheus.yml")
    ]
    found = set(re.findall(rf"\b({'|'.join(ports)}):(\d+)", " ".join(texts)))
    assert {name for name, _ in found} >= {"kafka", "api", "prometheus", "alertmanager"}
    for name, port in found:
        assert int(port) in ports[name]


def test_the_broker_is_the_one_that_tests_run():
    pom = (ROOT / "deploy" / "kafka" / "pom.xml").read_text()
    assert f"<version>{SERVICES['kafka']['image'].split(':')[1]}</version>" in pom
