# SPDX-License-Identifier: Apache-2.0

"""Events in any order, with each storage."""

import os
import zlib

import hypothesis
from hypothesis import stateful

from tests.functional import base
from tests.functional.state_machine import ending
from tests.functional.state_machine import guests
from tests.functional.state_machine import hosts
from tests.functional.state_machine import invariants
from tests.functional.state_machine import requests

#: in all, to be shared by the storages; None: a few, the same each time
EXAMPLES = os.environ.get('STATE_MACHINE_EXAMPLES')
STORAGES = 4
#: of each storage
COUNT = -(-int(EXAMPLES) // STORAGES) if EXAMPLES else 4
STEPS = 12


class Events(hosts.Hosts, guests.Guests, requests.Requests,
             invariants.Invariants, ending.Ending):
    """All of it."""


class AnyOrder:
    # The limit of a test is that of a few examples.
    TIMEOUT_SCALING_FACTOR = max(1, COUNT // 4)
    SPEED = 8.0
    HOSTS = ('src', 'dest', 'other')
    WAITS = base.BreakingHosts.WAITS | {
        # No conductor dies here; it may be slow.
        'compute.dropped_requests.DROPPED_AFTER_S': 60,
        'decisions.recovery.STALLED_AFTER_S': 1.0}

    def setUp(self):
        super().setUp()
        self.flags(rpc_response_timeout=1)
        self.let_disks_fail()
        self.addCleanup(self.hosts.clock.go_on)
        self.reclaim = False
        self.forget_server()

    def test_any_order(self):
        def machine():
            return Events(self)

        if not EXAMPLES:
            # The same each time, and others for each storage.
            hypothesis.seed(zlib.crc32(type(self).__name__.encode()))(machine)
        stateful.run_state_machine_as_test(
            machine, settings=hypothesis.settings(
                max_examples=COUNT, stateful_step_count=STEPS,
                derandomize=False, report_multiple_bugs=False,
                phases=[hypothesis.Phase.generate],
                suppress_health_check=list(hypothesis.HealthCheck)))

    def new_server(self, networks, volumes, reclaim, credentials):
        self.hosts.clock.go_on()
        self.reclaim = reclaim
        self.flags(reclaim_instance_interval=3600 if reclaim else 0)
        self.cinder.needs_token = not credentials
        self.NETWORKS, self.VOLUMES = networks, volumes
        self.server = self.create_server()
        self.make_busy()

    def forget_server(self):
        self.flags(reclaim_instance_interval=0)
        path = '/servers/' + self.server['id']
        self.request('DELETE', path)
        self.wait_for('deleted', lambda: (
            self.request('GET', path)[0] == 404), timeout=ending.QUIET_S)

    def _wait_for_state_change(self, server, expected_status, **kwargs):
        # How long what is not looked at here takes, does not matter.
        return super()._wait_for_state_change(
            server, expected_status, max_retries=int(ending.QUIET_S / 0.5),
            **kwargs)

    def recorded(self, server):
        return any(self.inside(host, base.record.exists, server)
                   for host in self.processes)


class TestSharedFiles(AnyOrder, base.BreakingHosts):
    pass


class TestLocalFiles(AnyOrder, base.BreakingHosts):
    SHARED_INSTANCES_PATH = False


class TestRbd(AnyOrder, base.BreakingHosts):
    IMAGES_TYPE = 'rbd'
    SHARED_INSTANCES_PATH = False


class TestBootFromVolume(AnyOrder, base.BreakingHosts):
    SHARED_INSTANCES_PATH = False
    BOOT_FROM_VOLUME = True
