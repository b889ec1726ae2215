# SPDX-License-Identifier: Apache-2.0

"""Busy loops beside a command, to see it on a machine that is slow."""

from collections.abc import Iterator
import contextlib
import os
import subprocess
import sys

# Ends with its parent, whose pid it gets, however that ends.
_LOOP = '''
import os
import sys
while os.getppid() == int(sys.argv[1]):
    for _ in range(1000000):
        pass
'''


@contextlib.contextmanager
def busy_loops(count: int) -> Iterator[None]:
    """Keep so many processes busy meanwhile."""
    # In sessions of their own: Ctrl-C is for the command, which ends them.
    loops = []
    try:
        for _ in range(count):
            loops.append(subprocess.Popen(
                [sys.executable, '-S', '-E', '-c', _LOOP, str(os.getpid())],
                start_new_session=True))
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
