"""MLServer with the same pipeline, for the comparison of ``benchmarks.api_speed``."""

from __future__ import annotations

import json
from pathlib import Path

_MODEL = """
import random

from mlserver import MLModel
from mlserver.types import InferenceResponse, ResponseOutput
from river import linear_model, preprocessing


class River(MLModel):
    async def load(self) -> bool:
        self._model = preprocessing.StandardScaler() | linear_model.LogisticRegression()
        rng = random.Random(1)
        for _ in range(20_000):
            x = {f"f{i}": rng.gauss(0, 1) for i in range(8)}
            self._model.learn_one(x, x["f0"] - x["f1"] + 0.5 * rng.gauss(0, 1) > 0)
        return True

    async def predict(self, payload):
        x = {one.name: one.data[0] for one in payload.inputs}
        said = self._model.predict_proba_one(x)
        outputs = [
            ResponseOutput(name="prediction", shape=[1], datatype="BOOL", data=[said[True] > 0.5]),
            ResponseOutput(
                name="probabilities", shape=[1, 2], datatype="FP64", data=[said[False], said[True]]
            ),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
"""


def folder_of(folder: Path, port: int) -> Path:
    """Write what ``mlserver start`` serves, and return where it stands.

    Parameters
    ----------
    folder
        An empty one.
    port
        Of its HTTP server.
    """
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": 0,
        "metrics_port": 0,
        "parallel_workers": 0,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "river_model.py").write_text(_MODEL)
    model = {"name": "bench", "implementation": "river_model.River"}
    (folder / "model-settings.json").write_text(json.dumps(model))
    return folder
