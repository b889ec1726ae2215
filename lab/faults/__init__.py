# SPDX-License-Identifier: Apache-2.0

"""What a migration survives: faults in the real lab, and an invariant.

A case (:mod:`.case`) is data: faults, the moment of each, and how the
migration has to end. :mod:`.matrix` has those with a name, :mod:`.draw` makes
others. :mod:`.runner` carries one out: it brings a server into a known state,
asks for the migration, waits for the moment (:mod:`.view`), injects and heals
(:mod:`.injectors`), while :mod:`.sampler` and :mod:`.copies` look at hosts and
Nova all the time. What was seen is an :class:`.observation.Observation`;
:mod:`.verdict` compares it with the invariant, and :mod:`.report` prints.

The invariant: never two running copies, a copy that can be kept is kept, and
in the end Nova's records agree with the hosts. Whether it holds is read from
the hosts: QEMU's processes, libvirt, the guest's own memory check. What Nova
says is then compared with that.
"""
