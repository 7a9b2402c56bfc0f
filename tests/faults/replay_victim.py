"""A replay that is killed with SIGKILL at a named step; a process of the crash tests."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import stream.dead_letters.replay as replay_module
from stream.clock import SystemClock
from stream.dead_letters.replay import Replay
from stream.dead_letters.selection import Selection
from stream.errors import RiverrunError
from stream.logs.open_log import open_log
from tests.faults.victim import Killer
from tests.letters import ignore
from tests.lines import make_config


def main(arguments: dict[str, Any], sections: dict[str, Any], errors: str) -> None:
    """Replay all letters in batches of seven, to the end or to the step."""
    replay_module._BATCH_RECORDS = 7
    replay_module._QUIET_SECONDS = 0.5
    killer = Killer(arguments.get("step"), arguments.get("times", 1))
    pause = arguments.get("slow", 0.0)
    log = open_log(arguments["broker"])
    opened = log.sink

    def sink() -> Any:
        made = opened()
        killer.around(made, "append", "append")
        return made

    log.sink = sink  # type: ignore[method-assign]
    replay = Replay(
        log, make_config(**sections), Selection(), limit=None, check=True, rebuilds=[],
        clock=SystemClock(),
    )  # fmt: skip
    try:
        replay.read_marks(ignore)
        replay.run(lambda: bool(time.sleep(pause)), ignore)
    except RiverrunError as error:
        Path(errors).write_text(str(error))
        sys.exit(error.exit_code)
    finally:
        log.close()
