# SPDX-License-Identifier: Apache-2.0

"""What is recorded of libvirt is what libvirt-python has.

No cloud is needed, but libvirt-python, which only this environment has.
"""

import libvirt
from neutron.plugins.ml2 import models
from neutron_lib import exceptions
from nova.virt.libvirt import host as nova_host
import testtools

from lab.bench import monitors
from lab.cloud import hosts as lab_hosts
from lab.simulation import constants
from lab.simulation import disks
from lab.simulation import signatures
from tests.lab import test_watch

VIR_CONNECT = signatures.of(libvirt.virConnect)
VIR_DOMAIN = signatures.of(libvirt.virDomain)


class TestRecord(testtools.TestCase):
    def test_signatures(self):
        for recorded, real in ((signatures.VIR_CONNECT, VIR_CONNECT),
                               (signatures.VIR_DOMAIN, VIR_DOMAIN)):
            self.assertEqual(
                {name: real.get(name) for name in recorded}, recorded)

    def test_constants(self):
        ours = {name: value for name, value in vars(constants).items()
                if name.startswith('VIR_')}
        self.assertEqual(
            {name: getattr(libvirt, name, None) for name in ours}, ours)

    def test_flags_of_a_list(self):
        self.assertEqual(libvirt.VIR_CONNECT_LIST_DOMAINS_ACTIVE
                         | libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE,
                         disks.ALL)

    def test_every_reason_unknown_is_the_same(self):
        self.assertEqual(
            {constants.UNKNOWN}, {
                value for name, value in vars(libvirt).items()
                if name.startswith('VIR_DOMAIN_')
                and name.removeprefix('VIR_DOMAIN_') in {
                    state + '_UNKNOWN' for state in (
                        'RUNNING', 'BLOCKED', 'PAUSED', 'SHUTDOWN',
                        'SHUTOFF', 'CRASHED', 'PMSUSPENDED')}})


class TestNeutron(testtools.TestCase):
    """What :mod:`lab.simulation.neutron` takes from ML2 is so there."""

    def test_key_of_a_binding(self):
        self.assertEqual(['port_id', 'host'], [
            column.name for column
            in models.PortBinding.__table__.primary_key.columns])

    def test_refusals(self):
        for refusal, kind in (
                (exceptions.PortBindingAlreadyExists, exceptions.Conflict),
                (exceptions.PortBindingAlreadyActive, exceptions.Conflict),
                (exceptions.PortBindingNotFound, exceptions.NotFound)):
            self.assertTrue(issubclass(refusal, kind), refusal)


class TestFakes(testtools.TestCase):
    """Those that the unit tests cannot import."""

    def test_monitors(self):
        self.assertEqual([], signatures.differences(
            monitors.Domain, VIR_DOMAIN))
        self.assertEqual([], signatures.differences(
            monitors.Host, signatures.of(nova_host.Host), VIR_CONNECT,
            own={'add', 'run'}))

    def test_watch(self):
        self.assertEqual([], signatures.differences(
            test_watch.Domain, VIR_DOMAIN))
        self.assertEqual([], signatures.differences(
            test_watch.Host, signatures.of(lab_hosts.Host), VIR_CONNECT,
            own={'happen', 'complete'}))
