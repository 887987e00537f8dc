"""Torture: the real programs, broken on purpose. `make torture` runs all of it.

    QUARRY_TORTURE_SECONDS   bound of each long test (default 60)
    QUARRY_SEED              seed of all random choices (default: from the clock); printed, so that
                             QUARRY_SEED=<n> make torture ARGS="-k <test>" runs the same again
"""

import os
import pathlib
import sys
import time

import pytest

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "system"))
sys.path.insert(0, str(TESTS / "torture"))


@pytest.fixture
def seed(request):
    value = int(os.environ.get("QUARRY_SEED") or time.time_ns() % 1000000)
    print(f"replay: QUARRY_SEED={value} make torture ARGS='-k {request.node.name}'")
    return value


class Budget:
    def __init__(self, seconds):
        self.end = time.monotonic() + seconds

    def left(self):
        return self.end - time.monotonic()

    def over(self):
        return self.left() <= 0


@pytest.fixture
def budget():
    return Budget(float(os.environ.get("QUARRY_TORTURE_SECONDS", "60")))
