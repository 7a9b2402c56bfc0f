"""A model as one file: a zip whose manifest is sealed, and names every other file in it.

Nothing is unpacked to disk, and nothing is unpickled, before size, seal and digests were checked.
"""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from stream.config import Config
from stream.errors import InputError
from stream.storage.seal import is_sealed, seal

FORMAT = 1
MODEL, SCHEMA, REFERENCE = "model.pickle", "schema.toml", "reference.json"
CARD, CARD_TEXT = "card.json", "card.md"
_MANIFEST, _SEAL = "manifest.json", "seal.txt"
_PLACE = f"riverrun-model/{FORMAT}"
_MIB = 1024 * 1024
LIMITS = {
    MODEL: 512 * _MIB,
    REFERENCE: 64 * _MIB,
    SCHEMA: 4 * _MIB,
    CARD: 16 * _MIB,
    CARD_TEXT: 16 * _MIB,
    _MANIFEST: _MIB,
    _SEAL: 1_000,
}
"""Files that may be in it, and the bytes that each may have."""

_NEEDED = (_MANIFEST, _SEAL, MODEL, CARD)
_EARLIEST = (1980, 1, 1, 0, 0, 0)


class ModelFileError(InputError):
    """A file is no model that may be taken, and this says why."""


class Listed(msgspec.Struct, frozen=True):
    """One file by its digest and size."""

    sha256: str
    bytes: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model file says of itself.

    Parameters
    ----------
    format
        Of the file.
    stream, version, moment
        Which model it is, and as it was when.
    task, classes, event
        What it predicts, and what of an event it sees.
    pipeline, fingerprint, libraries
        What it was made with.
    created_at
        Seconds since the epoch.
    files
        The others, by name.
    """

    format: int
    stream: str
    version: str
    moment: str
    task: str
    classes: list[str | int] | None
    event: dict[str, Any]
    pipeline: str
    fingerprint: str
    libraries: dict[str, str]
    created_at: float
    files: dict[str, Listed]


class ModelFile(msgspec.Struct, frozen=True):
    """A model file whose seal and digests are right.

    Parameters
    ----------
    manifest
        What it says of itself.
    files
        Contents by name.
    is_signed
        Whether its signature was checked; else only its digest was.
    """

    manifest: Manifest
    files: dict[str, bytes]
    is_signed: bool

    @property
    def card(self) -> dict[str, Any]:
        """The model card."""
        found: dict[str, Any] = msgspec.json.decode(self.files[CARD])
        return found


def what_it_sees(config: Config) -> dict[str, Any]:
    """Return what decides how an event becomes a model's features."""
    event = config.event
    return {
        "features": None if event.features is None else list(event.features),
        "label": event.label,
        "id": event.id,
        "time": event.time,
        "types": dict(sorted(event.types.items())),
        "nulls": event.nulls,
    }


def pack_model(
    manifest: Manifest, files: Mapping[str, bytes], secret: bytes | None, target: BinaryIO
) -> None:
    """Write a model file.

    Parameters
    ----------
    manifest
        Its ``files`` are filled in here.
    files
        Contents by name.
    secret
        Signs it; None for a digest only.
    target
        Written from its position.

    Raises
    ------
    ModelFileError
        One of them is larger than could be read again.
    """
    for name, data in files.items():
        if len(data) > LIMITS[name]:
            raise ModelFileError(f"{name} has {len(data):,} bytes, more than {LIMITS[name]:,}")
    listed = {n: Listed(hashlib.sha256(d).hexdigest(), len(d)) for n, d in files.items()}
    written = msgspec.json.encode(msgspec.structs.replace(manifest, files=listed), order="sorted")
    sealed = {_MANIFEST: written, _SEAL: seal(written, _PLACE, secret).encode()}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**sealed, **files}.items():
            info = zipfile.ZipInfo(name, _EARLIEST)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)


def read_model_file(path: Path, secret: bytes | None, *, unsigned: bool = False) -> ModelFile:
    """Read a model file, and check it; nothing is unpickled.

    Parameters
    ----------
    path
        The file.
    secret
        That it must be signed with.
    unsigned
        Take it by its digest alone: that shows damage, not who wrote it, and whoever wrote a
        pickle decides what happens when it is loaded.

    Raises
    ------
    ModelFileError
        It cannot be read, is none, is damaged, or not signed.
    """
    if secret is None and not unsigned and path.exists():
        raise ModelFileError(
            f"{path}: without RIVERRUN_SECRET nobody can tell who wrote it, and loading a model "
            "runs what its writer put there. Set the secret that it was exported with, or say "
            "--unsigned if you know where it comes from"
        )
    try:
        if path.exists() and not path.is_file():
            raise ModelFileError(f"{path}: a directory or device, and no file")
        with path.open("rb") as file:
            data = file.read(sum(LIMITS.values()) + 1)
        if len(data) > sum(LIMITS.values()):
            raise ModelFileError(f"{path}: larger than a model file may be")
        return _read(path, BytesIO(data), None if unsigned else secret)
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror or error}") from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
        ValueError,
    ) as error:
        raise ModelFileError(f"{path}: damaged, or no model file of riverrun ({error})") from None


