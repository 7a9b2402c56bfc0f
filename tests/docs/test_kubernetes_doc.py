"""What docs/kubernetes.md tells to type names what is there; no cluster is here to type it to."""

from __future__ import annotations

import re
import shlex

import pytest

from tests.deploy.conftest import DEPLOY
from tests.deploy.kustomized import documents, kustomized

ROOT = DEPLOY.parent
PAGE = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [shlex.split(line, comments=True) for block in BLOCKS for line in block.splitlines()]
BASE = kustomized(DEPLOY / "kubernetes" / "base")


def there(kind: str, name: str) -> bool:
    return any((one["kind"].lower(), one["metadata"]["name"]) == (kind, name) for one in BASE)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_command_names_what_is_there(command, tmp_path):
    program, *rest = command
    if program == "cp":
        (secret,) = documents(ROOT / rest[0])
        assert secret["kind"] == "Secret"
        assert rest[1] == "secret.yaml"
        return
    assert program == "kubectl"
    verb, namespace = rest[0], rest[rest.index("-n") + 1] if "-n" in rest else "riverrun"
    assert {one["metadata"]["namespace"] for one in BASE} == {namespace}
    if verb == "create":
        assert rest[1:] == ["namespace", namespace]
    elif "-k" in rest:
        assert kustomized(ROOT / rest[rest.index("-k") + 1])
    elif "-f" in rest:
        assert ["cp", "deploy/kubernetes/secret.example.yaml", rest[-1]] in COMMANDS
    else:
        (named,) = [one for one in rest if "/" in one]
        assert there(*named.split("/"))
        assert verb in {"scale", "delete"}


def test_every_command_was_looked_at():
    assert len(COMMANDS) == 7
    assert not there("deployment", "workers")
