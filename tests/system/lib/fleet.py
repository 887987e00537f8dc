"""The seven services as seven processes, started and stopped by deploy/scripts."""

import os
import re
import signal
import subprocess

from lib.quarry import ROOT, SERVICES, Client, bin_folder
from lib.tokens import bearer
from lib.wait import free_ports, is_alive, until


def run(script, *arguments):
    environment = {**os.environ, "QUARRY_BIN": str(bin_folder())}
    return subprocess.run([ROOT / "deploy/scripts" / script, *map(str, arguments)], env=environment, timeout=120,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


class Fleet:
    def __init__(self, folder, *settings):
        self.data = folder / "data"
        self.ports = dict(zip(SERVICES, free_ports(len(SERVICES))))
        self.settings = [f"--{name}-port={port}" for name, port in self.ports.items() if name != "tenant"]
        self.settings += [f"--rest-port={self.ports['tenant']}", "--auth-required=yes", "--bcrypt-rounds=4", *settings]

    def start(self):
        """Starts those that do not run."""
        done = run("start_services.sh", self.data, *self.settings)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def stop(self):
        return run("stop_services.sh", self.data)

    def client(self, service, timeout=60):
        return Client(self.ports[service], timeout)

    def pid(self, service):
        return int((self.data / "processes" / f"{service}.pid").read_text())

    def kill(self, service):
        os.kill(self.pid(service), signal.SIGKILL)
        until(lambda: not is_alive(self.pid(service)))

    def admin(self):
        """The authorization of the user that the first start made."""
        words = (self.data / "processes/gateway.log").read_text()
        password = re.search(r"user 'admin' has the password (\S+)", words).group(1)
        answer = self.client("gateway").post("/auth/login", {"username": "admin", "password": password})
        return bearer(answer.ok().json["access_token"])
