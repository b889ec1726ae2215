# SPDX-License-Identifier: Apache-2.0

"""Clouds in which not every service has nova-post-copy.

One process, so all have the same object classes; what an object is to a peer
that has not ours is shown by ``tests/unit/nova_post_copy/objects``, and below
by a process of its own. Nova 33 beside Nova 34 is such a peer without: there
nova-post-copy does not load.
"""

import io
import os
import subprocess
import sys
from unittest import mock

import fixtures
from nova import context as nova_context
from nova.db.main import api as main_db_api
from nova import objects
from nova import service
from nova import test
from oslo_serialization import jsonutils
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import libvirt
from nova_post_copy.cmd import status
from tests.functional import base

POSTCOPY = libvirt.VIR_MIGRATE_POSTCOPY

EXTENDED = ('src', 'dest')
UN_EXTENDED = ('old', 'older')
# The one that is never refused last: it takes the server on.
VALUES = (True, False, base.ABSENT)


class FourHosts(base.TwoHosts):
    """Two hosts with nova-post-copy, and two without."""

    def start_hosts(self):
        super().start_hosts()
        with self.un_extended('nova-compute'):
            self.flags(compute_driver='libvirt.LibvirtDriver')
            for host in UN_EXTENDED:
                self.start_compute(host)
        self.flags(compute_driver='post_copy.LibvirtDriver')
        # Answer at once for a conductor that is not there.
        self.flags(conductor_timeout=1, group='post_copy')

    def un_extended(self, binary):
        """Start services of this binary as upstream's."""
        upstream = {
            'nova-compute': 'nova.compute.manager.ComputeManager',
            'nova-conductor': 'nova.conductor.manager.ConductorManager',
        }
        return mock.patch.dict(
            service.SERVICE_MANAGERS, {binary: upstream[binary]})

    def each_pair(self):
        """Bring the server to a source; yield it and a destination.

        One pair of hosts of each kind of both, and each request.
        """
        for source, dest in (('src', 'dest'), ('dest', 'old'),
                             ('old', 'older'), ('older', 'src')):
            for value in VALUES:
                if self.show()['OS-EXT-SRV-ATTR:host'] != source:
                    self.moves_to(source)
                yield source, dest, value

    def moves_to(self, dest, value=base.ABSENT):
        """Live migrate, and check that flags and records are right."""
        self.hosts.moves.clear()
        self.live_migrate(value, host=dest)
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'], (dest, value))
        self.assertIs(None if value is base.ABSENT else value,
                      migration['post_copy'])
        self.assert_on(dest, migration)
        self.assertEqual(value is True, bool(self.move().flags & POSTCOPY))

    def is_refused(self, dest, value):
        """Ask in vain; check that the server has stayed.

        :returns: HTTP status and message
        """
        self.hosts.moves.clear()
        before = self.show()
        migrations = self.migrations()
        answer = self.refused(value, host=dest)
        self.assertEqual(before, self.show())
        self.assertEqual(migrations, self.migrations())
        self.assertEqual([], self.hosts.moves)
        return answer


class TestComputes(FourHosts):
    """Each pair of hosts; the conductor is extended."""

    def test_each_pair(self):
        for source, dest, value in self.each_pair():
            if value is base.ABSENT:
                self.moves_to(dest)
            elif source in UN_EXTENDED or (value and dest in UN_EXTENDED):
                code, message = self.is_refused(dest, value)
                self.assertEqual(409, code)
                self.assertIn('does not have nova-post-copy loaded', message)
            else:
                self.moves_to(dest, value)

    def test_the_scheduler_chooses_among_those_that_can(self):
        self.live_migrate(True)
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)


