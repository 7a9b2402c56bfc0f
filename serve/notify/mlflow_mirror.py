"""A mirror of runs and versions on an MLflow tracking server: what is there follows the store."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

from serve.notify.mlflow_text import card, metrics_of, params_of, tags_of
from serve.notify.receiver import RefusedError, UndeliveredError
from stream.checkpoint import MODEL_PART
from stream.config import Config
from stream.errors import CheckpointDamagedError, ConfigError, Problem
from stream.storage.outbox import Choose, Message, News
from stream.storage.store import Store

CHAMPION, CHALLENGER = "champion", "challenger"
_ENDS = {
    "kept": "FINISHED",
    "rejected": "FINISHED",
    "rolled_back": "FINISHED",
    "failed": "FAILED",
    "cancelled": "KILLED",
}
"""How a run ends there, by how it ended here."""

_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",  # it would tell its makers
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",  # they would carry the token elsewhere
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # the client's own waits and tries are
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # longer than a worker may take to stop
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # where a command's result stands
    "MLFLOW_CONFIGURE_LOGGING": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}
_FINAL_ERRORS = frozenset({"INVALID_PARAMETER_VALUE", "BAD_REQUEST"})
_RESULTS, _CHANGES = 100, 1_000


def mirrored(stream: str) -> Choose:
    """Return what turns news into what the mirror is to do: a run to follow, a version serving.

    The messages name what to look at; what is then written is read from the store, so that a
    message that comes twice or late does no harm.
    """

    def choose(news: News, state: dict[str, Any]) -> tuple[list[Message], dict[str, Any]]:
        found = [
            Message(
                f"{stream}/run/{row['run']}/{row['state']}",
                row["at"],
                {"run": row["run"], "state": row["state"], "version": row["version"]},
            )
            for row in news.changes
            if row["run"]  # 0 is of no run: a version that was imported
        ]
        newest = news.newest
        if newest is not None and newest.version != state.get("serving"):
            key = f"{stream}/serving/{newest.version}/{newest.number}"
            found.append(Message(key, newest.created_at, {"serving": newest.version}))
            state = state | {"serving": newest.version}
        return found, state

    return choose


class MlflowMirror:
    """Keeps runs, versions and the aliases ``champion`` and ``challenger`` as they are here.

    Parameters
    ----------
    config
        The stream's, with an address in ``[mlflow]``.
    store
        Where runs and models are.

    Raises
    ------
    ConfigError
        When the extra is not installed.
    """

    name = "mlflow"

    def __init__(self, config: Config, store: Store) -> None:
        if find_spec("mlflow") is None:
            needed = "install the extra: pip install 'riverrun[mlflow]'"
            uri = str(config.mlflow.tracking_uri)
            raise ConfigError("mlflow", [Problem("mlflow.tracking_uri", uri, needed)])
        self.choose: Choose = mirrored(config.stream.name)
        self._config = config
        self._store = store
        self._stream = config.stream.name
        self._experiment = config.mlflow.experiment or self._stream
        self._model = config.mlflow.registered_model or self._stream

    def send(self, data: dict[str, Any]) -> None:
        """Bring the server up to date with one run, or with the version that serves.

        Raises
        ------
        UndeliveredError, RefusedError
        """
        client = self._client
        from mlflow.exceptions import MlflowException

        try:
            if "serving" in data:
                self._serve(client, data["serving"])
            else:
                self._follow(client, data["run"], data["version"], data["state"])
        except MlflowException as error:
            message = f"MLflow: {error.error_code}: {' '.join(str(error).split())[:300]}"
            final = error.error_code in _FINAL_ERRORS
            raise (RefusedError if final else UndeliveredError)(message) from None
        except OSError as error:  # requests' own are among them
            raise UndeliveredError(f"MLflow: {type(error).__name__}") from None

    def repeat(self, state: dict[str, Any]) -> bool:
        """Nothing: the server keeps what it was told."""
        return False

    def close(self) -> None:
        """Nothing is open between two messages."""

    @cached_property
    def _client(self) -> Any:
        """The client; importing it takes most of a second, and only who needs it waits."""
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        from mlflow.tracking import MlflowClient

        return MlflowClient(self._config.mlflow.tracking_uri, self._config.mlflow.tracking_uri)

    def _follow(self, client: Any, run: int, version: str, state: str) -> None:
        """Write what is known of a run, and move the alias of whom is in the shadow."""
        changes = self._store.runs.changes(run=run)[::-1]
        if not changes:
            return  # the worker has gone back to before it
        run_id = self._run(client, version, run, changes)
        if state in ("shadow", "probation", "promoted"):
            found = self._version(client, version, run_id, changes)
            if state == "shadow":
                client.set_registered_model_alias(self._model, CHALLENGER, found.version)
        if (status := _ENDS.get(state)) is not None:
            client.set_terminated(run_id, status)
            if state != "kept":
                self._release(client, version)

    def _serve(self, client: Any, version: str) -> None:
        """Let a version be the champion."""
        changes = self._changes_of(version)
        found = self._find_version(client, version)
        if found is None:
            run = changes[-1]["run"] if changes else None
            run_id = self._run(client, version, run, changes)
            found = self._version(client, version, run_id, changes)
            if run is None:
                client.set_terminated(run_id, "FINISHED")
        if self._config.mlflow.artifacts:
            self._upload(client, version, found.run_id, changes)
        client.set_registered_model_alias(self._model, CHAMPION, found.version)
        self._release(client, version)

    def _changes_of(self, version: str) -> list[dict[str, Any]]:
        """Return the changes of the run that made a version, oldest first."""
        made = [row for row in self._store.runs.changes(_CHANGES) if row["version"] == version]
        runs = [row["run"] for row in made if row["state"] == "training"]
        return self._store.runs.changes(run=runs[-1])[::-1] if runs else []

    def _run(
        self, client: Any, version: str, run: int | None, changes: Sequence[Mapping[str, Any]]
    ) -> str:
        """Find or make the run there, and write what is known of it."""
        key = f"{self._stream}/{version if run is None else run}"
        experiment = client.get_experiment_by_name(self._experiment)
        place = experiment.experiment_id if experiment else self._make_experiment(client)
        found = client.search_runs([place], f"tags.`riverrun.run` = '{key}'", max_results=1)
        tags = tags_of(self._stream, version, changes, self._store.versions()) | {
            "riverrun.run": key
        }
        if found:
            run_id = str(found[0].info.run_id)
        else:
            name = f"{version} of {self._stream}"
            start = round(changes[0]["at"] * 1000) if changes else None
            made = client.create_run(place, start_time=start, tags=tags, run_name=name)
            run_id = str(made.info.run_id)
        from mlflow.entities import Metric, Param, RunTag

        client.log_batch(
            run_id,
            metrics=[Metric(n, v, at, step) for n, v, at, step in metrics_of(changes)],
            params=[Param(n, v) for n, v in params_of(changes)],
            tags=[RunTag(n, v) for n, v in tags.items()],
        )
        return run_id

    def _make_experiment(self, client: Any) -> str:
        return str(client.create_experiment(self._experiment))

    def _version(
        self, client: Any, version: str, run_id: str, changes: Sequence[Mapping[str, Any]]
    ) -> Any:
        """Find or make the registered version, and say what became of it."""
        from mlflow.exceptions import MlflowException

        said = card(self._stream, version, changes)
        if (found := self._find_version(client, version)) is not None:
            client.update_model_version(self._model, found.version, said)
            return found
        try:
            client.create_registered_model(self._model)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        return client.create_model_version(
            self._model,
            source=f"{client.get_run(run_id).info.artifact_uri}/model",
            run_id=run_id,
            tags={"riverrun.version": version, "riverrun.stream": self._stream},
            description=said,
            await_creation_for=None,
        )

    def _find_version(self, client: Any, version: str) -> Any:
        where = f"name = '{self._model}' and tags.`riverrun.version` = '{version}'"
        for one in client.search_model_versions(where, max_results=_RESULTS):
            if one.tags.get("riverrun.stream") == self._stream:
                return one
        return None

    def _upload(
        self, client: Any, version: str, run_id: str, changes: Sequence[Mapping[str, Any]]
    ) -> None:
        """Upload the pickle, the card and the changes of the run; once."""
        there = {one.path for one in client.list_artifacts(run_id, "model")}
        if "model/model.pkl" in there:
            return
        with tempfile.TemporaryDirectory(prefix="riverrun-mlflow-") as name:
            folder = Path(name)
            (folder / "card.md").write_text(card(self._stream, version, changes), encoding="utf-8")
            (folder / "run.json").write_bytes(msgspec.json.encode(list(changes)))
            if (data := self._pickle(version)) is not None:
                (folder / "model.pkl").write_bytes(data)
            client.log_artifacts(run_id, name, "model")

    def _pickle(self, version: str) -> bytes | None:
        """Return a version's pickle: as it was kept, or from the newest checkpoint."""
        try:
            if (kept := self._store.runs.model(version)) is not None:
                return kept
            newest = self._store.newest()
            if newest is not None and newest.version == version:
                return self._store.load_part(newest, MODEL_PART)
        except CheckpointDamagedError:  # told elsewhere, loudly; the card is still worth having
            return None
        return None

    def _release(self, client: Any, version: str) -> None:
        """Take the alias of the challenger from a version that is none any more."""
        from mlflow.exceptions import MlflowException

        try:
            held = client.get_model_version_by_alias(self._model, CHALLENGER)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return  # nobody has it
            raise
        if held.tags.get("riverrun.version") == version:
            client.delete_registered_model_alias(self._model, CHALLENGER)
