#!/usr/bin/python3
"""Ten thousand connections at the gateway: all stay open and idle, some ask now and then.

    bench/connections.py [CONNECTIONS]     (10000; needs twice as many descriptors: ulimit -n)

Prints how long opening took, the latency of requests on connections picked at random among the open
ones, what the process's memory grew by, and whether all still answer at the end."""
import pathlib
import random
import re
import resource
import socket
import statistics
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/system"))
from lib.quarry import Server  # noqa: E402


def ask(one):
    begun = time.perf_counter()
    one.sendall(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\n")
    answer = one.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200"), answer
    return (time.perf_counter() - begun) * 1e6


def memory(pid):
    return int(re.search(r"Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()).group(1))


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10000
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        settings = [f"--http-connections-max={count + 100}", "--http-idle-timeout-seconds=600",
                    "--http-request-timeout-seconds=600"]
        server = Server(pathlib.Path(folder) / "data", settings=settings).start()
        before, begun = memory(server.pid), time.perf_counter()
        open_ones = [socket.create_connection(("127.0.0.1", server.ports["gateway"])) for _ in range(count)]
        opened = time.perf_counter() - begun
        for one in open_ones:
            ask(one)
        times = sorted(ask(random.choice(open_ones)) for _ in range(5000))
        grown = memory(server.pid) - before
        print(f'{{"connections":{count},"opened_s":{opened:.2f},"p50_us":{statistics.median(times):.0f},'
              f'"p99_us":{times[len(times) * 99 // 100]:.0f},"memory_kb_each":{grown / count:.1f}}}')
        for one in open_ones:
            ask(one)
            one.close()
        server.stop()


main()