def _read(path: Path, file: BinaryIO, secret: bytes | None) -> ModelFile:
    with zipfile.ZipFile(file) as archive:
        members = _members(path, archive)
        written, found = (_content(path, archive, members[n]) for n in (_MANIFEST, _SEAL))
        if not is_sealed(written, _PLACE, secret, found.decode("ascii")):
            what = "damaged, or signed with another RIVERRUN_SECRET" if secret else "damaged"
            if secret is not None and " hmac:" not in found.decode("ascii"):
                what = "not signed, and RIVERRUN_SECRET is set; --unsigned takes it all the same"
            raise ModelFileError(f"{path}: it is {what}; nothing of it was loaded")
        manifest = _manifest(path, written)
        files = {}
        for name, listed in manifest.files.items():
            if name not in members:
                raise ModelFileError(f"{path}: {name[:100]!r} is named and not there")
            files[name] = data = _content(path, archive, members[name])
            if len(data) != listed.bytes or hashlib.sha256(data).hexdigest() != listed.sha256:
                raise ModelFileError(f"{path}: {name} is damaged: it is not what was sealed")
    if extra := set(members) - {_MANIFEST, _SEAL, *files}:
        raise ModelFileError(f"{path}: {min(extra)} is not sealed")
    try:
        msgspec.json.decode(files[CARD], type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise ModelFileError(f"{path}: its card cannot be read ({error})") from None
    return ModelFile(manifest, files, secret is not None)


def _members(path: Path, archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = archive.infolist()
    names = [info.filename for info in infos]
    unknown = [name for name in names if name not in LIMITS]
    if unknown or len(set(names)) < len(names):
        what = f"{unknown[0][:100]!r} does not belong there" if unknown else "a name stands twice"
        raise ModelFileError(f"{path}: no model file of riverrun: {what}")
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise ModelFileError(f"{path}: no model file of riverrun: {missing[0]} is missing")
    return {info.filename: info for info in infos}


def _content(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    limit = LIMITS[info.filename]
    if info.file_size <= limit:
        with archive.open(info) as member:
            data = member.read(limit + 1)
        if len(data) <= limit:
            return data
    raise ModelFileError(f"{path}: {info.filename} unfolds to more than {limit:,} bytes")


def _manifest(path: Path, written: bytes) -> Manifest:
    class _Format(msgspec.Struct):
        format: int

    try:
        found = msgspec.json.decode(written, type=_Format).format
        if found == FORMAT:
            manifest = msgspec.json.decode(written, type=Manifest)
            if MODEL in manifest.files and CARD in manifest.files:
                return manifest
    except msgspec.DecodeError as error:
        raise ModelFileError(f"{path}: its manifest cannot be read ({error})") from None
    if found == FORMAT:
        raise ModelFileError(f"{path}: its manifest names no model, or no card")
    raise ModelFileError(
        f"{path}: it has format {found}, and this riverrun reads {FORMAT}; use the riverrun that "
        "wrote it"
    )


def misfits(manifest: Manifest, config: Config, libraries: Mapping[str, str]) -> list[str]:
    """Return why a model cannot serve a stream, each with what was found and expected.

    Parameters
    ----------
    manifest
        Of a file whose seal was checked.
    config
        The stream's.
    libraries
        Versions of this process.
    """
    found = []
    for name, parts in (("river", 3), ("python", 2), ("numpy", 1)):
        theirs, ours = manifest.libraries.get(name, "unknown"), libraries[name]
        if theirs.split(".")[:parts] != ours.split(".")[:parts]:
            found.append(
                f"it was made with {name} {theirs}, and this is {ours}: pickles break between "
                "these; install that one, or retrain"
            )
    if manifest.task != config.model.task:
        found.append(f"its task is {manifest.task!r}, and the stream's is {config.model.task!r}")
    classes = None if config.model.classes is None else list(config.model.classes)
    if manifest.task == config.model.task and manifest.classes != classes:
        found.append(f"its model.classes are {manifest.classes}, and the stream's are {classes}")
    ours_seen = what_it_sees(config)
    for key, theirs_seen in manifest.event.items():
        # With every field a feature, the names of the others decide which these are.
        matters = key in ("features", "types", "nulls") or ours_seen["features"] is None
        if matters and key in ours_seen and theirs_seen != ours_seen[key]:
            found.append(
                f"its event.{key} is {theirs_seen!r}, and the stream's is {ours_seen[key]!r}"
            )
    return found
