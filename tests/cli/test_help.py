"""``--help``: fast, with examples that run."""

import re
import resource
import shlex
import subprocess
import sys

import pytest
import typer

COMMANDS = [
    "demo", "init", "check", "up", "worker", "api", "status", "report", "produce", "drift",
    "placebo", "backtest",
    "retrain", "score",
]  # fmt: skip
GROUPS = [
    "schema infer", "schema check", "schema show",
    "dead-letters list", "dead-letters show", "dead-letters replay",
    "models list", "models show", "models diff", "models promote", "models rollback",
    "models export", "models import", "models reproduce",
]  # fmt: skip


def test_help_names_every_command(invoke):
    result = invoke("--help")
    assert result.exit_code == 0
    for command in {*COMMANDS, *(words.split()[0] for words in GROUPS)}:
        assert re.search(rf"^│ {command}\b", result.stdout, re.MULTILINE)


def test_help_is_fast(spawn):
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = spawn("--help")
        process.communicate(timeout=30)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Of the processor: what else runs on the machine does not count.
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        assert process.returncode == 0
    print(f"riverrun --help: {min(seconds):.3f} s")
    assert min(seconds) < 1.0


@pytest.mark.parametrize("module", ["river", "pydantic", "sqlalchemy", "structlog", "numpy"])
def test_help_does_not_import(module, environment):
    code = "import sys, serve.cli.app; sys.exit(sys.argv[1] in sys.modules)"
    assert subprocess.call([sys.executable, "-c", code, module], env=environment) == 0


@pytest.mark.parametrize("command", [*COMMANDS, *GROUPS])
def test_help_of_a_command_ends_with_examples(command, invoke):
    result = invoke(*command.split(), "--help")
    assert result.exit_code == 0
    assert f"riverrun {command}" in result.stdout.split("Examples:")[1]


def test_every_example_parses():
    from serve.cli.app import EXAMPLES, app

    group = typer.main.get_command(app)
    for lines in EXAMPLES.values():
        for line in lines:
            program, command, *arguments = shlex.split(line)
            assert program == "riverrun"
            found = group.commands[command]
            if hasattr(found, "commands"):
                command, *arguments = arguments
                found = found.commands[command]
            found.make_context(command, arguments)


def test_version(invoke):
    result = invoke("--version")
    assert result.exit_code == 0
    assert result.stdout.startswith("riverrun ")


def test_an_unknown_option_is_a_persons_mistake(invoke):
    assert invoke("status", "--nope").exit_code == 2
    assert invoke("nope").exit_code == 2


def test_an_unexpected_exception_keeps_its_traceback(riverrun, config, environment):
    code = (
        "import serve.status_reading as s\n"
        "def broken(*_): raise KeyError('a bug')\n"
        "s.store_to_read = broken\n"
        "import sys; sys.argv = ['riverrun', 'status']\n"
        "from serve.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "a bug" in done.stderr


def test_status_does_not_import_river(config, environment):
    code = (
        "import sys; sys.argv = ['riverrun', 'status']\n"
        "from serve.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: print(end.code, 'river' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.split() == ["1", "False"]
