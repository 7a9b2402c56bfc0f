"""Nothing is unpickled that this system did not write and verify: every call is known, each tried.

Whoever writes a pickle decides what happens when it is loaded. The attacker of these tests can
write every row of the store and every file beside it, and lacks `RIVERRUN_SECRET`.
"""

from __future__ import annotations

import ast
import os
import pickle
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine, insert, select, update

from serve.api.predicting.memory import AnswerMemory
from serve.model_exchange import read_for
from stream.build import line_factory
from stream.clock import SystemClock
from stream.errors import CheckpointDamagedError
from stream.logs.memory_log import MemoryLog
from stream.model_file import CARD, MODEL, ModelFileError, pack_model
from stream.storage.identity import identity_of
from stream.storage.seal import seal
from stream.storage.store import SHARD, Store
from stream.storage.tables import chunks, imports, models, parts, trainings
from stream.worker import open_worker
from tests.lines import SMALL_MONITOR, interleaved, make_config
from tests.stream.test_model_file import manifest

ROOT = Path(__file__).parents[2]
KEY = b"a secret of the operator"

SITES = {
    ("serve/api/explainer.py", "Explainer._read"): "checkpoint",
    ("serve/model_exchange.py", "read_for"): "model file",
    ("stream/frozen.py", "Frozen.__init__"): "checkpoint",
    ("stream/people.py", "People._kept"): "kept model",
    ("stream/snapshot.py", "load_adopted"): "checkpoint",
    ("stream/snapshot.py", "load_learner"): "checkpoint",
    ("stream/snapshot.py", "restore"): "checkpoint",
    ("stream/training/reproduce.py", "Reproduction._kept"): "kept model",
}
"""Every place that unpickles, and the door by which its bytes come in."""

LOADERS = {
    "pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal",
    "jsonpickle", "torch", "pandas",
}  # fmt: skip
"""Modules whose loading can run what was loaded."""
WRITING = {"dumps", "dump", "PickleError", "PicklingError"}
HOLDING = {"DataFrame", "Series"}
"""What pandas makes of values in memory."""


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def trap(tmp_path):
    """Return a pickle, and how to see that nobody loaded it."""
    sprung = tmp_path / "sprung"
    data = pickle.dumps(Trap(sprung))
    yield data
    assert not sprung.exists(), "a hostile pickle was loaded"


def test_the_trap_springs(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "x")))
    assert (tmp_path / "x").exists()


def test_every_place_that_unpickles_is_known():
    found = set()
    for package in ("monitor", "stream", "serve"):
        for path in sorted((ROOT / package).glob("**/*.py")):
            name = str(path.relative_to(ROOT))
            found |= {(name, place) for place in unpickling(ast.parse(path.read_text()))}
    assert found == set(SITES)


@pytest.mark.parametrize(
    "source",
    [
        "import pickle\npickle.loads(b'')",
        "import pickle as p\nlist(map(p.loads, []))",
        "from pickle import Unpickler",
        "import joblib\njoblib.load('x')",
        "import pandas\npandas.read_pickle('x')",
        "import numpy\nnumpy.load('x', allow_pickle=True)",
        "import shelve\nshelve.open('x')",
        "__import__('pickle')",
        "import importlib\nimportlib.import_module('pickle')",
        "eval('1')",
    ],
)
def test_no_way_of_unpickling_is_overlooked(source):
    assert unpickling(ast.parse(source))


