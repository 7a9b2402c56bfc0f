"""Environments of the peers' own: their dependencies and riverrun's do not go together.

``python -m benchmarks.peers --install`` makes those that are missing in ``.cache/peers``; a
variable of the environment names the Python of one that is somewhere else.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "peers"
PACKAGES = {
    "quix": ["quixstreams==3.28.1", "river==0.26.1"],
    "faust": ["faust-streaming[rocksdb,orjson,uvloop]==0.15.3", "river==0.26.1"],
    "chantilly": ["chantilly==0.3.0", "gunicorn", "setuptools<81"],
    "mlserver": ["mlserver>=1.7,<2", "river==0.26.1"],
}
"""What pip installs, by environment. Versions are those that the programs were tried with."""

OWN = "own"
"""The environment that this program itself runs in."""


def python_of(environment: str) -> Path | None:
    """Return the Python of an environment, or None where it is missing.

    Parameters
    ----------
    environment
        A key of ``PACKAGES``, or ``OWN``. ``BENCH_QUIX``, ``BENCH_FAUST`` and so on
        name a program of an environment (its Python, or one beside it).
    """
    if environment == OWN:
        return Path(sys.executable)
    named = os.environ.get(f"BENCH_{environment.upper()}")
    path = Path(named).with_name("python") if named else CACHE / environment / "bin" / "python"
    return path if path.exists() else None


def install() -> None:
    """Make the environments that are missing; a minute or two, once."""
    for environment, packages in PACKAGES.items():
        if python_of(environment) is not None:
            continue
        sys.stderr.write(f"installing {', '.join(packages)} in {CACHE / environment}\n")
        subprocess.run([sys.executable, "-m", "venv", str(CACHE / environment)], check=True)
        pip = [CACHE / environment / "bin" / "pip", "install", "--quiet"]
        subprocess.run([*pip, "--disable-pip-version-check", *packages], check=True)


def versions(environment: str, packages: list[str]) -> str:
    """Return the packages with their versions, as an environment has them."""
    python = python_of(environment)
    if python is None:
        return "not installed"
    code = (
        "import sys; from importlib.metadata import version\n"
        "print(', '.join(f'{name} {version(name)}' for name in sys.argv[1:]))"
    )
    ran = subprocess.run(
        [python, "-c", code, *packages], capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()
