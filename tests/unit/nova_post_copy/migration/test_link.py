# SPDX-License-Identifier: Apache-2.0

import socket
from unittest import mock

import fixtures
import futurist
from nova import context as nova_context
from nova import exception
from nova import objects
from nova import test
from nova.tests.unit import fake_instance
from oslo_db import exception as db_exception

from lab.simulation import names
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.migration import link
from tests.unit.nova_post_copy.migration import scripted

RESUME = names.VIR_MIGRATE_POSTCOPY_RESUME


def _at_once(function, *args):
    future = futurist.Future()
    future.set_result(function(*args))
    return future


class Compute:
    """The destination's nova-compute."""

    def __init__(self):
        self.condition = Condition.BROKEN
        self.broken = []

    def guest_condition(self, context, host, instance):
        return self.condition

    def break_incoming_stream(self, context, host, instance, addresses):
        self.broken.append((host, addresses))


class LinkTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.flags(state_path=self.useFixture(fixtures.TempDir()).path)
        self.compute = Compute()
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.rpcapi.PostCopyComputeAPI',
            lambda: self.compute))
        self.source = scripted.Source(None)
        self.instance = fake_instance.fake_instance_obj(None)
        self.targets = {'a': link.Target('qemu+tcp://a/system', 'tcp://a')}

    def link(self, *addresses, flags=0):
        return link.Link(
            nova_context.get_admin_context(), self.source, self.instance,
            17, 'dest', list(addresses or ['a']), self.targets.get, flags,
            _at_once)


class TestOpenAddress(LinkTestCase):

    def _port(self, listening):
        server = socket.socket()
        self.addCleanup(server.close)
        server.bind(('127.0.0.1', 0))
        if listening:
            server.listen()
        return server.getsockname()[1]

    def _address(self, name, listening):
        self.targets[name] = link.Target(
            'qemu+tcp://127.0.0.1:%d/system' % self._port(listening), None)

    def test_accepts(self):
        self._address('a', True)
        self.assertEqual('a', self.link('a').open_address(0))

    def test_refuses(self):
        self._address('a', False)
        self.assertIsNone(self.link('a').open_address(0))

    def test_second_one_after_some_failures(self):
        self._address('a', False)
        self._address('b', True)
        tries = [self.link('a', 'b').open_address(failures)
                 for failures in range(recovery.FIRST_ADDRESS_TRIES + 1)]
        self.assertEqual(
            [None] * recovery.FIRST_ADDRESS_TRIES + ['b'], tries)

    def test_first_one_is_preferred(self):
        self._address('a', True)
        self._address('b', True)
        self.assertEqual('a', self.link('a', 'b').open_address(100))

    def test_name_that_is_not_known(self):
        self.targets['a'] = link.Target('qemu+tcp://a.invalid/system', None)
        self.assertIsNone(self.link('a').open_address(0))

    def test_libvirt_there_has_ended(self):
        lost = names.connection_lost()
        for listening in (False, True):     # it may be back
            self._address('a', listening)
            self.assertTrue(self.link('a').daemon_has_ended('a', lost))
            # It has said no, or somebody else has.
            for error in (names.invalid('still running'),
                          exception.InstanceNotFound(instance_id='x')):
                self.assertFalse(self.link('a').daemon_has_ended('a', error))

    def test_network_there_has_ended(self):
        self.useFixture(fixtures.MonkeyPatch(
            'socket.create_connection', mock.Mock(
                side_effect=TimeoutError)))
        self.assertFalse(self.link('a').daemon_has_ended(
            'a', names.connection_lost()))

    def test_where_libvirt_listens(self):
        asked = []

        def connect(address, timeout):
            asked.append(address)
            raise OSError

        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.migration.probe.socket.create_connection',
            connect))
        for uri, address in (
                ('qemu+tcp://dest/system', ('dest', 16509)),
                ('qemu+tls://dest/system', ('dest', 16514)),
                ('qemu+ssh://nova@dest/system?keyfile=k', ('dest', 22)),
                ('qemu+tls://[2001:db8::2]/system', ('2001:db8::2', 16514)),
                ('qemu+tcp://dest:1234/system', ('dest', 1234))):
            self.targets['a'] = link.Target(uri, None)
            self.assertIsNone(self.link('a').open_address(0))
            self.assertEqual(address, asked.pop())

    def test_transport_that_is_not_known(self):
        for uri in ('qemu+ext://dest/system', 'qemu:///system'):
            self.targets['a'] = link.Target(uri, None)
            self.assertEqual('a', self.link('a').open_address(0))