def unpickling(tree: ast.AST) -> set[str]:
    """Return the functions of a module in which something can be unpickled or run."""
    found: set[str] = set()
    aliases: set[str] = set()

    def visit(node: ast.AST, place: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            place = f"{place}.{node.name}".lstrip(".")
        if isinstance(node, ast.Import):
            aliases.update(
                one.asname or one.name for one in node.names if one.name.split(".")[0] in LOADERS
            )
        suspicious = (
            (isinstance(node, ast.Attribute) and _reads(node, aliases))
            or (isinstance(node, ast.ImportFrom) and _imports_reading(node))
            or (isinstance(node, ast.keyword) and node.arg == "allow_pickle")
            or (isinstance(node, ast.Name) and node.id in ("eval", "exec", "__import__"))
            or (isinstance(node, ast.Constant) and node.value in LOADERS - {"pandas", "torch"})
        )
        if suspicious:
            found.add(place or "<module>")
        for child in ast.iter_child_nodes(node):
            visit(child, place)

    visit(tree, "")
    return found


def _reads(node: ast.Attribute, aliases: set[str]) -> bool:
    named = isinstance(node.value, ast.Name) and node.value.id in aliases
    return (named and node.attr not in WRITING | HOLDING) or node.attr == "read_pickle"


def _imports_reading(node: ast.ImportFrom) -> bool:
    from_loader = (node.module or "").split(".")[0] in LOADERS
    return from_loader and any(one.name not in WRITING for one in node.names)


# ---------------------------------------------------------------- the store


class Scene:
    """A stream that has learned, whose store is signed."""

    def __init__(self, folder: Path, secret: bytes | None = KEY) -> None:
        self.url = f"sqlite:///{folder / 'store.db'}"
        self.config = make_config(monitor=SMALL_MONITOR)
        self.log = MemoryLog(clock=lambda: 0)
        self.log.create_topics(dict.fromkeys(self.config.topic_names, 1))
        self.log.sink().append(interleaved(300))
        self.store = Store(self.url, "s", secret=secret)
        self.worker = self.start()
        self.worker.run(lambda: False, until_caught_up=True)
        self.engine = create_engine(self.url)

    def start(self):
        worker = open_worker(
            self.config, self.log, self.store, line_factory(self.config), SystemClock()
        )
        worker.start()
        return worker

    def write(self, statement) -> int:
        with self.engine.begin() as connection:
            return connection.execute(statement).rowcount

    def close(self) -> None:
        self.engine.dispose()
        self.store.close()


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.close()


def part_names(scene) -> list[str]:
    with scene.engine.connect() as connection:
        return sorted(set(connection.execute(select(parts.c.part)).scalars()))


def test_checkpoints_hold_the_pickles_that_are_tried_here(scene):
    assert {"model", "state", "lifecycle"} <= set(part_names(scene))


@pytest.mark.parametrize("part", ["model", "state", "lifecycle"])
@pytest.mark.parametrize("forged", [True, False], ids=["forged seal", "old seal"])
def test_a_hostile_part_of_a_checkpoint(scene, trap, part, forged):
    with scene.engine.begin() as connection:
        rows = connection.execute(select(parts).where(parts.c.part == part)).all()
        for row in rows:
            new = seal(trap, f"s/{SHARD}/{part}/{row.number}", None) if forged else row.seal
            mine = update(parts).where(parts.c.part == part, parts.c.number == row.number)
            connection.execute(mine.values(data=trap, seal=new))
    with pytest.raises(CheckpointDamagedError):
        scene.start()


def test_a_hostile_part_does_not_pass_the_api(scene, trap):
    from serve.api.model_holder import ModelHolder

    number = scene.store.newest().number
    for part in ("model", "state"):
        forged = {"data": trap, "seal": seal(trap, f"s/{SHARD}/{part}/{number}", None)}
        assert scene.write(update(parts).where(parts.c.part == part).values(**forged))
    holder = ModelHolder(scene.store, identity_of(scene.config), "s")
    holder.poll()
    assert holder.live is None
    assert "damaged" in str(holder.trouble)
    with pytest.raises(CheckpointDamagedError):  # what explanations read
        scene.store.load_part(scene.store.newest(), "state")


def test_a_hostile_frozen_model(scene, trap):
    with scene.engine.begin() as connection:
        rows = connection.execute(select(chunks).where(chunks.c.kind == "frozen")).all()
        assert rows, "the stream has a frozen model"
        for row in rows:
            place = f"s/{SHARD}/frozen/{row.number}"
            mine = update(chunks).where(chunks.c.kind == "frozen", chunks.c.number == row.number)
            connection.execute(mine.values(data=trap, seal=seal(trap, place, None)))
    with pytest.raises(CheckpointDamagedError):
        scene.start()


def test_a_hostile_kept_model_that_a_person_is_made_to_promote(scene, trap):
    number = scene.store.newest().number
    place = f"s/model/v7/{number}/promoted"
    row = {"version": "v7", "number": number, "moment": "promoted", "at": 0.0, "data": trap}
    scene.write(insert(models).values(stream="s", seal=seal(trap, place, None), **row))
    scene.store.runs.ask("promote", {"version": "v7", "reason": "try"}, "mallory", 0.0)
    assert outcome_of(scene).startswith("refused: ")
    with pytest.raises(CheckpointDamagedError):  # what `models reproduce` and `export` read
        scene.store.runs.model("v7", "promoted")


def test_a_hostile_import_that_did_not_come_by_the_command(scene, trap):
    key = scene.store.runs.ask("import", {"reason": "try"}, "mallory", 0.0)
    row = {"stream": "s", "request": key, "at": 0.0, "data": trap, "reference": None}
    scene.write(insert(imports).values(seal=seal(trap, f"s/import/{key}", None), **row))
    assert outcome_of(scene).startswith("refused: ")


def test_hostile_candidates_of_a_training(scene, trap):
    scene.store.runs.begin_training(1, 1, 0.0)
    forged = {"data": trap, "seal": seal(trap, "s/candidates/1", None), "state": "done"}
    assert scene.write(update(trainings).values(**forged))
    with pytest.raises(CheckpointDamagedError):
        scene.store.runs.candidates(1)


def outcome_of(scene) -> str:
    worker = scene.start()
    worker.run(lambda: False, until_caught_up=True)
    (outcome,) = worker._people.answers.values() or [scene.store.runs.request(1)["outcome"]]
    return outcome


def test_without_a_secret_a_seal_of_another_place_still_does_not_pass(tmp_path, trap):
    scene = Scene(tmp_path, secret=None)
    forged = {"data": trap, "seal": seal(trap, "somewhere else", None)}
    scene.write(update(parts).where(parts.c.part == "model").values(**forged))
    with pytest.raises(CheckpointDamagedError):
        scene.start()
    scene.close()


# ---------------------------------------------------------------- files


@pytest.mark.parametrize("unsigned", [False, True])
def test_a_hostile_model_file(tmp_path, trap, unsigned):
    """Signed with another key it is refused; what a person takes unsigned must fit all the same."""
    path = tmp_path / "m.zip"
    with path.open("wb") as file:
        pack_model(manifest(task="regression"), {MODEL: trap, CARD: b"{}"}, b"mallory's", file)
    with pytest.raises(ModelFileError):
        read_for(path, make_config(), KEY, unsigned=unsigned)


def test_hostile_remembered_answers_are_bytes_and_no_more(tmp_path, trap):
    path = str(tmp_path / "remembered.db")
    memory = AnswerMemory(10, path, "s")
    memory.open()
    file = sqlite3.connect(path)
    file.execute(
        "INSERT INTO answers (stream, id, digest, answer) VALUES (?, ?, ?, ?)",
        ("s", "a", trap, trap),
    )
    file.commit()
    file.close()
    assert memory.recall("a").answer == trap
    memory.close()
