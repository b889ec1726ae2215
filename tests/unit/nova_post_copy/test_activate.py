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
from nova import thread_pool_factory
import sys
print(base.NovaObjectRegistry.obj_classes()['Migration'][0].VERSION,
      api_version_request._MAX_API_VERSION,
      service.SERVICE_MANAGERS['nova-conductor'].split('.')[0],
      service.SERVICE_MANAGERS['nova-compute'].split('.')[0],
      'nova_post_copy.conf' in sys.modules,
      sorted(part for part in ('api', 'conductor', 'compute', 'virt', 'db')
             if 'nova_post_copy.' + part in sys.modules),
      'post_copy' in [pool.value for pool in
                      thread_pool_factory.ExecutorsPoolSize
                      ._EXECUTOR_POOL_SIZE])
'''


class TestActivate(testtools.TestCase):

    def _process(self, script):
        return subprocess.run(
            [sys.executable, '-W', 'ignore', '-c', script],
            capture_output=True, text=True,
            env={**os.environ, 'OS_NOVA_DISABLE_EVENTLET_PATCHING': '1'})

    def _start(self, name, conf=LOADED, before='', entry=None):
        path = self.useFixture(fixtures.TempDir()).join('nova.conf')
        with open(path, 'w') as nova_conf:
            nova_conf.write(conf)
        return self._process(before + PROCESS % {
            'entry': entry or 'nova.cmd.' + name, 'name': name, 'conf': path})

    def _joined(self, *args, **kwargs):
        process = self._start(*args, **kwargs)
        self.assertEqual(0, process.returncode, process.stderr)
        return process.stdout.strip()

    def test_not_configured(self):
        for name in ('conductor', 'compute'):
            self.assertEqual('1.8 2.104 nova nova False [] False',
                             self._joined(name, conf='[DEFAULT]\n'))

    def test_conductor(self):
        self.assertEqual("1.8.1 2.104 nova_post_copy nova True ['db'] True",
                         self._joined('conductor'))

    def test_scheduler(self):
        self.assertEqual("1.8.1 2.104 nova nova True ['db'] False",
                         self._joined('scheduler'))

    def test_compute(self):
        self.assertEqual(
            "1.8.1 2.104 nova nova_post_copy True ['virt'] True",
            self._joined('compute'))

    def test_manage(self):
        self.assertEqual("1.8.1 2.104 nova nova True ['db'] False",
                         self._joined('manage'))

    def test_api(self):
        # It imports the clients of conductor and compute.
        self.assertEqual(
            "1.8.1 2.105 nova nova True "
            "['api', 'compute', 'conductor', 'db'] False",
            self._joined('api', entry='nova.api.openstack.wsgi_app'))

    def test_unknown_release_stops_the_service(self):
        process = self._start('conductor', before='''
import nova.version
nova.version.version_string = lambda: '35.0.1'
''')
        self.assertEqual(1, process.returncode)
        self.assertIn('Nova 35.0.1 is not a release that nova-post-copy knows',
                      process.stderr)
        self.assertIn('Remove "config_source = nova_post_copy"',
                      process.stderr)

    def test_part_that_does_not_fit_stops_the_service(self):
        process = self._start('conductor', before='''
import nova.db.main.models
del nova.db.main.models.Migration
''')
        self.assertEqual(1, process.returncode)
        self.assertIn('cannot be joined to this Nova', process.stderr)

    def test_import_alone_changes_nothing(self):
        process = self._process('''
import sys
import nova_post_copy, nova_post_copy.activate
print([name for name in sys.modules if name.split('.')[0] == 'nova'])
''')
        self.assertEqual('[]', process.stdout.strip(), process.stderr)
