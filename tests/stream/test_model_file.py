"""A model file is checked in full before anything of it is loaded."""

from __future__ import annotations

import hashlib
import zipfile
from io import BytesIO

import msgspec
import pytest

from stream.model_card import BLOCKS, card_of, card_text
from stream.model_file import (
    CARD,
    CARD_TEXT,
    FORMAT,
    LIMITS,
    MODEL,
    Manifest,
    ModelFileError,
    misfits,
    pack_model,
    read_model_file,
    what_it_sees,
)
from stream.storage.identity import libraries
from stream.storage.seal import seal
from tests.lines import make_config

KEY = b"a secret"
FILES = {MODEL: b"a pickle" * 200, CARD: b'{"a": 1}', CARD_TEXT: b"# card"}


def manifest(**changes):
    made = Manifest(
        format=FORMAT,
        stream="s",
        version="v2",
        moment="promoted",
        task="binary",
        classes=None,
        event=what_it_sees(make_config()),
        pipeline="p",
        fingerprint="f",
        libraries=libraries(),
        created_at=0.0,
        files={},
    )
    return msgspec.structs.replace(made, **changes)


@pytest.fixture
def path(tmp_path):
    target = tmp_path / "v2.zip"
    write(target)
    return target


def write(path, secret=KEY, files=FILES, **changes):
    with path.open("wb") as file:
        pack_model(manifest(**changes), files, secret, file)


def members(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewrite(path, contents, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents:
            archive.writestr(name, data)


def test_what_is_written_is_read(path):
    found = read_model_file(path, KEY)
    assert found.files == FILES
    assert found.is_signed
    assert found.manifest.version == "v2"
    assert found.card == {"a": 1}
    write(path)
    first = path.read_bytes()
    write(path)
    assert path.read_bytes() == first, "the same model gives the same bytes"


def test_every_flipped_byte_is_noticed_or_harmless(path):
    data = path.read_bytes()
    noticed = 0
    for at in range(0, len(data), 7):
        broken = bytearray(data)
        broken[at] ^= 0x5A
        path.write_bytes(broken)
        try:
            found = read_model_file(path, KEY)
        except ModelFileError:
            noticed += 1
        else:
            assert found.files == FILES, "a byte that nothing depends on, such as a date"
    assert noticed > len(data) / 7 * 0.5


def test_a_file_that_is_cut_anywhere_is_refused(path):
    data = path.read_bytes()
    for end in range(0, len(data) - 1, 11):
        path.write_bytes(data[:end])
        with pytest.raises(ModelFileError):
            read_model_file(path, KEY)


def test_another_key_no_key_and_no_signature_are_told_apart(path):
    with pytest.raises(ModelFileError, match="another RIVERRUN_SECRET"):
        read_model_file(path, b"wrong")
    with pytest.raises(ModelFileError, match="--unsigned if you know"):
        read_model_file(path, None)
    assert not read_model_file(path, None, unsigned=True).is_signed
    write(path, secret=None)
    with pytest.raises(ModelFileError, match="not signed, and RIVERRUN_SECRET is set"):
        read_model_file(path, KEY)
    assert read_model_file(path, KEY, unsigned=True).files == FILES


def test_a_part_that_was_exchanged_is_refused(path):
    contents = members(path) | {MODEL: b"evil"}
    rewrite(path, contents.items())
    with pytest.raises(ModelFileError, match=r"model\.pickle is damaged"):
        read_model_file(path, KEY)


def test_a_manifest_that_was_exchanged_is_refused(path):
    contents = members(path)
    told = msgspec.json.decode(contents["manifest.json"])
    told["files"][MODEL]["sha256"] = hashlib.sha256(b"evil").hexdigest()
    told["files"][MODEL]["bytes"] = 4
    contents |= {MODEL: b"evil", "manifest.json": msgspec.json.encode(told)}
    rewrite(path, contents.items())
    with pytest.raises(ModelFileError, match="nothing of it was loaded"):
        read_model_file(path, KEY)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "x", "model.pickle/../y"])
def test_names_that_do_not_belong_there_are_refused(path, name):
    rewrite(path, [*members(path).items(), (name, b"x")])
    with pytest.raises(ModelFileError, match="does not belong there"):
        read_model_file(path, KEY)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(path):
    rewrite(path, [*members(path).items(), (MODEL, b"evil")])
    with pytest.raises(ModelFileError, match="a name stands twice"):
        read_model_file(path, KEY)


