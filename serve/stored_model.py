"""A model straight out of a store: the newest checkpoint's, or that of a version that was kept."""

from __future__ import annotations

from contextlib import closing

from serve.model_exchange import LoadedModel
from serve.status_reading import missing_file
from stream.checkpoint import MODEL_PART
from stream.errors import InputError
from stream.snapshot import load_learner
from stream.storage.identity import libraries
from stream.storage.store import Store
from stream.versions import UnknownVersionError


def load_stored(url: str, stream: str, version: str | None, secret: bytes | None) -> LoadedModel:
    """Open a store, load a model and close the store.

    Parameters
    ----------
    url, stream
        The store, and whose model.
    version, secret
        As for ``serve.load_model``.

    Raises
    ------
    InputError, CheckpointDamagedError, StoreUnreachableError
    """
    if (path := missing_file(url)) is not None:
        raise InputError(f"the store {path} does not exist")
    with closing(Store(url, stream, secret=secret)) as store:
        return stored_model(store, stream, version)


def stored_model(store: Store, stream: str, version: str | None) -> LoadedModel:
    """Load a model from a store.

    Parameters
    ----------
    store
        The stream's.
    stream
        Named in errors.
    version
        Its name; None for the one that serves, as the newest checkpoint has it.

    Raises
    ------
    InputError
        There is none, none was kept of that version, or it is of another River.
    CheckpointDamagedError, StoreUnreachableError
    """
    newest = store.newest()
    while newest is not None and version in (None, newest.version):
        _refuse_another_river(newest.version, newest.identity.libraries)
        part = store.load_part(newest, MODEL_PART)
        if part is not None:
            offset = sum(newest.offsets.values())
            return LoadedModel(load_learner(part), None, None, newest.version, offset)
        newest = store.newest()  # it was replaced since its row was read
    known = {row["version"]: row["libraries"] for row in store.versions()}
    if version is None or not known:
        raise InputError(f"no checkpoint of {stream!r} on {store.url} yet: nothing has learned")
    if version not in known:
        raise UnknownVersionError(version, list(known))
    _refuse_another_river(version, known[version])
    data = store.runs.model(version)
    if data is None:
        raise InputError(f"no model of {version} was kept. Kept are models that served")
    return LoadedModel(load_learner(data), None, None, version)


def _refuse_another_river(version: str, theirs: dict[str, str]) -> None:
    ours = libraries()["river"]
    if theirs.get("river") != ours:
        raise InputError(
            f"{version} was made with river {theirs.get('river')}, and this is {ours}; install "
            "that one: pickles of another cannot be trusted to load"
        )
