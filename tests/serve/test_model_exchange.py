"""Nothing of a model file is unpickled before everything about it was checked."""

from __future__ import annotations

import os
import pickle

import pytest
from river import linear_model

from serve.model_exchange import read_for
from stream.learner import Learner
from stream.model_file import (
    CARD,
    MODEL,
    ModelFileError,
    pack_model,
)
from stream.storage.identity import libraries
from tests.lines import make_config
from tests.stream.test_model_file import manifest

KEY = b"a secret"


class _Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def write(path, model, **changes):
    described = manifest(**changes)
    with path.open("wb") as file:
        pack_model(described, {MODEL: pickle.dumps(model), CARD: b"{}"}, KEY, file)
    return path


def test_a_model_that_fits_is_loaded(tmp_path):
    learner = Learner(linear_model.LogisticRegression(), "binary")
    path = write(tmp_path / "m.zip", learner)
    file, found = read_for(path, make_config(), KEY)
    assert file.is_signed
    assert found.predict({"a": 1.0}) == 0.5


@pytest.mark.parametrize(
    ("changes", "key", "message"),
    [
        ({}, b"wrong", "another RIVERRUN_SECRET"),
        ({"libraries": libraries() | {"river": "0.21.0"}}, KEY, "river 0.21.0"),
        ({"task": "regression"}, KEY, "its task is 'regression'"),
        ({"event": {"features": ["z"], "types": {}, "nulls": "drop"}}, KEY, "event.features"),
    ],
)
def test_what_does_not_pass_is_not_unpickled(tmp_path, changes, key, message):
    trap = tmp_path / "sprung"
    path = write(tmp_path / "m.zip", _Trap(trap), **changes)
    with pytest.raises(ModelFileError, match=message):
        read_for(path, make_config(), key)
    assert not trap.exists()


def test_another_river_is_refused_without_a_stream_too(tmp_path):
    trap = tmp_path / "sprung"
    path = write(tmp_path / "m.zip", _Trap(trap), libraries=libraries() | {"river": "0.21.0"})
    with pytest.raises(ModelFileError, match=r"river 0\.21\.0"):
        read_for(path, None, KEY)
    assert not trap.exists()


def test_a_signed_file_that_holds_no_model_is_told(tmp_path):
    with pytest.raises(ModelFileError, match="holds no model"):
        read_for(write(tmp_path / "m.zip", {"a": 1}), make_config(), KEY)
    path = tmp_path / "n.zip"
    write(path, None)
    manifest, _ = read_pair(path)
    with path.open("wb") as file:
        pack_model(manifest, {MODEL: b"nonsense", CARD: b"{}"}, KEY, file)
    with pytest.raises(ModelFileError, match="cannot be loaded"):
        read_for(path, make_config(), KEY)


def read_pair(path):
    from stream.model_file import read_model_file

    found = read_model_file(path, KEY)
    return found.manifest, found.files
