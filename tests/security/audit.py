"""``make audit``: the code by bandit, what is known against dependencies, and their licences.

Leaves with 0 where all was asked and nothing found, with 1 where something was found, and with 3
where the advisories could not be asked: silence is never taken for a clean answer.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import venv
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
CLEAN, FOUND, NOT_ASKED = 0, 1, 3
PACKAGES = ("monitor", "stream", "serve", "deploy")
_SECONDS = 300
COPYLEFT = re.compile(r"(?i)\b(A?GPL|GNU (Affero )?General Public)")


def main() -> int:
    """Run all three, and return the worst of them."""
    code = by_bandit()
    by_licence()
    return max(code, by_advisories(ROOT / "constraints.txt"))


def by_bandit(*paths: str) -> int:
    """Look at the code; what is passed over, and why, stands in pyproject.toml."""
    command = ["-m", "bandit", "-q", "-c", str(ROOT / "pyproject.toml"), "-r"]
    done = run([sys.executable, *command, *(paths or PACKAGES)])
    say(f"bandit: {'clean' if done.returncode == 0 else 'found something'}")
    if done.returncode:
        say(done.stdout)
    return FOUND if done.returncode else CLEAN


def by_licence() -> None:
    """List the licences of what is installed; those that ask more than to be named, by name."""
    found: dict[str, list[str]] = {}
    for one in distributions():
        about = one.metadata
        named = about.get("License-Expression") or about.get("License") or ""
        classified = [c for c in about.get_all("Classifier", []) if c.startswith("License ::")]
        licence = named.strip().splitlines()[0][:60] if named.strip() else ""
        licence = licence or ", ".join(c.rpartition(" :: ")[2] for c in classified) or "not said"
        found.setdefault(licence, []).append(about["Name"])
    for licence, names in sorted(found.items(), key=lambda item: -len(item[1])):
        mark = "  <- look" if COPYLEFT.search(licence) or licence == "not said" else ""
        shown = f": {', '.join(sorted(names))}" if len(names) < 6 or mark else ""
        say(f"licence: {licence} ({len(names)}){shown}{mark}")


def by_advisories(constraints: Path, tool: list[str] | None = None) -> int:
    """Ask what is known against pinned dependencies, by pip-audit in an environment of its own."""
    try:
        command = tool or auditor()
        options = ["-r", str(constraints), "--no-deps", "--disable-pip", "-f", "json"]
        done = run([*command, *options, "--progress-spinner", "off"])
        answer = json.loads(done.stdout)["dependencies"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError) as error:
        return not_asked(error)
    skipped = [one["name"] for one in answer if "skip_reason" in one]
    if not answer or skipped:
        few = ", ".join(skipped[:5])
        return not_asked(f"no answer for {len(skipped)} of {len(answer)} dependencies: {few} ...")
    bad = [(one["name"], one["version"], found) for one in answer for found in one["vulns"]]
    for name, version, found in bad:
        mended = ", ".join(found["fix_versions"]) or "no version yet"
        say(f"advisory: {name} {version}: {found['id']}; mended in {mended}")
    say(f"advisories: {len(bad)} for {len(answer)} dependencies")
    return FOUND if bad else CLEAN


def not_asked(why: object) -> int:
    """Say that nobody knows."""
    text = (str(why).strip() or type(why).__name__).splitlines()[-1]
    say(f"advisories: NOT ASKED: {text}")
    say("advisories: this is no clean answer; run 'make audit' where the index can be asked")
    return NOT_ASKED


def auditor() -> list[str]:
    """Return the command of pip-audit, installed on first use, away from what it looks at."""
    folder = ROOT / ".cache" / "audit"
    python = folder / "bin" / "python"
    if not (folder / "installed").exists():
        venv.create(folder, with_pip=True, clear=True)
        pip = [str(python), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        done = run([*pip, "pip-audit>=2.9,<3"])
        if done.returncode:
            raise OSError(f"pip-audit cannot be installed: {done.stderr.strip()[-300:]}")
        (folder / "installed").touch()
    return [str(python), "-m", "pip_audit"]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=_SECONDS
    )


def say(text: str) -> None:
    """Write a line."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