def test_what_is_not_sealed_is_refused(path):
    rewrite(path, [*members(path).items(), ("schema.toml", b"x")])
    with pytest.raises(ModelFileError, match=r"schema\.toml is not sealed"):
        read_model_file(path, KEY)


def test_a_bomb_is_not_unfolded(path, monkeypatch):
    contents = members(path)
    rewrite(path, (contents | {"manifest.json": b" " * (LIMITS["manifest.json"] + 1)}).items())
    assert path.stat().st_size < 20_000
    with pytest.raises(ModelFileError, match="unfolds to more than"):
        read_model_file(path, KEY)


def test_a_bomb_that_lies_about_its_size_is_not_unfolded_either(path):
    contents = members(path)
    big = b" " * 5_000_000
    rewrite(path, (contents | {"manifest.json": big}).items())
    data = path.read_bytes().replace((5_000_000).to_bytes(4, "little"), (99).to_bytes(4, "little"))
    path.write_bytes(data)
    with pytest.raises(ModelFileError):
        read_model_file(path, KEY)


def test_more_than_a_model_may_have_is_not_even_written(monkeypatch):
    monkeypatch.setitem(LIMITS, MODEL, 10)
    with pytest.raises(ModelFileError, match="1,600 bytes, more than 10"):
        pack_model(manifest(), FILES, KEY, BytesIO())


@pytest.mark.parametrize("content", [b"", b"PK", b"not a zip" * 100, b"PK\x05\x06" + b"\0" * 18])
def test_what_is_no_zip_is_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match="no model file of riverrun"):
        read_model_file(path, KEY)


def test_a_file_that_is_not_there_or_a_folder_is_told(path):
    with pytest.raises(ModelFileError, match="No such file"):
        read_model_file(path.with_name("nope"), KEY)
    with pytest.raises(ModelFileError, match="directory"):
        read_model_file(path.parent, KEY)


def test_a_format_of_the_future_says_what_to_do(path):
    write(path, format=FORMAT + 1)
    with pytest.raises(ModelFileError, match="use the riverrun that wrote it"):
        read_model_file(path, KEY)


def test_a_signed_manifest_with_other_fields_is_refused(path):
    contents = members(path)
    written = b'{"format": 1}'
    sealed = seal(written, "riverrun-model/1", KEY).encode()
    rewrite(path, (contents | {"manifest.json": written, "seal.txt": sealed}).items())
    with pytest.raises(ModelFileError, match="its manifest cannot be read"):
        read_model_file(path, KEY)


def test_what_does_not_fit_is_told_all_at_once():
    other = manifest(
        task="regression",
        libraries={"river": "0.21.0", "python": "3.9.1", "numpy": "1.26.0"},
        event=what_it_sees(make_config(event={"features": ("a",), "nulls": "keep"})),
    )
    config = make_config(event={"features": ("a", "b")})
    found = misfits(other, config, libraries())
    for text in ("river 0.21.0", "python 3.9.1", "numpy 1.26.0", "'regression'", "['a']", "nulls"):
        assert any(text in line for line in found), text
    assert misfits(manifest(), make_config(), libraries()) == []


def test_names_of_id_and_label_matter_only_where_every_other_field_is_a_feature():
    every, chosen = make_config(event={"id": "key"}), {"features": ("a", "b")}
    assert len(misfits(manifest(), every, libraries())) == 1
    made = manifest(event=what_it_sees(make_config(event=chosen)))
    assert misfits(made, make_config(event=chosen | {"id": "key"}), libraries()) == []


def test_the_card_has_the_ten_blocks_and_breaks_no_table():
    config = make_config(canvas={"decisions": "Call | them\n# now"})
    details = {
        "version": "v2", "state": "serving", "why": "Run 1 made it.", "decision": "It is better.",
        "created_at": 0.0, "trigger": "drift", "by": "a|b\nc", "seed": 1, "fingerprint": "f",
        "libraries": {"river": "1"}, "pipeline": "a ``` b", "trained_on": None, "scores": {},
        "champion_scores": {}, "gate": {"labels": 3}, "segments": {}, "evidence": {},
        "history": [], "schema": None,
    }  # fmt: skip
    card = card_of(config, details, 0.0)
    text = card_text(card)
    assert len(BLOCKS) == 10
    for title in BLOCKS.values():
        assert f"### {title}\n" in text
    assert r"a\|b c" in text
    assert "````\na ``` b\n````" in text
    assert text.count("Not stated") == 9
    assert msgspec.json.decode(msgspec.json.encode(card))["canvas"]["decisions"].startswith("Call")
