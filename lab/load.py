# SPDX-License-Identifier: Apache-2.0

"""Busy loops beside a command, to see it on a machine that is slow."""

from collections.abc import Iterator
import contextlib
import subprocess
import sys

# Ends with its parent, however that ends.
_LOOP = '''
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1000000):
        pass
'''


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep so many processes busy meanwhile."""
    # In sessions of their own: Ctrl-C is for the command, which ends them.
    loops = [subprocess.Popen([sys.executable, '-S', '-E', '-c', _LOOP],
                              start_new_session=True)
             for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
