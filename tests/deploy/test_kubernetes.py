"""The manifests, held to Kubernetes' own schemas and to what riverrun is; no cluster is here."""

from __future__ import annotations

import copy
import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from stream.load_config import load_config
from tests.deploy.compose_file import composed
from tests.deploy.conftest import DEPLOY

FOLDER = DEPLOY / "kubernetes"
VERSION = "1.34"


def documents(name: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all((FOLDER / name).read_text()) if one]


KUSTOMIZATION = documents("kustomization.yaml")[0]
MANIFESTS = [one for name in KUSTOMIZATION["resources"] for one in documents(name)]
DEPLOYMENTS = {one["metadata"]["name"]: one for one in MANIFESTS if one["kind"] == "Deployment"}
(SECRET,) = documents("secret.example.yaml")


def pod(name: str) -> dict[str, Any]:
    found: dict[str, Any] = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    return found


def container(name: str) -> dict[str, Any]:
    (found,) = pod(name)["containers"]
    return dict(found)


@pytest.mark.parametrize(
    "manifest", [*MANIFESTS, SECRET], ids=lambda one: f"{one['kind']} {one['metadata']['name']}"
)
def test_every_manifest_keeps_to_the_schema_of_its_kind(manifest):
    kubernetes_validate.validate(manifest, VERSION, strict=True)
    broken = copy.deepcopy(manifest) | {"spce": {}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSION, strict=True)


@pytest.mark.parametrize("name", ["worker", "api"])
def test_pods_have_no_root_no_capabilities_and_a_limit(name):
    assert pod(name)["securityContext"]["runAsNonRoot"] is True
    user = pod(name)["securityContext"]["runAsUser"]
    assert f"{user}:{user}" == composed()["services"][name]["user"]
    assert pod(name)["automountServiceAccountToken"] is False
    own = container(name)["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert container(name)["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", ["worker", "api"])
def test_the_command_is_that_of_compose_and_its_file_is_mounted(name):
    assert container(name)["args"] == composed()["services"][name]["command"]
    path = container(name)["args"][-1]
    (mount,) = [m for m in container(name)["volumeMounts"] if path.startswith(m["mountPath"] + "/")]
    (volume,) = [v for v in pod(name)["volumes"] if v["name"] == mount["name"]]
    (made,) = KUSTOMIZATION["configMapGenerator"]
    assert volume["configMap"]["name"] == made["name"]
    assert made["files"] == [path.rsplit("/", 1)[1]]
    assert (
        f"{KUSTOMIZATION['images'][0]['name']}:{KUSTOMIZATION['images'][0]['newTag']}"
        == (composed()["services"][name]["image"])
    )


def test_the_store_is_upgraded_before_the_worker_starts():
    (first,) = pod("worker")["initContainers"]
    worker, migrate = container("worker"), composed()["services"]["migrate"]
    assert (first["image"], first["args"]) == (worker["image"], migrate["command"])
    assert first["securityContext"] == worker["securityContext"]
    assert first["volumeMounts"] == worker["volumeMounts"]
    assert all(variable in worker["env"] for variable in first["env"])


@pytest.mark.parametrize("name", ["worker", "api"])
def test_secrets_that_are_asked_for_are_in_the_example(name):
    for variable in container(name)["env"]:
        wanted = variable["valueFrom"]["secretKeyRef"]
        assert wanted["name"] == SECRET["metadata"]["name"]
        assert "change-me" in SECRET["stringData"][wanted["key"]]
        assert variable["name"].startswith("RIVERRUN_")


def test_the_configuration_is_one_and_the_pipeline_can_be_built(monkeypatch):
    from stream.build import line_factory

    monkeypatch.setenv("RIVERRUN_STREAM__STORE", SECRET["stringData"]["store"])
    config = load_config(FOLDER / "riverrun.toml")
    line_factory(config)("v1")
    assert config.api.host == "0.0.0.0"
    assert container("api")["ports"][0]["containerPort"] == config.api.port


def test_probes_ask_routes_that_are_there_and_need_no_key():
    from serve.api.app import create_app

    paths = create_app([]).openapi()["paths"]
    api = container("api")
    for probe in ("readinessProbe", "livenessProbe"):
        assert api[probe]["httpGet"]["path"] in paths
    assert api["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_one_worker_at_a_time():
    assert DEPLOYMENTS["worker"]["spec"]["replicas"] == 1
    assert DEPLOYMENTS["worker"]["spec"]["strategy"]["type"] == "Recreate"


def test_selectors_find_the_pods():
    labels = {n: d["spec"]["template"]["metadata"]["labels"] for n, d in DEPLOYMENTS.items()}
    for manifest in MANIFESTS:
        spec = manifest["spec"]
        found = spec.get("selector") or spec.get("podSelector")
        wanted = found.get("matchLabels", found)
        assert any(wanted.items() <= own.items() for own in labels.values()), manifest["kind"]
    assert re.search(r"kubectl apply -k", (FOLDER / "kustomization.yaml").read_text())
