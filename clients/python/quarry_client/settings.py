"""Where Quarry is: arguments, then QUARRY_* variables, then POSTGRES_* variables of the seed, then
the local machine."""

import os

CATALOG_PORT = 8083
POSTGRES_PORT = 5432


def catalog_url(host=None, port=None):
    if host is None and port is None and os.environ.get("QUARRY_URL"):
        return os.environ["QUARRY_URL"]
    host = host or os.environ.get("QUARRY_HOST") or os.environ.get("POSTGRES_HOST") or "127.0.0.1"
    port = port or os.environ.get("QUARRY_PORT") or os.environ.get("POSTGRES_PORT") or CATALOG_PORT
    # The port of a PostgreSQL is a left-over of the old configuration: nothing of ours is there.
    port = CATALOG_PORT if int(port) == POSTGRES_PORT else int(port)
    return f"http://{'[' + host + ']' if ':' in host else host}:{port}"


def token():
    return os.environ.get("QUARRY_TOKEN") or None
