"""Real PostgreSQL and Redis servers from apt, on free loopback ports, in a folder of their own;
stopped by process id.

    with Postgres(tmp_path / "pg") as postgres, Redis(tmp_path / "redis") as redis:
        url = f"hybrid:{postgres.url}|{redis.url}"
        postgres.kill(); ...; postgres.start()      # same data, as after a crash
"""

import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess

from lib.wait import free_ports, until

STOP_TIMEOUT_S = 30


def newest_postgres():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    assert found, "no PostgreSQL below /usr/lib/postgresql: run tools/setup.sh"
    return found[-1].parent


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Database:
    """One server process; `command` and `user` are the kinds' own."""

    user = None  # run as this one when the tests are root

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.port = free_ports(1)[0]
        self.process = None
        self.prepare()
        self.start()

    def prepare(self):
        pass

    def command(self):
        raise NotImplementedError

    def start(self):
        assert self.process is None
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([str(word) for word in self.command()], cwd=self.folder, user=self.user,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        until(lambda: self.process.poll() is not None or self.is_up())
        assert self.process.poll() is None, (self.folder / "log").read_text()[-3000:]

    def is_up(self):
        return listens(self.port)

    def end(self, with_signal):
        if self.process is not None:
            self.process.send_signal(with_signal)
            self.process.wait(STOP_TIMEOUT_S)
            self.process = None

    def kill(self):
        self.end(signal.SIGKILL)

    def stop(self):
        self.end(signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()


class Postgres(Database):
    """`folder` must be one that the user postgres can reach."""

    def prepare(self):
        if os.geteuid() == 0:
            self.user = "postgres"
            shutil.chown(self.folder, "postgres", pwd.getpwnam("postgres").pw_gid)
        self.bin = newest_postgres()
        subprocess.run([self.bin / "initdb", "-D", self.folder / "data", "-A", "trust", "-U", "postgres", "-E", "UTF8",
                        "--locale=C.UTF-8", "--no-sync"], cwd=self.folder, user=self.user, check=True,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def command(self):
        return [self.bin / "postgres", "-D", self.folder / "data", "-k", self.folder, "-p", self.port,
                "-c", "listen_addresses=127.0.0.1", "-c", "max_connections=100", "-c", "shared_buffers=16MB"]

    def is_up(self):
        return subprocess.run([self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              stdin=subprocess.DEVNULL, check=False).returncode == 0

    def kill(self):
        self.end(signal.SIGQUIT)  # as after a crash: no checkpoint, its children gone with it

    @property
    def url(self):
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"


class Redis(Database):
    def command(self):
        return ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--dir", self.folder]

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"
