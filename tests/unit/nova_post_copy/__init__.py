# SPDX-License-Identifier: Apache-2.0

"""Unit tests, in a process that holds all parts joined to upstream."""

from lab.simulation import joining

joining.join()
