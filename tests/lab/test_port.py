# SPDX-License-Identifier: Apache-2.0

"""A server with a real neutron port answers after the switch."""

import subprocess
import time

from lab.guest import linux as linux_guest
from lab.instruments import ping
from lab import layout
from lab import wait
from tests.lab import base

ADDRESS = '198.18.92.50'
# So slow that the post-copy phase lasts for some seconds.
SLOW_BYTES_PER_S = 10 * layout.MIB
# How short the silence is, is a question for the benchmark.
LIMIT_S = 30


class PortTest(base.Case):

    def setUp(self) -> None:
        super().setUp()
        linux_guest.upload(self.cloud, 'linux', ADDRESS)
        self.port = self._create_port()
        self.slow_down(SLOW_BYTES_PER_S)

    def _create_port(self) -> dict:
        service = {'service_type': 'network',
                   'region_name': layout.REGION}
        network, = self.cloud.get(
            'network', '/v2.0/networks?name=tenant')['networks']
        port = self.cloud.session.post(
            '/v2.0/ports', endpoint_filter=service, json={'port': {
                'network_id': network['id'],
                'fixed_ips': [{'ip_address': ADDRESS}]}}).json()['port']
        self.addCleanup(self.cloud.session.delete,
                        '/v2.0/ports/' + port['id'], endpoint_filter=service)
        return port

    def _bindings(self) -> dict[str, str]:
        """Return host and status of each binding of the port."""
        found = self.cloud.get(
            'network', '/v2.0/ports/%s/bindings' % self.port['id'])
        return {binding['host']: binding['status']
                for binding in found['bindings']}

    def test_port_answers_during_and_after_post_copy(self):
        server = self.boot(image='linux', flavor='lab.linux',
                           networks=[{'port-id': self.port['id']}])
        wait.until(self._answers, 'answer of the server', 60)
        answers = ping.Answers(ADDRESS)
        self.addCleanup(answers.stop)

        self.nova.servers.live_migrate(server, base.DESTINATION, 'auto',
                                       post_copy=True)
        self.wait_for_switch(server)
        switched = time.monotonic()
        # Nova activates the destination's binding at the switch, not at the
        # end of the migration.
        wait.until(lambda: self._bindings().get(base.DESTINATION) == 'ACTIVE',
                   'active binding on the destination', LIMIT_S)
        wait.until(lambda: answers.newest() > switched + 1,
                   'answer during post-copy', LIMIT_S)
        self.assertEqual(base.POST_COPY, self.migration(server)['status'])

        self.speed_up()
        self.wait_for(server, 'completed')
        self.settle(server)
        completed = time.monotonic()
        wait.until(lambda: answers.newest() > completed + 1,
                   'answer after the migration', LIMIT_S)
        self.assertEqual({base.DESTINATION: 'ACTIVE'}, self._bindings())

    def _answers(self) -> bool:
        return subprocess.run(['ping', '-c1', '-W1', ADDRESS],
                              capture_output=True).returncode == 0
