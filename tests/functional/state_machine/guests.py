# SPDX-License-Identifier: Apache-2.0

"""What the guest does by itself, and what others do to its devices."""

import contextlib

from lab.simulation.domain_object import DomainObject
from tests.functional.state_machine import world


class Guests(world.World):

    @world.rule()
    def power_off(self):
        self.off |= self._let(DomainObject.power_off)

    @world.rule()
    def restart(self):
        self._let(DomainObject.restart_guest)

    @world.rule()
    def io_error(self):
        self._let(DomainObject.stand_still)

    def _let(self, act):
        """Let the guest do something, if it runs.

        :returns: whether it did
        """
        with contextlib.suppress(RuntimeError):
            self.hosts.let_guest(self.server, act)
            self.react()
            return True
        return False

    @world.rule()
    def delete_port(self):
        ports = set(self.test.neutron.bindings(self.server))
        if len(ports) == 1:
            self.ports -= ports
            self.test.delete_port()
            self.react()

    @world.rule()
    def extend_volume(self):
        for volume in sorted(self.test.cinder.volumes_of(self.server)):
            self.test.extend_volume(volume, 2)
        self.react()
