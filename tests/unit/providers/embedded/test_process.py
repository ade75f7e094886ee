"""The embedded model leaves the app a core to itself."""

import subprocess
import sys

import pytest

from app.providers.embedded.process import cores, threads_of

ON_ONE = """
import os
from app.providers.embedded.process import cores
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
print(cores())
"""


@pytest.mark.parametrize(("cores", "threads"), [(1, 1), (2, 1), (3, 2), (8, 7)])
def test_a_core_is_left_to_the_app(cores, threads):
    assert threads_of(cores) == threads


@pytest.mark.skipif(sys.platform != "linux", reason="a process is bound to cores on Linux alone")
def test_the_cores_are_those_that_the_process_may_run_on():
    told = subprocess.run(
        [sys.executable, "-c", ON_ONE], capture_output=True, text=True, check=True
    )
    assert int(told.stdout) == 1
    assert cores() >= 1