class TestResume(LinkTestCase):

    def _resume(self, **kwargs):
        return self.link(**kwargs).resume('a').result()

    def test_flags_and_parameters(self):
        first = (names.VIR_MIGRATE_LIVE | names.VIR_MIGRATE_POSTCOPY |
                 names.VIR_MIGRATE_PEER2PEER)
        self.assertIsNone(self._resume(flags=(
            first | names.VIR_MIGRATE_NON_SHARED_DISK |
            names.VIR_MIGRATE_NON_SHARED_INC |
            names.VIR_MIGRATE_AUTO_CONVERGE)))
        self.assertEqual(
            [('migrateToURI3', 'qemu+tcp://a/system',
              {'migrate_uri': 'tcp://a'}, first | RESUME)],
            self.source.asked)

    def test_libvirt_chooses_the_stream(self):
        self.targets['a'] = link.Target('qemu+tcp://a/system', None)
        self._resume()
        self.assertEqual(
            [('migrateToURI3', 'qemu+tcp://a/system', {}, RESUME)],
            self.source.asked)

    def test_error_is_the_result(self):
        for method, error in (
                ('migrateToURI3', scripted.libvirt_error('still running')),
                ('_connect', names.connection_lost()),
                ('_connect', exception.HypervisorUnavailable()),
                ('lookupByUUIDString', scripted.no_domain())):
            self.source.errors[method].append(error)
            self.assertIs(error, self._resume())


class TestLetGo(LinkTestCase):

    def test_ends_what_stands_still(self):
        self.link().let_go('all has arrived')
        self.assertEqual([('destroy',)], self.source.asked)

    def test_later(self):
        for method, error in (
                ('destroy', scripted.libvirt_error('busy')),
                ('get_guest', exception.HypervisorUnavailable())):
            self.source.errors[method].append(error)
            self.link().let_go('all has arrived')
        self.assertEqual([], self.source.asked)


class TestNetwork(LinkTestCase):

    def _cut_over(self, error=None):
        cut_over = []

        def migrate_instance_start(api, context, instance, migration):
            if error:
                raise error
            cut_over.append((instance.uuid, migration.source_compute,
                             migration.dest_compute))

        self.useFixture(fixtures.MonkeyPatch(
            'nova.network.neutron.API.migrate_instance_start',
            migrate_instance_start))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.migration.link.EVENT_GRACE_S', 0))
        self.done = self.link().cut_over_network().result()
        return cut_over

    def setUp(self):
        super().setUp()
        self.source.become(scripted.POST_COPY)

    def test_cut_over(self):
        self.assertEqual(
            [(self.instance.uuid, self.instance.host, 'dest')],
            self._cut_over())
        self.assertTrue(self.done)

    def test_guest_has_not_left(self):
        for here in (scripted.RUNNING, scripted.MIGRATING):
            self.source.become(here)
            self.assertEqual([], self._cut_over())
            self.assertFalse(self.done)

    def test_libvirt_does_not_answer(self):
        self.source.errors['get_guest'].append(
            exception.HypervisorUnavailable())
        self.assertEqual([], self._cut_over())
        self.assertFalse(self.done)

    def test_broken_before_it_was_there(self):
        self.source.become(scripted.BROKEN)
        for there, times in ((None, 0), (Condition.MIGRATING, 0),
                             (Condition.ABSENT, 0), (Condition.BROKEN, 1),
                             (Condition.IO_ERROR, 1)):
            self.compute.condition = there
            self.assertEqual(times, len(self._cut_over()))

    def test_neutron_is_away(self):
        self.assertEqual([], self._cut_over(
            exception.PortBindingActivationFailed(port_id='p', host='dest')))
        self.assertFalse(self.done)


