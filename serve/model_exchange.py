"""Models that leave a stream as a file, come into one, or answer without any stream."""

from __future__ import annotations

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from serve.stored_monitor import read_view
from stream.build import pipeline_text
from stream.checkpoint import MODEL_PART
from stream.config import Config
from stream.errors import InputError
from stream.learner import Learner, Prediction, decide, probabilities
from stream.model_card import card_of, card_text
from stream.model_file import (
    CARD,
    CARD_TEXT,
    FORMAT,
    MODEL,
    REFERENCE,
    SCHEMA,
    Manifest,
    ModelFile,
    ModelFileError,
    misfits,
    pack_model,
    read_model_file,
    what_it_sees,
)
from stream.storage.identity import fingerprint, libraries
from stream.storage.store import Store
from stream.version_details import details_of
from stream.versions import Versions


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model out of a file or a store.

    Parameters
    ----------
    learner
        Predicts, and goes on learning where somebody lets it.
    manifest, card
        What it is, and what is known of it; None for one out of a store.
    version
        Its name.
    learned_offset
        How far it has read; None where that is not known.
    """

    learner: Learner
    manifest: Manifest | None
    card: dict[str, Any] | None
    version: str
    learned_offset: int | None = None

    def predict(self, features: Mapping[str, Any]) -> Prediction:
        """Return the prediction for the features of one event."""
        return self.learner.predict(dict(features))

    def answer(self, features: Mapping[str, Any]) -> dict[str, Any]:
        """Return the prediction as the API tells it: ``prediction`` and ``probabilities``."""
        said, task = self.predict(features), self.learner.task
        return {"prediction": decide(task, said), "probabilities": probabilities(task, said)}


def full_details(store: Store, config: Config, version: str) -> dict[str, Any]:
    """Return all that is known of a version, as ``details_of``, and by the configuration.

    Raises
    ------
    UnknownVersionError, StoreError
    """
    versions = Versions(store)
    details = details_of(versions, version)
    if not details["pipeline"] and details["fingerprint"] == fingerprint(config):
        details |= {"pipeline": pipeline_text(config), "seed": config.model.seed}
    newest, view = read_view(store)
    if newest is not None and newest.version == version:
        details["libraries"] = newest.identity.libraries
        if details["schema"] is None and view is not None:
            details["schema"] = view.schema
    return details


def export_model(
    store: Store, config: Config, version: str, target: Path, *, secret: bytes | None, now: float
) -> Manifest:
    """Write a version to a file: the model, its schema, its reference and its card.

    The version that serves is written as the newest checkpoint has it; another as it was when it
    left, came in, or was promoted, whichever was last.

    Parameters
    ----------
    store, config
        Of the stream.
    version
        Its name.
    target
        Written whole or not at all.
    secret
        Signs it; None for a digest only.
    now
        Seconds since the epoch.

    Raises
    ------
    UnknownVersionError, InputError, StoreError
    """
    details = full_details(store, config, version)
    model, moment = _model_of(store, version, details)
    reference = store.history.reference(version)
    card = card_of(config, details, now)
    files = {
        MODEL: model,
        CARD: msgspec.json.format(msgspec.json.encode(card), indent=2),
        CARD_TEXT: card_text(card).encode(),
    }
    if details["schema"] is not None:
        files[SCHEMA] = details["schema"].encode()
    if reference is not None:
        files[REFERENCE] = reference
    classes = config.model.classes
    manifest = Manifest(
        format=FORMAT,
        stream=config.stream.name,
        version=version,
        moment=moment,
        task=config.model.task,
        classes=None if classes is None else list(classes),
        event=what_it_sees(config),
        pipeline=details["pipeline"],
        fingerprint=details["fingerprint"],
        libraries=details["libraries"] or libraries(),
        created_at=now,
        files={},
    )
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            pack_model(manifest, files, secret, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    except OSError as error:
        raise InputError(f"{target}: {error.strerror or error}; name another file") from None
    finally:
        part.unlink(missing_ok=True)
    return manifest


def _model_of(store: Store, version: str, details: Mapping[str, Any]) -> tuple[bytes, str]:
    newest = store.newest()
    while newest is not None and newest.version == version:
        part = store.load_part(newest, MODEL_PART)
        if part is not None:
            return part, f"checkpoint {newest.number}"
        newest = store.newest()  # it was replaced since its row was read
    data = store.runs.model(version)
    if data is None:
        raise InputError(
            f"no model of {version} was kept: it is {details['state']}. Kept are models that served"
        )
    return data, str(details["moments"][-1])


def read_for(
    path: Path, config: Config | None, secret: bytes | None, *, unsigned: bool = False
) -> tuple[ModelFile, Learner]:
    """Read a model file, check everything, and only then unpickle its model.

    Parameters
    ----------
    path
        The file.
    config
        Of the stream that it shall fit; None where it is to fit none.
    secret, unsigned
        As for ``read_model_file``.

    Raises
    ------
    ModelFileError
        With every reason why it does not fit.
    """
    file = read_model_file(path, secret, unsigned=unsigned)
    found = [] if config is None else misfits(file.manifest, config, libraries())
    if config is None:
        now = libraries()["river"]
        if (theirs := file.manifest.libraries.get("river")) != now:
            found = [f"it was made with river {theirs}, and this is {now}; install that one"]
    if found:
        listed = "\n  ".join(found)
        raise ModelFileError(f"{path}: it does not fit; nothing of it was loaded\n  {listed}")
    try:
        learner = pickle.loads(file.files[MODEL])  # noqa: S301 (its seal was checked)
    except Exception as error:  # noqa: BLE001 (unpickling may raise anything)
        raise ModelFileError(f"{path}: its model cannot be loaded: {error!r}") from None
    if not isinstance(learner, Learner) or learner.task != file.manifest.task:
        raise ModelFileError(f"{path}: it holds no model for the task {file.manifest.task!r}")
    return file, learner
