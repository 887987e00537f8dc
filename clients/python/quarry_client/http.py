"""JSON over HTTP to one Quarry service. Thread-safe: a kept-alive connection for each thread."""

import http.client
import json
import threading
import urllib.parse


class QuarryError(Exception):
    """A refusal or failure: `status` is the HTTP status (0: no answer), `code` and `detail` Quarry's."""

    def __init__(self, status, code, message, detail=None):
        super().__init__(message)
        self.status = status
        self.code = code
        self.detail = detail or {}


class HttpClient:
    def __init__(self, url, token=None, timeout=30.0):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"not the URL of a Quarry service: {url!r}")
        self._connect = (http.client.HTTPSConnection if parts.scheme == "https"
                         else http.client.HTTPConnection)
        self._host, self._port, self._base = parts.hostname, parts.port, parts.path.rstrip("/")
        self._token, self._timeout = token, timeout
        self._local = threading.local()

    def call(self, method, path, body=None, query=None):
        """Members that are None are left out of body and query; gives the answer's JSON."""
        query = {k: _text(v) for k, v in (query or {}).items() if v is not None}
        path = self._base + path + ("?" + urllib.parse.urlencode(query) if query else "")
        headers = {"Accept": "application/json"}
        if self._token:
            headers["Authorization"] = "Bearer " + self._token
        data = None
        if body is not None:
            data = json.dumps({k: v for k, v in body.items() if v is not None}).encode()
            headers["Content-Type"] = "application/json"
        elif method in ("POST", "PUT", "PATCH"):
            data = b""
        status, answer = self._send(method, path, data, headers)
        if status < 400:
            return answer
        error = answer.get("error", {}) if isinstance(answer, dict) else {}
        raise QuarryError(status, error.get("code", "unknown"),
                          error.get("message", f"the server answered {status}"), error.get("detail"))

    def pages(self, path, name, query=None):
        """Every entry of a list, whatever its number of pages."""
        query = dict(query or {})
        while True:
            answer = self.call("GET", path, query=query)
            yield from answer[name]
            query["cursor"] = answer.get("next_cursor")
            if not query["cursor"]:
                return

    def close(self):
        """Closes this thread's connection; the next call opens another."""
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
            self._local.connection = None

    def _send(self, method, path, data, headers):
        fresh = getattr(self._local, "connection", None) is None
        try:
            return self._exchange(method, path, data, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            # A kept connection that the server closed meanwhile; only reads are safe to repeat.
            if fresh or method != "GET":
                raise QuarryError(0, "unavailable", f"the connection broke: {error}") from error
            return self._exchange(method, path, data, headers)
        except OSError as error:
            raise QuarryError(0, "unavailable", f"Quarry does not answer at {self._host}:"
                                                f"{self._port}: {error}") from error

    def _exchange(self, method, path, data, headers):
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect(self._host, self._port, timeout=self._timeout)
            self._local.connection = connection
        try:
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            text = response.read()
        except BaseException:
            self.close()
            raise
        if response.will_close:
            self.close()
        try:
            return response.status, json.loads(text) if text else {}
        except ValueError as error:
            raise QuarryError(response.status, "unknown",
                              f"the answer is no JSON: {text[:200]!r}") from error


def quoted(text):
    """One part of a path."""
    return urllib.parse.quote(str(text), safe="")


def _text(value):
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
