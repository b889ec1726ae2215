# SPDX-License-Identifier: Apache-2.0

import pathlib

import fixtures
from nova import exception as nova_exception
from nova import objects
from nova import test
from nova.tests.unit import fake_instance
from nova.virt.libvirt import driver as upstream
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import names
from nova_post_copy.compute import record
from nova_post_copy import exception
from nova_post_copy.virt.libvirt import guard
from tests.unit.nova_post_copy.compute import records
from tests.unit.nova_post_copy.migration import scripted

# As records.make() has it.
OWN_CONNECTION = {'serial': uuids.volume}
# What starts, stops or lets go on the guest, and its arguments after a
# context, where it takes one.
METHODS = {
    'attach_interface': ('context', '{instance}', 'image_meta', 'vif'),
    'attach_volume': ('context', 'connection', '{instance}', '/dev/vdb'),
    'destroy': ('context', '{instance}', 'network_info'),
    'detach_interface': ('context', '{instance}', 'vif'),
    'detach_volume': ('context', 'connection', '{instance}', '/dev/vdb'),
    'extend_volume': ('context', OWN_CONNECTION, '{instance}', 1 << 30),
    'migrate_disk_and_power_off': (
        'context', '{instance}', 'other', 'flavor', 'network_info'),
    'pause': ('{instance}',),
    'power_off': ('{instance}', 60, 10),
    'power_on': ('context', '{instance}', 'network_info'),
    'reboot': ('context', '{instance}', 'network_info', 'HARD'),
    'rescue': ('context', '{instance}', 'network_info', 'image', 'pw', 'bdi'),
    'resume': ('context', '{instance}', 'network_info'),
    'resume_state_on_host_boot': ('context', '{instance}', 'network_info'),
    'spawn': ('context', '{instance}', 'image_meta', [], 'pw', {}),
    'suspend': ('context', '{instance}'),
    'unpause': ('{instance}',),
    'unrescue': ('context', '{instance}'),
}
ELSEWHERE = (scripted.MIGRATING, scripted.POST_COPY, scripted.BROKEN,
             scripted.MIGRATED, scripted.CRASHED)


class Upstream:
    def rollback_live_migration_at_destination(
            self, context, instance, *args, **kwargs):
        self.cleaned_up = True

    def _destroy(self, instance):
        self.removed = []

    def cleanup(self, context, instance, *args, **kwargs):
        self.removed.append((args, kwargs))


for _name in METHODS:
    setattr(Upstream, _name, lambda self, *args, name=_name, **kwargs: name)


class Driver(guard.Guard, Upstream):
    cleaned_up = False

    def __init__(self, host):
        self._host = host


class GuardTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.flags(state_path=self.useFixture(fixtures.TempDir()).path)
        self.source = scripted.Source(None)
        self.driver = Driver(self.source)
        self.flags(host='here')
        self.instance = fake_instance.fake_instance_obj(None, host='here')

    def record(self):
        record.write(records.make(self.instance.uuid))

    def call(self, name, **kwargs):
        return getattr(self.driver, name)(*(
            self.instance if argument == '{instance}' else argument
            for argument in METHODS[name]), **kwargs)

    def assert_refused(self, name):
        error = self.assertRaises(
            exception.PostCopyElsewhere, self.call, name)
        self.assertIn('was not touched', error.format_message())


