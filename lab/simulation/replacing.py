# SPDX-License-Identifier: Apache-2.0

"""Put something in the place of libvirt, wherever Nova's side imports it."""

import sys
import typing

import fixtures

_ROOMS = ('nova.virt.libvirt.', 'nova_post_copy.migration.',
          'nova_post_copy.virt.libvirt.')


class Libvirt(fixtures.Fixture):
    """Replaces ``libvirt`` in each loaded module of Nova's side.

    :param replacement: what is there in its place
    """

    def __init__(self, replacement: typing.Any) -> None:
        self._replacement = replacement

    def _setUp(self) -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith(_ROOMS) and hasattr(module, 'libvirt'):
                self.useFixture(fixtures.MonkeyPatch(
                    name + '.libvirt', self._replacement))
