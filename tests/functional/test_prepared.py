# SPDX-License-Identifier: Apache-2.0

"""What a destination has prepared for a guest that does not come."""

import os
import pathlib
import threading

import fixtures
from nova import exception

from lab.simulation import guest
from lab.simulation import processes
from nova_post_copy.compute import record
from tests.functional import base
from tests.functional import test_between_hosts

_PREPARE = 'nova.virt.libvirt.driver.LibvirtDriver.pre_live_migration'


class TestEvacuatedToTheDestination(test_between_hosts.Sequences):
    """The source is lost in pre-copy, and given up."""

    SHARED_INSTANCES_PATH = False

    def test_no_disk_that_was_copied_in_part(self):
        self.begin(guest.Happening.ITERATION)
        copied = pathlib.Path(
            self.instances_path('dest'), self.server['id'], 'copied')
        copied.write_text('half of it')
        self.hosts.kill_qemu('src', self.server['id'])
        self.source_dies()
        self.go_on()
        status, text = self.give_up('src')
        self.assertEqual(0, status, text)

        self.assert_taken({'evacuate': {}})
        self.wait_for('evacuated', lambda: self.hosts.running_on(
            self.server['id']) == {'dest'})
        self.wait_until_settled()
        self.assertFalse(copied.exists())
        self.assertTrue(copied.parent.exists())
        self.assertEqual([], self.hosts.violations)
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))


class TestDestinationCannotCleanUp(base.BreakingHosts):
    """Its libvirt is away just when it is to."""

    SHARED_INSTANCES_PATH = False

    def test_until_libvirt_is_back(self):
        self.begin(guest.Happening.ITERATION)
        away = [exception.HypervisorUnavailable()] * 3
        upstream = self.computes['dest'].manager.driver.check_not_arrived

        def check(driver, instance):
            if away and processes.host() == 'dest':
                raise away.pop()
            upstream(instance)

        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.guard.Guard.check_not_arrived',
            check))
        (migration,) = self.migrations()
        self.api.api_delete('/servers/%s/migrations/%s' % (
            self.server['id'], migration['id']))
        self.go_on()
        self.wait_for('nothing on the destination', lambda: (
            self.directories(self.server['id']) == {'src'}))
        self.assertEqual([], away)
        self.settled('cancelled', 'src')

        # And the server can go there.
        self.live_migrate(True)
        self.settled('completed', 'dest')


class TestSourceIsRestarted(base.BreakingHosts):
    """While the destination is still preparing."""

    VOLUMES = 1
    SHARED_INSTANCES_PATH = False

    def test_the_destination_prepares_to_the_end(self):
        begun, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)
        upstream = self.computes['dest'].manager.driver.pre_live_migration

        def prepare(driver, *args, **kwargs):
            begun.set()
            go_on.wait()
            return upstream(*args, **kwargs)

        with fixtures.MonkeyPatch(_PREPARE, prepare):
            self.live_migrate(True)
            self.assertTrue(begun.wait(60))
        self.kill_compute('src')
        self.restart_compute('src')
        self.wait_for_migration('error')
        go_on.set()

        self.assert_no_records()
        self.wait_for('nothing on the destination', lambda: (
            self.directories(self.server['id']) == {'src'}))
        self.assert_on('src')
        self.assertEqual([], self.hosts.violations)
        self.assertEqual([], os.listdir(os.path.join(
            self.folder, 'dest', record.PREPARED)))
