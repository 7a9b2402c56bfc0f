"""What Kustomize makes of a folder, for the little of it that deploy/kubernetes uses.

Anything else in a kustomization.yaml fails the test. Where kubectl is, it is asked for the same.
"""

from __future__ import annotations

import copy
import hashlib
from pathlib import Path
from typing import Any

import yaml

KNOWN = {"apiVersion", "kind", "namespace", "resources", "configMapGenerator", "images", "patches"}
Manifest = dict[str, Any]


def documents(path: Path) -> list[Manifest]:
    """Return the documents of a YAML file."""
    return [one for one in yaml.safe_load_all(path.read_text(encoding="utf-8")) if one]


def kustomized(folder: Path) -> list[Manifest]:
    """Return the manifests of a folder, with the names that a cluster would see."""
    found, configs = _built(folder)
    for name, files in configs.items():
        data = {path.name: path.read_text(encoding="utf-8") for path in files}
        digest = hashlib.sha256(repr(sorted(data.items())).encode()).hexdigest()[:10]
        found.append(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": f"{name}-{digest}", "namespace": "riverrun"},
                "data": data,
            }
        )
        for manifest in found:
            _refer(manifest, name, f"{name}-{digest}")
    return found


def _built(folder: Path) -> tuple[list[Manifest], dict[str, list[Path]]]:
    (made,) = documents(folder / "kustomization.yaml")
    assert set(made) <= KNOWN, f"{folder}: {set(made) - KNOWN} is not known here"
    found: list[Manifest] = []
    configs: dict[str, list[Path]] = {}
    for name in made["resources"]:
        path = (folder / name).resolve()
        assert path.exists(), path
        if path.is_dir():
            below, theirs = _built(path)
            found += below
            configs |= theirs
        else:
            found += copy.deepcopy(documents(path))
    for one in made.get("configMapGenerator", []):
        assert (one["name"] in configs) == (one.get("behavior", "create") == "replace")
        configs[one["name"]] = [folder / file for file in one["files"]]
    for manifest in found:
        manifest["metadata"]["namespace"] = made["namespace"]
        for image in made.get("images", []):
            _tag(manifest, image["name"], f"{image['name']}:{image['newTag']}")
    for patch in made.get("patches", []):
        _patch(found, patch)
    return found, configs


def _patch(found: list[Manifest], patch: Manifest) -> None:
    wanted = patch["target"]
    targets = [
        one
        for one in found
        if (one["kind"], one["metadata"]["name"]) == (wanted["kind"], wanted["name"])
    ]
    assert len(targets) == 1, wanted
    for step in yaml.safe_load(patch["patch"]):
        *way, last = step["path"].strip("/").split("/")
        place = targets[0]
        for part in way:
            place = place[part]
        assert last in place, step
        if step["op"] == "remove":
            del place[last]
        else:
            assert step["op"] == "replace", step
            place[last] = step["value"]


def _pods(manifest: Manifest) -> Manifest:
    template = manifest.get("spec", {}).get("template", {})
    found: Manifest = template.get("spec", {})
    return found


def _tag(manifest: Manifest, image: str, tagged: str) -> None:
    pods = _pods(manifest)
    for one in (*pods.get("containers", []), *pods.get("initContainers", [])):
        if one["image"] == image:
            one["image"] = tagged


def _refer(manifest: Manifest, name: str, made: str) -> None:
    for volume in _pods(manifest).get("volumes", []):
        if volume.get("configMap", {}).get("name") == name:
            volume["configMap"]["name"] = made
