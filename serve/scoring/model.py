"""The model that scores a file, and how it sees an event: out of the store, or out of a file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serve.model_exchange import LoadedModel, read_for
from serve.stored_model import stored_model
from stream.config import Config
from stream.model_section import ModelSection
from stream.sections import EventSection, StreamSection, TopicsSection
from stream.storage.store import Store


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model, and the mapping of events that it was made with.

    Parameters
    ----------
    model
        Predicts.
    config
        Of its stream; of a model out of a file only what maps events.
    """

    model: LoadedModel
    config: Config


def scorer_from_store(store: Store, config: Config, version: str | None) -> Scorer:
    """Return the model of a stream's version; None for the one that serves.

    Raises
    ------
    InputError, StoreError
    """
    return Scorer(stored_model(store, config.stream.name, version), config)


def scorer_from_file(path: Path, secret: bytes | None, *, unsigned: bool) -> Scorer:
    """Return the model of an exported file, checked before anything of it is loaded.

    Raises
    ------
    ModelFileError
    """
    file, learner = read_for(path, None, secret, unsigned=unsigned)
    manifest = file.manifest
    # Not Config(...): the environment of this program is not about the stream the model is from.
    config = Config.model_construct(
        stream=StreamSection(name=manifest.stream),
        topics=TopicsSection(),
        event=EventSection.model_validate(manifest.event),
        model=ModelSection.model_validate({"task": manifest.task, "classes": manifest.classes}),
    )
    return Scorer(LoadedModel(learner, manifest, file.card, manifest.version), config)
