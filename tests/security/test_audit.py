"""``make audit`` finds what is there to be found, and takes silence for no answer."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from tests.security import audit


def auditor_that(tmp_path, code: str) -> list[str]:
    """Return the command of an auditor of our own."""
    path = tmp_path / "auditor.py"
    path.write_text(code)
    return [sys.executable, str(path)]


def answering(tmp_path, dependencies, code=0) -> list[str]:
    text = shlex.quote(json.dumps({"dependencies": dependencies}))
    return auditor_that(tmp_path, f"import sys\nprint({text[1:-1]!r})\nsys.exit({code})")


@pytest.fixture
def pinned(tmp_path):
    path = tmp_path / "constraints.txt"
    path.write_text("urllib3==1.0\n")
    return path


def test_our_code_is_clean():
    assert audit.by_bandit() == audit.CLEAN


def test_what_is_not_clean_is_found(tmp_path, capsys):
    (tmp_path / "bad.py").write_text("import subprocess\nsubprocess.run('ls ' + x, shell=True)\n")
    assert audit.by_bandit(str(tmp_path)) == audit.FOUND
    assert "B602" in capsys.readouterr().out


def test_a_known_weakness_is_found(tmp_path, pinned, capsys):
    weak = {"id": "CVE-1", "fix_versions": ["2.0"]}
    rows = [{"name": "urllib3", "version": "1.0", "vulns": [weak]}]
    assert audit.by_advisories(pinned, answering(tmp_path, rows, 1)) == audit.FOUND
    assert "urllib3 1.0: CVE-1; mended in 2.0" in capsys.readouterr().out


def test_an_answer_without_any_is_clean(tmp_path, pinned):
    rows = [{"name": "urllib3", "version": "2.6", "vulns": []}]
    assert audit.by_advisories(pinned, answering(tmp_path, rows)) == audit.CLEAN


@pytest.mark.parametrize(
    "code",
    [
        "raise SystemExit('cannot reach the index')",
        "print('')",
        "print('[]')",
        "print('{\"dependencies\": []}')",
        'print(\'{"dependencies": [{"name": "a", "skip_reason": "not reached"}]}\')',
    ],
)
def test_silence_is_no_answer(tmp_path, pinned, capsys, code):
    assert audit.by_advisories(pinned, auditor_that(tmp_path, code)) == audit.NOT_ASKED
    assert "NOT ASKED" in capsys.readouterr().out


def test_licences_are_listed(capsys):
    audit.by_licence()
    assert "BSD-3-Clause" in capsys.readouterr().out
