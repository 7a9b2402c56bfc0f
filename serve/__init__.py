"""HTTP and the command line: composes the line and answers from its latest model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serve.model_exchange import LoadedModel

__all__ = ["load_model"]


def load_model(
    path: str | Path, secret: bytes | None = None, *, unsigned: bool = False
) -> LoadedModel:
    """Load a model that ``riverrun models export`` wrote; it needs neither log nor store.

    Parameters
    ----------
    path
        The file.
    secret
        That it was signed with, as in ``RIVERRUN_SECRET``.
    unsigned
        Take it by its digest alone, for a file whose writer you know.

    Returns
    -------
    LoadedModel
        With ``predict(features)``, its manifest and its card.

    Raises
    ------
    stream.errors.InputError
        It is none, is damaged, not signed with that secret, or of another River.
    """
    from serve.model_exchange import LoadedModel, read_for

    file, learner = read_for(Path(path), None, secret, unsigned=unsigned)
    return LoadedModel(learner, file.manifest, file.card)
