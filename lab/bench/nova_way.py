# SPDX-License-Identifier: Apache-2.0

"""Move a server by Nova, in one of the modes."""

from __future__ import annotations

import time
import typing

from keystoneauth1 import exceptions as keystone_exceptions
from novaclient import exceptions

from lab.bench import guests
from lab.bench import modes
from lab.bench import observed
from lab.bench import result
from lab.bench import servers
from lab import errors
from lab.instruments import last_step
from lab.instruments import record
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

# Seconds between two questions to Nova.
_ASK_INTERVAL_S = 0.2
# Spans the degraded period of the guest, and tells of it.
_EVENT = 'compute_live_migration_post_copy_degraded'
_MICROVERSION = '2.84'      # shows the details of events


class NovaWay:
    """One migration.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    """

    def __init__(self, cloud: lab_cloud.Cloud, busy: servers.Server,
                 kind: guests.Guest, mode: modes.Mode) -> None:
        self._cloud = cloud
        self._busy = busy
        self._kind = kind
        self._mode = mode
        self._forced = not mode.forced
        self._aborted = mode.limit is None

    def run(self, number: int, phase: int) -> result.Run:
        """Make one run; the server is ready for the next one after it.

        :param phase: work (bytes) of the guest's cycle to begin at
        :raises lab.errors.LabError: when it cannot be made
        """
        source, destination = self._busy.hosts()
        seen = observed.Observed(self._cloud, self._kind, self._busy.uuid,
                                 self._busy.pulse, source, destination)
        try:
            before = self._migration()['id']
            seen.wait_for_phase(phase)
            attempt = seen.begin(self._mode.name, self._mode.post_copy)
            accepted = self._request(destination)
            wait.until(lambda: self._migration()['id'] != before,
                       'record of the migration in Nova', 30)
            status = self._follow(seen, attempt)
            run = seen.end(self._mode.name, number)
        finally:
            seen.close()
        self._busy.make_active(self._mode.upstream)
        run.accepted = accepted
        run.told = self._told()
        if run.result == 'failed':
            run.error = 'the migration ended as %s' % status
        return run

    def _request(self, destination: str) -> float:
        """Ask for the migration; return how long the answer took (s)."""
        def send() -> float:
            begun = time.monotonic()
            self._cloud.session.post(
                '/servers/%s/action' % self._busy.uuid,
                endpoint_filter={'service_type': 'compute'},
                microversion=self._mode.microversion,
                json=self._mode.body(destination))
            return time.monotonic() - begun

        return last_step.accepted(send)

    def _follow(self, seen: observed.Observed,
                attempt: record.Attempt) -> str:
        """Watch the migration to its end; return its status in Nova."""
        due = 0.0
        while True:
            now = time.monotonic()
            if now >= due:
                due = now + _ASK_INTERVAL_S
                migration = self._migration()
                if migration['status'] in last_step.ENDED:
                    break
                self._abort_if_due(attempt, migration)
            seen.look(attempt)
            if not self._forced and attempt.passes:
                self._force(migration)
        completed = migration['status'] == 'completed'
        attempt.note(record.COMPLETED if completed else record.CANCELLED,
                     time.monotonic())
        return migration['status']

    def _force(self, migration: dict) -> None:
        try:
            self._cloud.nova().server_migrations.live_migrate_force_complete(
                self._busy.server, migration['id'])
            self._forced = True
        except exceptions.ClientException:
            pass        # not yet, or over: the next look tells

    def _abort_if_due(self, attempt: record.Attempt,
                      migration: dict) -> None:
        if self._aborted or (
                time.monotonic()
                < attempt.begin + wait.scaled(self._mode.limit)):
            return
        try:
            self._cloud.nova().server_migrations.live_migration_abort(
                self._busy.server, migration['id'])
        except exceptions.ClientException:
            return      # it has just come to its end
        self._aborted = True
        attempt.note(record.ABORTED, time.monotonic())

    def _migration(self) -> dict:
        """Return the newest record; its id is None before the first."""
        found = self._cloud.get(
            'compute', '/os-migrations?limit=1&instance_uuid='
            + self._busy.uuid, microversion='2.80')['migrations']
        return found[0] if found else {'id': None}

    def _told(self) -> str | None:
        """Return what the newest action says of the degraded period."""
        actions = '/servers/%s/os-instance-actions' % self._busy.uuid
        try:
            newest = self._cloud.get(
                'compute', actions, microversion=_MICROVERSION
            )['instanceActions'][0]
            events = self._cloud.get(
                'compute', '%s/%s' % (actions, newest['request_id']),
                microversion=_MICROVERSION)['instanceAction']['events']
        except (keystone_exceptions.ClientException, IndexError) as exc:
            raise errors.LabError(
                'Nova does not show its actions: %s' % exc) from exc
        return next((event.get('details') for event in events
                     if event['event'] == _EVENT), None)
