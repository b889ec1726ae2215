# SPDX-License-Identifier: Apache-2.0

"""The work by which :mod:`.speed` measures: ``speed_work.py STEPS``.

Prints the seconds that it took. Nothing but Python, as most of what the
services of the lab do.
"""

import sys
import time


def work(steps: int) -> None:
    found: dict[int, int] = {}
    for step in range(steps):
        key = step * 7919 % 1009
        found[key] = found.get(key, 0) + len('%x' % step)


if __name__ == '__main__':
    begun = time.perf_counter()
    work(int(sys.argv[1]))
    print(time.perf_counter() - begun)
