# SPDX-License-Identifier: Apache-2.0

"""What a client of libvirtd waits for while a domain migrates."""

from nova.tests.fixtures import libvirt as fake


class Operation:
    """One call of migrateToURI3, which a client waits for."""

    def __init__(self) -> None:
        self.done = False
        self.error: fake.libvirtError | None = None

    def end(self, error: fake.libvirtError | None) -> None:
        self.error = error
        self.done = True