class TestAsk(LinkTestCase):

    def setUp(self):
        super().setUp()
        self.others = []
        self.ended = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.MigrationList.get_by_filters',
            lambda cls, context, filters: self._migrations(filters)))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.outgoing.end_dead',
            lambda *where: self.ended.append(where)))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.outgoing.own_addresses',
            lambda hosts: ['own of %s' % host for host in sorted(set(hosts))]
        ))

    def _migrations(self, filters):
        if isinstance(self.others, Exception):
            raise self.others
        self.assertEqual((self.instance.host, 'live-migration'), (
            filters['source_compute'], filters['migration_type']))
        return [objects.Migration(status=status, dest_compute=dest,
                                  instance_uuid=uuid)
                for status, dest, uuid in self.others
                if status in filters['status']]

    def _ask(self, status='interrupted (post-copy)', error=None):
        def get_by_id(*args):
            self.assertEqual(17, args[-1])
            if error:
                raise error
            return objects.Migration(status=status)

        with fixtures.MonkeyPatch(
                'nova.objects.Migration.get_by_id', get_by_id):
            return self.link().ask().result()

    def test_goes_on(self):
        self.assertEqual((Condition.BROKEN, False), self._ask())

    def test_destination_does_not_answer(self):
        self.compute.condition = None
        self.assertEqual((None, False), self._ask())
        self.assertEqual([], self.compute.broken)

    def test_destination_lets_go_of_the_dead_stream(self):
        for there in (Condition.POST_COPY, Condition.BROKEN,
                      Condition.PAUSED, Condition.IO_ERROR):
            self.compute.condition = there
            self._ask()
        self.assertEqual([('dest', ['own of a'])] * 4,
                         self.compute.broken)

    def test_nothing_to_let_go_of(self):
        for there in (None, Condition.RUNNING, Condition.MIGRATING,
                      Condition.SHUTOFF, Condition.POWERED_OFF,
                      Condition.UNKNOWN):
            self.compute.condition = there
            self._ask()
        self.assertEqual([], self.compute.broken)
        self.assertEqual([], self.ended)

    def test_libvirt_here_lets_go_of_the_dead_call(self):
        self.targets = {
            'a': link.Target('qemu+tls://192.0.2.2/system', 'tcp://192.0.2.2'),
            'b': link.Target('qemu+tcp://dest:1234/system', None),
            # Where libvirt says nothing of the host.
            'c': link.Target('qemu:///system', None)}
        self.link('a', 'b', 'c').ask().result()
        self.assertEqual([('192.0.2.2', 16514), ('dest', 1234)], self.ended)
        self.assertEqual([('dest', ['own of 192.0.2.2', 'own of dest'])],
                         self.compute.broken)

    def test_calls_of_others(self):
        for other, ended in (
                (('running', 'dest', 'other'), 0),
                (('running (post-copy)', 'dest', 'other'), 0),
                # It is broken, too; it waits for its turn.
                (('interrupted (post-copy)', 'dest', 'other'), 1),
                (('queued', 'dest', 'other'), 1),
                (('running', 'elsewhere', 'other'), 1),
                (('running (post-copy)', 'dest', self.instance.uuid), 1)):
            self.others, self.ended = [other], []
            self._ask()
            self.assertEqual(ended, len(self.ended), other)

    def test_calls_of_others_are_not_known(self):
        self.others = db_exception.DBConnectionError()
        self.assertEqual(Condition.BROKEN, self._ask().destination)
        self.assertEqual([], self.ended)

    def test_given_up(self):
        for status in ('error', 'cancelled', 'failed'):
            self.assertTrue(self._ask(status).given_up)
        # Whatever became of the server: its state was reset, it is deleted.
        for status in ('running', 'running (post-copy)', 'post-migrating',
                       'completed'):
            self.assertFalse(self._ask(status).given_up)

    def test_the_database_has_forgotten_it(self):
        self.assertFalse(self._ask(error=exception.MigrationNotFound(
            migration_id=17)).given_up)

    def test_database_is_away(self):
        self.assertFalse(
            self._ask(error=db_exception.DBConnectionError()).given_up)
        self.assertIsNone(self.link().is_over())