class TestSource(GuardTestCase):

    def test_methods_are_upstreams(self):
        for name in METHODS:
            self.assertTrue(callable(getattr(upstream.LibvirtDriver, name)))

    def test_no_record(self):
        for state in (scripted.RUNNING, *ELSEWHERE):
            self.source.domain_state = state
            for name in METHODS:
                self.assertEqual(name, self.call(name))

    def test_guest_is_here(self):
        self.record()
        for state in (scripted.RUNNING, scripted.PAUSED):
            self.source.domain_state = state
            for name in METHODS:
                self.assertEqual(name, self.call(name))

    def test_guest_is_elsewhere(self):
        self.record()
        for state in ELSEWHERE:
            self.source.domain_state = state
            for name in METHODS:
                self.assert_refused(name)

    def test_no_domain(self):
        self.record()
        for name in METHODS:
            self.source.errors['get_guest'].append(
                nova_exception.InstanceNotFound(instance_id='it'))
            self.assert_refused(name)

    def test_damaged_record_counts(self):
        self.record()
        (path,) = pathlib.Path(record.CONF.state_path, 'post_copy').iterdir()
        path.write_bytes(b'junk')
        self.source.domain_state = scripted.BROKEN
        self.assert_refused('power_on')

    def test_rolled_back(self):
        # Only Cinder or neutron has not agreed yet: the server is here.
        record.write(records.make(
            self.instance.uuid, outcome=record.Outcome.ROLLED_BACK))
        for state in (scripted.RUNNING, scripted.CRASHED):
            self.source.domain_state = state
            for name in METHODS:
                self.assertEqual(name, self.call(name))

    def test_has_arrived_on_the_destination(self):
        for outcome in (record.Outcome.ARRIVED, record.Outcome.LOST):
            record.write(records.make(self.instance.uuid, outcome=outcome))
            self.instance.host = 'there'
            self.source.domain_state = scripted.BROKEN
            self.assert_refused('power_on')

    def test_has_come_back_by_another_way(self):
        # Such as a resize, while Cinder does not agree with the end.
        self.keep(record.Outcome.ARRIVED)
        self.source.domain_state = scripted.POWERED_OFF
        self.assertEqual('power_on', self.call('power_on'))
        self.instance.host = 'there'
        self.source.errors['get_guest'].append(
            nova_exception.InstanceNotFound(instance_id='it'))
        self.assertEqual('spawn', self.call('spawn'))
        # Not without its memory: the newest disk is elsewhere.
        self.keep(record.Outcome.LOST)
        self.source.errors['get_guest'].append(
            nova_exception.InstanceNotFound(instance_id='it'))
        self.assert_refused('spawn')

    def keep(self, outcome):
        record.write(records.make(self.instance.uuid, outcome=outcome))

    def test_evacuated(self):
        self.record()
        self.instance.host = 'third'
        self.source.domain_state = scripted.BROKEN
        # At the start of nova-compute, which must not fail.
        self.assertEqual('destroy', self.call('destroy'))

    def test_leftover_is_removed_on_purpose(self):
        self.record()
        self.source.domain_state = scripted.BROKEN
        self.driver.remove_leftover(
            'context', self.instance, 'network', 'volumes', False, 'data')
        self.assertEqual(
            [(('network', 'volumes'),
              {'destroy_disks': False, 'migrate_data': 'data'})],
            self.driver.removed)

    def test_connection_is_the_destinations(self):
        # Its LUN may be another server's volume here, while Cinder does not
        # answer also after a rollback.
        self.source.domain_state = scripted.RUNNING
        for outcome in (None, record.Outcome.ROLLED_BACK):
            record.write(records.make(self.instance.uuid, outcome=outcome))
            error = self.assertRaises(
                exception.PostCopyOtherConnection, self.driver.extend_volume,
                'context', OWN_CONNECTION | {'lun': 2}, self.instance, 1)
            self.assertIn('was not extended', error.format_message())

    def test_connections_are_not_known(self):
        self.source.domain_state = scripted.RUNNING
        record.write(records.make(self.instance.uuid, source_bdms=None))
        self.assertRaises(
            exception.PostCopyOtherConnection, self.call, 'extend_volume')

    def test_instance_by_keyword(self):
        self.record()
        self.source.domain_state = scripted.POST_COPY
        self.assertRaises(
            exception.PostCopyElsewhere, self.driver.power_on, 'context',
            instance=self.instance, network_info='network_info')


class TestDestination(GuardTestCase):

    def _clean_up(self, state=None, error=None, post_copy=True):
        if state:
            self.source.domain_state = state
        if error:
            self.source.errors['get_guest'].append(error)
        self.driver.cleaned_up = False
        migration = objects.Migration()
        if post_copy is not None:
            migration.post_copy = post_copy
        self.driver.rollback_live_migration_at_destination(
            'context', self.instance, [], None, destroy_disks=True,
            migrate_data=objects.LibvirtLiveMigrateData(migration=migration))

    def test_never_the_copy_that_runs(self):
        runs = names.VIR_DOMAIN_RUNNING
        for post_copy in (True, False, None):
            for state in (
                    scripted.RUNNING, scripted.PAUSED,
                    (runs, names.VIR_DOMAIN_RUNNING_POSTCOPY),
                    (runs, names.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED),
                    scripted.POST_COPY, scripted.BROKEN):
                error = self.assertRaises(
                    exception.PostCopyLiveCopy, self._clean_up, state,
                    post_copy=post_copy)
                self.assertIn('live on this host', error.format_message())
                self.assertFalse(self.driver.cleaned_up)

    def test_never_while_nobody_knows(self):
        self.assertRaises(
            nova_exception.HypervisorUnavailable, self._clean_up,
            error=nova_exception.InternalError('libvirt'))
        self.assertFalse(self.driver.cleaned_up)

    def test_what_is_left(self):
        for state in (scripted.MIGRATING, scripted.CRASHED,
                      scripted.MIGRATED):
            self._clean_up(state)
            self.assertTrue(self.driver.cleaned_up)
        self._clean_up(error=nova_exception.InstanceNotFound(
            instance_id='it'))
        self.assertTrue(self.driver.cleaned_up)
