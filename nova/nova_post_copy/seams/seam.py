# SPDX-License-Identifier: Apache-2.0

"""A seam: one name of upstream's that nova-post-copy depends on.

Signatures are written as the parameters without ``self``. In a seam that is
called, they are what we pass: a parameter that is passed by keyword ends with
``=``. In any other seam they are what upstream hands to ours: a parameter
with a default ends with ``=``, and a final ``*args, **kwargs`` stands for
whatever else upstream has.
"""

import enum
import typing


class Part(enum.Enum):
    """Where seams are used; each part is checked by itself."""

    EVERY = 'every process'
    DATABASE = 'every process but nova-compute'
    API = 'nova-api'
    CONDUCTOR = 'nova-conductor'
    COMPUTE = 'nova-compute'
    MANAGER = 'nova-compute, as it loads its manager'
    DRIVER = 'nova-compute, as it loads its driver'
    COMMANDS = 'nova-post-copy-manage, nova-post-copy-status'


class Kind(enum.Enum):
    """What we do with the name."""

    ASSIGNS = 'assigns'
    WRAPS = 'wraps'
    OVERRIDES = 'overrides'
    CALLS = 'calls'
    READS = 'reads'


class Seam(typing.NamedTuple):
    module: str         #: upstream's
    name: str           #: in that module, with its class
    kind: Kind
    ours: str           #: our modules, below nova_post_copy
    why: str
    signature: str | None = None

    def __str__(self) -> str:
        parameters = '' if self.signature is None else f'({self.signature})'
        return f'{self.module}.{self.name}{parameters}'
