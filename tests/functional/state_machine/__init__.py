# SPDX-License-Identifier: Apache-2.0

"""Events in any order: whatever happens, one copy is kept, and only one.

Hypothesis draws what happens to a server on its way: to the network, to each
service, QEMU and disk, what the guest does, and what users, operators and HA
tools ask for. It happens to a whole Nova, as in the other functional tests,
and not to single classes: what is dangerous is what several of them do at
once. So that this is fast enough, all examples of a storage share one cloud,
each with a server of its own. Nova's threads run freely, so an example need
not fail each time; each failure is a true one.

The same examples are drawn each time; STATE_MACHINE_EXAMPLES=1000 draws that
many others.

``world``        the server, and what is known of it
``hosts``        faults of networks, services, QEMU and disks
``guests``       what the guest does by itself
``requests``     what users, operators and HA tools ask for
``invariants``   what must hold all the time
``ending``       what must hold when everything works again
``test_any_order``  the tests, one for each storage
"""
