# SPDX-License-Identifier: Apache-2.0

"""Hosts whose libvirt is a simulation: no root, no QEMU, one process.

``model`` is the model of a migrating guest, ``hosts`` gives it a clock and
keeps what ran where, ``libvirt`` is what Nova sees of it. The functional tests
and ``./run demo --simulated`` run the same Nova services on it.
"""
