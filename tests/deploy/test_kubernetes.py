"""The manifests, held to Kubernetes' own schemas and to what riverrun is; no cluster is here."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from serve.compose import read_secrets
from stream.load_config import load_config
from stream.sharding.shard_work import group_of
from tests.conftest import real_thing
from tests.deploy.compose_file import composed
from tests.deploy.conftest import DEPLOY
from tests.deploy.kustomized import documents, kustomized

FOLDER = DEPLOY / "kubernetes"
BASE, DIVIDED = FOLDER / "base", FOLDER / "overlays" / "divided"
VERSION = "1.34"
KEDA = "keda.sh/v1alpha1"
# What KEDA's scaler for Kafka is told; its schema leaves that open, its documentation names them.
TRIGGER = {
    "bootstrapServers",
    "consumerGroup",
    "topic",
    "lagThreshold",
    "offsetResetPolicy",
    "allowIdleConsumers",
}

(SECRET,) = documents(FOLDER / "secret.example.yaml")
MADE = {folder.name: kustomized(folder) for folder in (BASE, DIVIDED)}
ALL = [(name, one) for name, found in MADE.items() for one in found]


def of(kind: str, name: str, folder: str = "base") -> dict[str, Any]:
    """Return a manifest by its kind and name."""
    found = [
        one
        for one in MADE[folder]
        if one["kind"] == kind and re.sub(r"-[0-9a-f]{10}$", "", one["metadata"]["name"]) == name
    ]
    assert len(found) == 1, (folder, kind, name)
    return found[0]


PODS = [
    (folder, kind, name)
    for folder in MADE
    for kind, name in (("Deployment", "worker"), ("Deployment", "api"), ("Job", "migrate"))
]


def pod(folder: str, kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = of(kind, name, folder)["spec"]["template"]["spec"]
    return found


def container(name: str, folder: str = "base", kind: str = "Deployment") -> dict[str, Any]:
    (found,) = pod(folder, kind, name)["containers"]
    return dict(found)


def scaled_object_errors(scaled: dict[str, Any]) -> list[str]:
    """Return what KEDA's own schema says against a ScaledObject; a field it lacks is one."""
    (resource,) = documents(DEPLOY.parent / "tests" / "deploy" / "keda" / "scaledobjects.yaml")
    (version,) = resource["spec"]["versions"]
    assert scaled["apiVersion"] == f"{resource['spec']['group']}/{version['name']}"
    assert scaled["kind"] == resource["spec"]["names"]["kind"]
    schema = strict(version["schema"]["openAPIV3Schema"])
    return [one.message for one in Draft202012Validator(schema).iter_errors(scaled)]


