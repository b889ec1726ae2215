# SPDX-License-Identifier: Apache-2.0

"""The checkbox in Horizon, in a browser, with the cloud behind it."""

import json

from lab.cloud import content
from lab.cloud import process
from lab.cloud.services import common
from lab.cloud.services import horizon
from lab import layout
from lab import wait
from tests.lab import base
from tests.lab import browser
from tests.lab import recorder

INSTANCES = 'admin/instances/'
MODAL = '#modal_wrapper .modal '
OLDER = 'nova-api-upstream'


class HorizonTest(base.Case):

    def setUp(self) -> None:
        super().setUp()
        if not process.Process(horizon.NAME).is_alive():
            self.fail('Horizon is not up; "python -m lab up --horizon"')
        self.api = recorder.Recorder(layout.API_PORTS['nova-api'])
        self.addCleanup(self.api.stop)
        self._send_compute_to(self.api.url)
        self.browser = browser.Browser()
        self.addCleanup(self.browser.close)
        self.addOnException(lambda _: self.browser.picture('failed'))
        self.browser.log_in()

    def _send_compute_to(self, url: str) -> None:
        """Make clients use another compute API; the hosts do not."""
        admin = content.session('admin')
        compute = self.cloud.session.get_endpoint_data(
            service_type='compute', interface='public',
            discover_versions=False)
        endpoints = layout.AUTH_URL + '/endpoints'
        endpoint, = [
            found for found in admin.get(endpoints).json()['endpoints']
            if found['url'] == compute.url]
        path = '%s/%s' % (endpoints, endpoint['id'])
        self.addCleanup(admin.patch, path,
                        json={'endpoint': {'url': compute.url}})
        admin.patch(path, json={'endpoint': {'url': url + '/v2.1'}})

    def open_form(self, server) -> None:
        """Click on Live Migrate Instance in the list of instances."""
        self.browser.go(INSTANCES)
        self.browser.act('/%s/live_migrate' % server.id)
        self.browser.find(MODAL + '#live_migrate_form')

    def fill_in(self, *boxes: str) -> None:
        self.browser.choose('host', base.DESTINATION)
        for box in boxes:
            self.browser.tick(box)

    def submit(self) -> None:
        self.api.requests.clear()
        self.browser.find(MODAL + '[type=submit]').click()
        self.browser.until_gone(MODAL)

    def wait_for_host(self, server, host: str) -> None:
        """Look at the list of instances until it shows the host."""
        def shown() -> bool:
            self.browser.go(INSTANCES)
            row = self.browser.find('#instances__row__%s' % server.id)
            return host in row.text and 'Migrating' not in row.text

        wait.until(shown, '%s in the list of instances' % host, 90, interval=1)

    def test_ticked(self):
        server = self.boot()
        pulse = self.follow(server)
        self.open_form(server)
        self.fill_in('block_migration', 'post_copy')
        self.assertIn('the memory of the instance is lost.',
                      self.browser.help('post_copy'))
        self.browser.picture('form')
        self.submit()
        self.browser.find('.alert-info')

        request, = self.api.posted()
        self.assertEqual('compute 2.105',
                         request.headers['OpenStack-API-Version'])
        self.assertEqual({'os-migrateLive': {
            'host': base.DESTINATION, 'block_migration': True,
            'post_copy': True}}, json.loads(request.body))
        self.wait_for_host(server, base.DESTINATION)
        self.browser.picture('moved')
        self.wait_for(server, 'completed')
        self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION, True)

    def test_unticked(self):
        self.upload_calm_guest()
        server = self.boot(image='calm')
        self.open_form(server)
        self.fill_in('block_migration')
        self.submit()

        request, = self.api.posted()
        # As Horizon 27 sends it without us.
        self.assertEqual('compute 2.30',
                         request.headers['OpenStack-API-Version'])
        self.assertEqual(
            b'{"os-migrateLive": {"host": "host-b", "block_migration": true}}',
            request.body)
        self.wait_for_host(server, base.DESTINATION)
        self.assertIsNone(self.wait_for(server, 'completed')['post_copy'])

    def test_refused(self):
        server = self.boot()
        self.open_form(server)
        self.fill_in('post_copy')
        server.reset_state('error')
        self.addCleanup(server.reset_state, 'active')
        self.submit()

        told = self.browser.find('.alert-danger').text
        self.assertIn('Failed to live migrate instance to host "host-b". '
                      "Cannot 'os-migrateLive' instance", told)
        self.assertIn('while it is in vm_state error', told)
        self.browser.picture('refused')

    def test_older_cloud(self):
        self._start_older_api()
        self.api.port = layout.WSGI_PORTS[OLDER]
        server = self.boot()
        self.open_form(server)
        self.browser.find('label[for=id_block_migration]')
        self.assertEqual([], self.browser.all('#id_post_copy'))
        self.browser.picture('older-cloud')

    def _start_older_api(self) -> None:
        """Start an API of Nova that does not load nova-post-copy."""
        directory = layout.CONFIG / OLDER
        directory.mkdir(exist_ok=True)
        ours = layout.CONFIG / 'nova'
        (directory / 'nova.conf').write_text(
            (ours / 'nova.conf').read_text().replace(
                'config_source = nova_post_copy\n', ''))
        paste = directory / 'api-paste.ini'
        paste.unlink(missing_ok=True)
        paste.symlink_to(ours / 'api-paste.ini')
        self.addCleanup(process.Process(OLDER).end)
        common.start_wsgi(OLDER, 'nova.wsgi.osapi_compute',
                          {'OS_NOVA_CONFIG_DIR': str(directory)})
        common.wait_wsgi(OLDER)

    def test_whole_host(self):
        server = self.boot()
        service, = self.nova.services.list(base.SOURCE, 'nova-compute')
        self.addCleanup(self.nova.services.enable, service.id)
        self.nova.services.disable(service.id)
        self.browser.go('admin/hypervisors/?tab=hypervisor_info__compute_host')
        self.browser.act('/%s/migrate_host' % base.SOURCE)
        self.browser.find(MODAL + '#evacuate_host_form')
        self.browser.choose('migrate_type', 'cold_migrate')
        self.browser.until_gone('label[for=id_post_copy]')
        self.browser.choose('migrate_type', 'live_migrate')
        for box in ('block_migration', 'post_copy'):
            self.browser.tick(box)
        self.browser.picture('whole-host')
        self.submit()
        self.browser.find('.alert-success')

        request, = self.api.posted()
        self.assertEqual({'os-migrateLive': {
            'host': None, 'block_migration': True, 'post_copy': True}},
            json.loads(request.body))
        self.assertTrue(self.wait_for(server, 'completed')['post_copy'])
        self.wait_for_host(server, base.DESTINATION)
