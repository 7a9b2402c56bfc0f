"""Models that own Python code makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from river import linear_model

from stream.errors import PipelineError
from stream.pipelines.factory import load_factory

CODE = """
from river import linear_model

number = 3

def build():
    return linear_model.LogisticRegression()

def fails():
    raise KeyError("word")

def gives_a_number():
    return 3
"""


@pytest.fixture(autouse=True)
def _importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_models.py").write_text(CODE)
    (tmp_path / "own_broken.py").write_text("1 / 0\n")
    (tmp_path / "own_incomplete.py").write_text("import no_such_library\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_calls_the_function_that_is_named() -> None:
    assert isinstance(load_factory("own_models:build"), linear_model.LogisticRegression)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("own_models", 'expected "package.module:function", such as "models.late:build"'),
        ("own_models:a:b", 'expected "package.module:function", such as "models.late:build"'),
        (".own_models:build", 'expected "package.module:function", such as "models.late:build"'),
        (
            "no_such.module:build",
            "no module no_such; install it, or start where it can be imported",
        ),
        ("own_incomplete:build", "module own_incomplete imports no_such_library, which is missing"),
        (
            "own_broken:build",
            "importing own_broken raised ZeroDivisionError: division by zero",
        ),
        ("own_models:biuld", "module own_models has no biuld; did you mean build?"),
        ("own_models:xyz", "module own_models has no xyz"),
        ("own_models:number", "number is a int, not a function"),
        ("own_models:fails", "the function raised KeyError: 'word'"),
        (
            "own_models:gives_a_number",
            "the function returned a int, not an estimator of River",
        ),
    ],
)
def test_the_message_says_what_went_wrong(spec: str, message: str) -> None:
    with pytest.raises(PipelineError) as caught:
        load_factory(spec)
    assert str(caught.value) == f"factory {spec!r}: {message}"
