# SPDX-License-Identifier: Apache-2.0

"""REST through API, conductor, scheduler and two simulated computes."""

# Before any other import of Nova: it decides for native threads.
from lab.simulation import cloud  # noqa: F401