class TestOneConductorOfTwo(FourHosts):
    """Whatever upstream's topic gives to the one, ours goes to the other."""

    def _setup_conductor_service(self):
        with self.un_extended('nova-conductor'):
            other = self.start_service('conductor', host='controller')
        self.addCleanup(other.stop)
        return super()._setup_conductor_service()

    def test_each_request_arrives(self):
        for value in VALUES * 2:
            dest = ('dest' if self.show()['OS-EXT-SRV-ATTR:host'] == 'src'
                    else 'src')
            self.moves_to(dest, value)

    def test_the_upgrade_check_says_so(self):
        self.flags(connection='sqlite://', group='api_database')
        output = io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', output):
            code = status.UpgradeCommands().check()
        found = ' '.join(output.getvalue().replace('|', '').split())

        self.assertEqual(1, code, found)
        self.assertIn('not loaded in nova-conductor on controller.', found)
        for host in UN_EXTENDED:
            self.assertIn('%s: its nova-compute does not have' % host, found)
        # Of the others nova-compute and placement say the same.
        self.assertIn('Check: Trait in placement Result: Success', found)


class TestNoConductor(FourHosts):
    """Upstream's conductor only; each pair of hosts."""

    def _setup_conductor_service(self):
        with self.un_extended('nova-conductor'):
            return super()._setup_conductor_service()

    def test_each_pair(self):
        for _source, dest, value in self.each_pair():
            if value is base.ABSENT:
                self.moves_to(dest)
            else:
                code, message = self.is_refused(dest, value)
                self.assertEqual(503, code)
                self.assertIn('Nothing was changed', message)


class TestRemoved(test.TestCase):
    """nova-post-copy has been taken out; what it wrote is still there."""

    # A Nova that has not loaded us, as nova-manage or any service.
    SCRIPT = """
import nova.conf
from nova import config
import sys
config.parse_args(['nova'], default_config_files=[sys.argv[1]])
from nova import context, objects
from nova.db.main import api
from nova.objects import base
from oslo_serialization import jsonutils
objects.register_all()
admin = context.get_admin_context()
result = {}

# What waited in the message queue.
received = base.NovaObjectSerializer().deserialize_entity(
    admin, jsonutils.loads(sys.argv[2]))
result['received'] = [received.VERSION, received.status,
                      'post_copy' in received]
received._context = admin
received.status = 'error'
received.save()

migrations = objects.MigrationList.get_by_filters(admin, {})
result['read'] = [[m.VERSION, m.status] for m in migrations]
objects.Migration(admin, instance_uuid=received.instance_uuid,
                  status='completed', migration_type='resize').create()
result['created'] = len(objects.MigrationList.get_by_filters(admin, {}))
objects.Instance.get_by_uuid(admin, received.instance_uuid).destroy()
tables, _, _ = api.archive_deleted_rows(max_rows=1000)
result['archived'] = tables['migrations']
result['loaded'] = [name for name in sys.modules if 'post_copy' in name]
print(jsonutils.dumps(result))
"""

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        instance = objects.Instance(
            self.context, uuid=uuids.server, project_id='project',
            user_id='user')
        instance.create()
        for post_copy in ({}, {'post_copy': False}, {'post_copy': True}):
            migration = objects.Migration(
                self.context, instance_uuid=instance.uuid, status='running',
                migration_type='live-migration', **post_copy)
            migration.create()
        self.sent = jsonutils.dumps(
            objects.base.NovaObjectSerializer().serialize_entity(
                self.context, migration))
        self.engine = main_db_api.get_engine()

    def test_rows_and_objects_left_behind(self):
        path = self.useFixture(fixtures.TempDir()).join('nova.conf')
        url = self.engine.url.render_as_string(hide_password=False)
        with open(path, 'w') as conf:
            conf.write('[DEFAULT]\ntransport_url = fake:/\n'
                       '[database]\nconnection = %s\n' % url)
        process = subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', self.SCRIPT, path,
             self.sent],
            env={**os.environ, 'PYTHONPATH': ''}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True)
        self.assertEqual(0, process.returncode, process.stderr)
        result = jsonutils.loads(process.stdout)

        self.assertEqual([], result['loaded'])
        self.assertEqual(['1.8', 'running', False], result['received'])
        self.assertEqual(
            [['1.8', 'error'], ['1.8', 'running'], ['1.8', 'running']],
            sorted(result['read']))
        self.assertEqual(4, result['created'])
        self.assertEqual(4, result['archived'])
