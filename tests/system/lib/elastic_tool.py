"""The document index of tests/lib/elastic, a test tool, as a process of its own."""

import http.client
import json
import pathlib
import subprocess
import sys
import urllib.parse

SERVER = pathlib.Path(__file__).resolve().parents[2] / "lib" / "elastic" / "server.py"


class ElasticTool:
    def __init__(self, *options):
        """Options of server.py; with --tls or --authorization, ask and faults do not reach it."""
        self.process = subprocess.Popen([sys.executable, "-B", str(SERVER), *map(str, options)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline())
        self.http = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)

    def stop(self):
        self.http.close()
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, method, path, params=None, body=None, headers=None):
        """Status and JSON of the answer."""
        query = urllib.parse.urlencode(params or {}, doseq=True)
        self.http.request(method, "/" + path.lstrip("/") + ("?" + query if query else ""),
                          body, headers or {"Content-Type": "application/json"})
        answer = self.http.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data else None

    def faults(self, *faults):
        status, _ = self.ask("PUT", "_faults", body=json.dumps({"faults": faults}))
        assert status == 200
