# SPDX-License-Identifier: Apache-2.0

"""Each test is a process of its own: joining cannot be undone."""

import os
import subprocess
import sys

import fixtures
import testtools

LOADED = '''
[DEFAULT]
config_source = nova_post_copy
[nova_post_copy]
driver = nova_post_copy
'''

EVENTLET = LOADED.replace(
    '[DEFAULT]', '[DEFAULT]\nconcurrency_backend = eventlet')

# Parse nova.conf as the service does, then look at what is joined.
PROCESS = '''
import %(entry)s
from nova import config
config.parse_args(['nova-%(name)s', '--config-file', %(conf)r],
                  default_config_files=[], init_rpc=False)
from nova.api.openstack import api_version_request
from nova.objects import base
from nova.objects import migration
from nova import service
import sys
print(base.NovaObjectRegistry.obj_classes()['Migration'][0].VERSION,
      api_version_request._MAX_API_VERSION,
      service.SERVICE_MANAGERS['nova-conductor'].split('.')[0],
      service.SERVICE_MANAGERS['nova-compute'].split('.')[0],
      'nova_post_copy.conf' in sys.modules,
      sorted(part for part in ('api', 'conductor', 'compute', 'virt', 'db')
             if 'nova_post_copy.' + part in sys.modules))
'''


# Patch as the modules of nova.wsgi do, whose other work is not wanted here.
PATCH = '''
from nova import monkey_patch
monkey_patch.patch(backend='threading')
'''


class TestActivate(testtools.TestCase):

    def _process(self, script, *args, patching='1'):
        return subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', script, *args],
            capture_output=True, text=True,
            env={**os.environ,
                 'OS_NOVA_DISABLE_EVENTLET_PATCHING': patching})

    def _start(self, name, conf=LOADED, before='', entry=None, after='',
               patching='1'):
        path = self.useFixture(fixtures.TempDir()).join('nova.conf')
        with open(path, 'w') as nova_conf:
            nova_conf.write(conf)
        script = before + PROCESS + after
        return self._process(script % {
            'entry': entry or 'nova.cmd.' + name, 'name': name, 'conf': path,
        }, '--config-file', path, patching=patching)

    def _joined(self, *args, **kwargs):
        process = self._start(*args, **kwargs)
        self.assertEqual(0, process.returncode, process.stderr)
        return process.stdout.strip()

    def test_not_configured(self):
        for name in ('conductor', 'compute'):
            self.assertEqual('1.8 2.104 nova nova False []',
                             self._joined(name, conf='[DEFAULT]\n'))

    def test_conductor(self):
        self.assertEqual("1.8.1 2.104 nova_post_copy nova True ['db']",
                         self._joined('conductor'))

    def test_scheduler(self):
        self.assertEqual("1.8.1 2.104 nova nova True ['db']",
                         self._joined('scheduler'))

    def test_compute(self):
        self.assertEqual(
            "1.8.1 2.104 nova nova_post_copy True ['virt']",
            self._joined('compute'))

    def test_manage(self):
        self.assertEqual("1.8.1 2.104 nova nova True ['db']",
                         self._joined('manage'))

    def test_api(self):
        # It imports the clients of conductor and compute.
        self.assertEqual(
            "1.8.1 2.105 nova nova True "
            "['api', 'compute', 'conductor', 'db']",
            self._joined('api', entry='nova.api.openstack.wsgi_app'))

    def test_unknown_release_stops_the_service(self):
        process = self._start('conductor', before='''
import nova.version
nova.version.version_string = lambda: '35.0.1'
''')
        self.assertEqual(1, process.returncode)
        self.assertIn('Nova 35.0.1 is not supported (supported: 34)',
                      process.stderr)
        self.assertIn('Remove "config_source = nova_post_copy"',
                      process.stderr)

    def _refused(self, *args, **kwargs):
        process = self._start(*args, **kwargs)
        self.assertEqual(1, process.returncode, process.stderr)
        self.assertIn('could not be loaded',
                      process.stderr)
        self.assertIn('Refusing to start with only part of it active',
                      process.stderr)
        return process.stderr

    def test_seam_that_does_not_fit_stops_the_service(self):
        self.assertIn(
            'nova.db.main.models.Migration, which nova-post-copy assigns in '
            'activate (the model gets the column post_copy), does not exist',
            self._refused('conductor', before='''
import nova.db.main.models
del nova.db.main.models.Migration
'''))

    def test_nothing_is_joined_where_a_seam_does_not_fit(self):
        self.assertIn('1.8\n', self._refused('conductor', before='''
import atexit
import sys
@atexit.register
def show():
    from nova.objects import base
    print(base.NovaObjectRegistry.obj_classes()['Migration'][0].VERSION,
          file=sys.stderr)
import nova.cmd.conductor
import nova.conductor.tasks.live_migrate as upstream
del upstream.LiveMigrationTask._find_destination
'''))

    def test_seam_of_another_process_does_not_matter(self):
        self._joined('scheduler', before='''
import nova.cmd.scheduler
import nova.conductor.tasks.live_migrate as upstream
del upstream.LiveMigrationTask._find_destination
''')

    # As nova.service does.
    _LOAD_MANAGER = '''
from nova import objects
objects.register_all()
import nova.compute.manager as upstream
%s
import nova_post_copy.compute.manager
'''

    def test_seam_of_the_manager_stops_the_service(self):
        self.assertIn(
            'nova.compute.manager.ComputeManager._revert_allocation(context, '
            'instance, migration), which nova-post-copy calls in '
            'compute.closing, compute.dropped_requests (what the migration '
            'holds in placement goes back to the server), takes (context, '
            'migration)',
            self._refused('compute', after=self._LOAD_MANAGER % (
                'upstream.ComputeManager._revert_allocation = '
                'lambda self, context, migration: None')))

    # As nova.virt.driver does.
    _LOAD_DRIVER = '''
from nova import objects
objects.register_all()
import nova.virt.libvirt.driver as upstream
%s
import nova.virt.post_copy
'''

    def test_seam_of_the_driver_stops_the_service(self):
        self.assertIn(
            'nova.virt.libvirt.driver.LibvirtDriver._migrate_uri(dest), '
            'which nova-post-copy calls in virt.libvirt.watching (a resume '
            'sends memory to another address), does not exist',
            self._refused('compute', after=self._LOAD_DRIVER %
                          'del upstream.LibvirtDriver._migrate_uri'))

    def test_eventlet_stops_services_with_threads_of_ours(self):
        for name, how in (
            ('compute', {'conf': EVENTLET, 'patching': ''}),
            ('conductor', {'patching': '0'}),
        ):
            self.assertIn(
                'nova-%s runs with eventlet, which nova-post-copy does not '
                'support. Set "concurrency_backend = threading"' % name,
                self._refused(name, **how))

    def test_threading(self):
        # By Nova's own choice, and by the operator's.
        self._joined('compute', patching='')
        self._joined('conductor', patching='', conf=EVENTLET.replace(
            '= eventlet', '= threading'))

    def test_eventlet_does_not_stop_the_api(self):
        self.assertIn('2.105', self._joined(
            'api', before=PATCH, entry='nova.api.openstack.wsgi_app',
            conf=EVENTLET, patching=''))

    def test_import_alone_changes_nothing(self):
        process = self._process('''
import sys
import nova_post_copy, nova_post_copy.activate
print([name for name in sys.modules if name.split('.')[0] == 'nova'])
''')
        self.assertEqual('[]', process.stdout.strip(), process.stderr)
