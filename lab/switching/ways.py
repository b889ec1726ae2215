# SPDX-License-Identifier: Apache-2.0

"""Ways to decide about the switch."""

import typing

import nova.conf
from nova import objects

from lab.switching import guests
from lab.switching import libvirt_view
from lab.switching import world
from nova_post_copy import conf
from nova_post_copy.decisions import switch
from nova_post_copy.migration import pre_copy

conf.register_opts(nova.conf.CONF)


class _PreCopy(pre_copy.PreCopy):
    """The product's decision with a weight of its own, to compare several."""

    weight = 0.0

    def _settings(self, timeout: float) -> switch.Settings:
        return super()._settings(timeout)._replace(
            policy=switch.Policy.AUTO, weight=self.weight)


class Ours:
    """Switches as nova-compute does."""

    def __init__(self, guest: guests.Guest, weight: float,
                 measures: bool = True) -> None:
        objects.register_all()
        self._host = libvirt_view.Host(guest, measures)
        self._pre_copy = _PreCopy(self._host, objects.Instance(
            flavor=objects.Flavor(memory_mb=guest.memory >> 20)))
        self._pre_copy.weight = weight
        self.reason = ''    #: of the last decision

    def switches(self, look: world.Look) -> bool:
        self._host.look = look
        decision = self._pre_copy.decide(look.info, look.lag, forced=False)
        self.reason = decision.reason
        return decision.action is switch.Action.SWITCH


class After(typing.NamedTuple):
    """Switches once so many passes are complete."""

    passes: float

    def switches(self, look: world.Look) -> bool:
        return look.info.memory_iteration > self.passes


AT_ONCE = After(0)
ONE_PASS = After(1)
NEVER = After(float('inf'))
