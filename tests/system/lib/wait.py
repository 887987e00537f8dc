"""Free ports, and waiting for something to be true."""

import pathlib
import socket
import time

PATIENCE_S = 60  # for busy machines; what takes longer is wrong


def free_ports(count):
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


def until(look, what="it"):
    """What `look` gives once that is true."""
    end = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < end, f"did not happen within {PATIENCE_S} s: {what}"
        time.sleep(0.05)
    return found


def is_alive(pid):
    """A process that has ended and was not waited for is not."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False