def strict(schema: Any) -> Any:
    """Return a schema in which fields that are not named are mistakes."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(one) for key, one in schema.items()}
    if "properties" in schema and "additionalProperties" not in schema:
        closed["additionalProperties"] = False
    return closed


@pytest.mark.parametrize(
    "manifest",
    [one for _, one in ALL if one["apiVersion"] != KEDA] + [SECRET],
    ids=lambda one: f"{one['kind']} {one['metadata']['name']}",
)
def test_every_manifest_keeps_to_the_schema_of_its_kind(manifest):
    kubernetes_validate.validate(manifest, VERSION, strict=True)
    broken = copy.deepcopy(manifest) | {"spce": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


@pytest.mark.parametrize("folder", [BASE, DIVIDED], ids=lambda one: one.name)
def test_kustomize_itself_makes_the_same_of_them(folder):
    kubectl, kustomize = shutil.which("kubectl"), shutil.which("kustomize")
    if kubectl is None and kustomize is None:
        real_thing(FileNotFoundError("kubectl or kustomize (go install is in .ci/run) is missing"))
    command = [kustomize, "build"] if kustomize else [kubectl, "kustomize"]
    done = subprocess.run([*command, folder], capture_output=True, text=True, check=True)

    def plain(found: list[dict[str, Any]]) -> list[str]:
        # The digest in the name is Kustomize's own.
        texts = [yaml.safe_dump(one, sort_keys=True) for one in found]
        return sorted(re.sub(r"riverrun-config-\w{10}\b", "riverrun-config", t) for t in texts)

    assert plain(list(yaml.safe_load_all(done.stdout))) == plain(MADE[folder.name])


@pytest.mark.parametrize(("folder", "kind", "name"), PODS)
def test_pods_have_no_root_no_capabilities_and_a_limit(folder, kind, name):
    spec = pod(folder, kind, name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    user = spec["securityContext"]["runAsUser"]
    assert f"{user}:{user}" == composed()["services"][name]["user"]
    assert spec["automountServiceAccountToken"] is False
    for own in (*spec["containers"], *spec.get("initContainers", [])):
        assert own["securityContext"] == {
            "readOnlyRootFilesystem": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        }
        assert own["resources"]["limits"]["memory"]
        assert {"cpu", "memory"} <= set(own["resources"]["requests"])
        assert own["image"] == composed()["services"][name]["image"]


@pytest.mark.parametrize(("folder", "kind", "name"), PODS)
def test_the_command_is_that_of_compose_and_its_file_is_mounted(folder, kind, name):
    own = container(name, folder, kind)
    assert own["args"] == composed()["services"][name]["command"]
    path = own["args"][-1]
    (mount,) = [m for m in own["volumeMounts"] if path.startswith(m["mountPath"] + "/")]
    (volume,) = [v for v in pod(folder, kind, name)["volumes"] if v["name"] == mount["name"]]
    made = of("ConfigMap", "riverrun-config", folder)
    assert volume["configMap"]["name"] == made["metadata"]["name"]
    assert list(made["data"]) == [path.rsplit("/", 1)[1]]


@pytest.mark.parametrize("name", ["worker", "api"])
def test_pods_wait_for_the_tables_that_the_job_makes(name):
    (first,) = pod("base", "Deployment", name)["initContainers"]
    shell, option, script = first["command"]
    assert (shell, option) == ("sh", "-c")
    path = container("migrate", kind="Job")["args"][-1]
    assert script == f"until riverrun store version --config {path}; do sleep 5; done"
    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0
    assert first["env"] == container("migrate", kind="Job")["env"]
    assert first["volumeMounts"] == container(name)["volumeMounts"]


@pytest.mark.parametrize(("folder", "kind", "name"), PODS)
def test_secrets_that_are_asked_for_are_in_the_example(folder, kind, name):
    text = (FOLDER / "secret.example.yaml").read_text(encoding="utf-8")
    for variable in container(name, folder, kind)["env"]:
        wanted = variable["valueFrom"]["secretKeyRef"]
        assert wanted["name"] == SECRET["metadata"]["name"]
        if wanted.get("optional"):
            assert f"  # {wanted['key']}: " in text
        else:
            assert "change-me" in SECRET["stringData"][wanted["key"]]
        assert variable["name"].startswith("RIVERRUN_")


@pytest.mark.parametrize("name", ["worker", "api"])
def test_secrets_that_may_be_missing_are_those_of_kafka_and_are_read(name):
    optional = {
        one["name"]: "found"
        for one in container(name)["env"]
        if one["valueFrom"]["secretKeyRef"].get("optional")
    }
    secrets = read_secrets(optional)
    assert (secrets.kafka_username, secrets.kafka_password) == ("found", "found")


def configured(folder: str, tmp_path, monkeypatch):
    """Return the configuration of an overlay, as its pods read it."""
    monkeypatch.setenv("RIVERRUN_STREAM__STORE", SECRET["stringData"]["store"])
    path = tmp_path / "riverrun.toml"
    path.write_text(of("ConfigMap", "riverrun-config", folder)["data"]["riverrun.toml"])
    return load_config(path)


def test_the_configuration_is_one_and_the_pipeline_can_be_built(tmp_path, monkeypatch):
    from stream.build import line_factory

    config = configured("base", tmp_path, monkeypatch)
    line_factory(config)("v1")
    assert config.api.host == "0.0.0.0"
    assert container("api")["ports"][0]["containerPort"] == config.api.port
    (health,) = container("worker")["ports"]
    assert health["containerPort"] == config.worker.health_port != config.api.port


def test_probes_ask_routes_that_are_there_and_need_no_key():
    from http import HTTPStatus
    from types import SimpleNamespace

    from serve.api.app import create_app
    from serve.worker_health.server import HealthServer

    paths = create_app([]).openapi()["paths"]
    api, worker = container("api"), container("worker")
    fine = SimpleNamespace(_pulse=SimpleNamespace(trouble=None), _reach=SimpleNamespace(parts=dict))
    wanted = {"readinessProbe": "/readyz", "livenessProbe": "/healthz", "startupProbe": "/healthz"}
    for probe, path in wanted.items():
        if probe != "startupProbe":
            assert api[probe]["httpGet"] == {"path": path, "port": "http"}
            assert path in paths
        assert worker[probe]["httpGet"] == {"path": path, "port": "health"}
        assert HealthServer.answer(fine, path)[0] == HTTPStatus.OK


def test_one_worker_at_a_time():
    assert of("Deployment", "worker")["spec"]["replicas"] == 1
    assert of("Deployment", "worker")["spec"]["strategy"]["type"] == "Recreate"


def test_selectors_find_the_pods():
    labels = [pods["spec"]["template"]["metadata"]["labels"] for pods in
              (of(kind, name, folder) for folder, kind, name in PODS)]  # fmt: skip
    for _, manifest in ALL:
        spec = manifest.get("spec", {})
        found = spec.get("selector") or spec.get("podSelector")
        if found:
            wanted = found.get("matchLabels", found)
            assert any(wanted.items() <= own.items() for own in labels), manifest["kind"]
    for name in ("api", "worker"):
        assert of("PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1


def test_who_scales_names_what_is_there_and_says_alone_how_many():
    autoscaler, scaled = (
        of("HorizontalPodAutoscaler", "api"),
        of("ScaledObject", "worker", "divided"),
    )
    for folder, one in (("base", autoscaler), ("divided", scaled)):
        target = of("Deployment", one["spec"]["scaleTargetRef"]["name"], folder)
        assert "replicas" not in target["spec"]
    assert autoscaler["spec"]["minReplicas"] >= 2
    requests = container("api")["resources"]["requests"]
    for metric in autoscaler["spec"]["metrics"]:
        assert metric["resource"]["name"] in requests  # utilization is of what is requested


def test_the_scaled_object_keeps_to_kedas_own_schema():
    scaled = of("ScaledObject", "worker", "divided")
    assert scaled_object_errors(scaled) == []
    for broken in ({"triger": []}, {"minReplicaCount": "1"}, {"triggers": [{"type": "kafka"}]}):
        spoiled = scaled | {"spec": scaled["spec"] | broken}
        assert scaled_object_errors(spoiled), broken


def test_lag_is_read_of_the_group_and_topics_that_the_workers_have(tmp_path, monkeypatch):
    config = configured("divided", tmp_path, monkeypatch)
    assert config.stream.shards == "partition"
    scaled = of("ScaledObject", "worker", "divided")["spec"]
    lags = [one["metadata"] for one in scaled["triggers"] if one["type"] == "kafka"]
    assert {lag["topic"] for lag in lags} == {config.events_topic, config.labels_topic}
    for lag in lags:
        assert set(lag) <= TRIGGER
        assert f"kafka://{lag['bootstrapServers']}" == config.stream.broker
        assert lag["consumerGroup"] == group_of(config)
        assert int(lag["lagThreshold"]) > 0
        assert lag["allowIdleConsumers"] == "false"
    assert scaled["maxReplicaCount"] <= config.topics.partitions


def test_workers_of_a_divided_stream_come_and_go_one_by_one():
    spec = of("Deployment", "worker", "divided")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 1}


def test_the_policy_lets_out_to_the_log_and_the_store_and_in_to_the_api(tmp_path, monkeypatch):
    config = configured("base", tmp_path, monkeypatch)
    inside = of("NetworkPolicy", "api")["spec"]["ingress"]
    assert [port["port"] for rule in inside for port in rule["ports"]] == [config.api.port]
    outside = of("NetworkPolicy", "riverrun")["spec"]
    assert outside["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in outside
    ports = {port["port"] for rule in outside["egress"] for port in rule["ports"]}
    assert ports == {53, int(config.stream.broker.rpartition(":")[2]), 5432}
    assert config.stream.store.startswith("postgresql")
