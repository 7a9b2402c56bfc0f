"""HTTP and the command line: composes the line and answers from its latest model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serve.model_exchange import LoadedModel

__all__ = ["load_model"]


def load_model(
    source: str | Path,
    secret: bytes | None = None,
    *,
    unsigned: bool = False,
    stream: str | None = None,
    version: str | None = None,
) -> LoadedModel:
    """Load a model to predict with, in any program: no log is opened, and no Kafka client imported.

    Parameters
    ----------
    source
        A file that ``riverrun models export`` wrote; or a store: ``sqlite:///FILE`` or
        ``postgresql+psycopg://...``.
    secret
        That it was signed with, as in ``RIVERRUN_SECRET``. Seals are checked before anything is
        unpickled.
    unsigned
        Take a file by its digest alone, for one whose writer you know.
    stream
        Of a store: whose model.
    version
        Of a store: which one; None for the newest state of the one that serves.

    Returns
    -------
    LoadedModel
        With ``predict(features)``, ``answer(features)`` and its ``version``; out of a file with
        its manifest and its card.

    Raises
    ------
    stream.errors.RiverrunError
        It is none, is damaged, not signed with that secret, or of another River; or the store
        cannot be read or has no such stream or version.
    """
    from stream.errors import InputError

    if "://" in str(source):
        if stream is None:
            raise InputError(f"{source}: say whose model: load_model(store, stream='flights')")
        from serve.stored_model import load_stored

        return load_stored(str(source), stream, version, secret)
    if stream is not None or version is not None:
        raise InputError(f"{source}: stream and version are for a store; a file holds one model")
    from serve.model_exchange import LoadedModel, read_for

    file, learner = read_for(Path(source), None, secret, unsigned=unsigned)
    return LoadedModel(learner, file.manifest, file.card, file.manifest.version)
