"""A real PostgreSQL for tests, from Debian's binaries, in a folder of its own."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.kafka.broker import free_port


class LocalPostgres:
    """A cluster that listens on a free port.

    PostgreSQL refuses to run as root; as root it is run by the user ``postgres``.

    Parameters
    ----------
    host
        The address of this machine that it listens on, and clients come from its network of 256.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        path = str(found[-1]) if found else shutil.which("initdb")
        if path is None:
            raise FileNotFoundError("PostgreSQL's initdb; on Debian: apt-get install postgresql")
        self._bin = Path(path).parent
        self._folder = Path(tempfile.mkdtemp(prefix="riverrun-postgres-"))
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            entry = pwd.getpwnam(self._user)
            os.chown(self._folder, entry.pw_uid, entry.pw_gid)
        self.port = free_port()
        self._host = host

    def start(self) -> None:
        """Initialise the cluster and start it."""
        data = self._folder / "data"
        self._run("initdb", "-D", data, "-A", "trust", "-U", "riverrun", "--no-sync")
        with (data / "pg_hba.conf").open("a") as allowed:
            allowed.write(f"host all all {self._host}/24 trust\n")
        self.up()

    def stop(self) -> None:
        """Stop it and remove its folder."""
        if (self._folder / "data" / "postmaster.pid").exists():
            self.down()
        shutil.rmtree(self._folder)

    def up(self) -> None:
        """Start it, with the data and on the port that it had."""
        # A test that kills it keeps the machine, and with it what fsync would have written.
        options = f"-p {self.port} -c listen_addresses={self._host} -k {self._folder} -c fsync=off"
        data, log = self._folder / "data", self._folder / "log"
        self._run("pg_ctl", "-D", data, "-o", options, "-l", log, "-w", "-t", "120", "start")

    def down(self, mode: str = "immediate") -> None:
        """Stop it; ``immediate`` is as if the power went: it has to recover when it is up again."""
        self._run("pg_ctl", "-D", self._folder / "data", "-m", mode, "-t", "120", "stop")

    @property
    def pid(self) -> int:
        """Of the process that the server's others descend from."""
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def follower(self) -> LocalPostgres:
        """Return a second server that runs and follows this one, until it is promoted."""
        made = LocalPostgres()
        made._run(
            "pg_basebackup", "-h", "127.0.0.1", "-p", self.port, "-U", "riverrun",
            "-D", made._folder / "data", "-R", "-X", "stream", "--no-sync", "--checkpoint=fast",
        )  # fmt: skip
        made.up()
        return made

    def promote(self) -> None:
        """Let a follower take over."""
        self._run("pg_ctl", "-D", self._folder / "data", "-w", "-t", "120", "promote")

    def url(self, database: str) -> str:
        """Return the URL of an empty database that is made now."""
        self._run("createdb", "-h", self._host, "-p", self.port, "-U", "riverrun", database)
        return f"postgresql+psycopg://riverrun@{self._host}:{self.port}/{database}"

    def _run(self, program: str, *arguments: object) -> None:
        subprocess.run(
            [self._bin / program, *map(str, arguments)],
            check=True,
            user=self._user,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
        )
