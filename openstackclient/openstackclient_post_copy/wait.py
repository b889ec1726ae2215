# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""``--wait``: follow the live migration itself until it has ended.

All that is asked here may by default be asked by whoever may live migrate: a
manager of the project sees the migrations of the project, without their hosts.
Only the reasons of a failure are for administrators.
"""

import time
from typing import TextIO

from keystoneauth1 import exceptions as keystone_exceptions
from openstack.compute.v2 import server as _server
from openstack import exceptions as sdk_exceptions
from osc_lib import exceptions

from openstackclient_post_copy import migration as _migration
from openstackclient_post_copy import proxy

ENDED = ('completed', 'cancelled', 'error', 'failed')
INTERVAL = 1    # seconds
# Nova sets the server right before or a moment after the migration has ended.
SETTLING = 30   # times INTERVAL

_NOT_ANSWERED = (sdk_exceptions.SDKException,
                 keystone_exceptions.ClientException)


class Watch:
    """The next live migration of a server.

    Made before the migration is requested, to know it from an older one, and
    to refuse before anything is moved when it could not be followed.

    :param stdout: gets the progress
    :raises osc_lib.exceptions.CommandError: when the user may not see it
    """

    def __init__(self, compute: proxy.Proxy, server: _server.Server,
                 stdout: TextIO) -> None:
        self._compute = compute
        self._server = server
        self._stdout = stdout
        self._sees_bytes = True
        self._phase = self._line = ''
        try:
            newest = self._newest()
        except sdk_exceptions.ForbiddenException:
            raise exceptions.CommandError(
                '--wait watches the migration, and you are not allowed to '
                'see migrations (policy os_compute_api:os-migrations:index). '
                'Leave out --wait, or ask an administrator. No migration was '
                'requested.')
        self._last_id = newest.id if newest else 0

    def follow(self) -> None:
        """Show the progress until the migration has ended.

        :raises osc_lib.exceptions.CommandError: when the server was not
            moved, or when it is not known whether it was
        """
        try:
            migration = self._follow()
            self._end_line()
            server = self._settled()
            moved = migration is not None and migration.status == 'completed'
            reason = '' if moved else self._reason(server)
        except _NOT_ANSWERED as error:
            self._end_line()
            raise exceptions.CommandError(
                'The migration of server %s was requested, and its end was '
                'not seen: %s. It goes on without this command; see '
                '"openstack server migration list --server %s".'
                % (self._name, error, self._server.id))
        whereabouts = 'Server %s is %s%s' % (
            self._name, server.status,
            # Only administrators see the host.
            ' on ' + server.compute_host if server.compute_host else '')
        if not moved:
            raise exceptions.CommandError('%s. %s. Reason: %s' % (
                'The migration has not begun' if migration is None else
                'Migration %d has ended as %s' % (migration.id,
                                                  migration.status),
                whereabouts, reason))
        self._stdout.write('Complete. %s\n' % whereabouts)

    @property
    def _name(self) -> str:
        return '%s (%s)' % (self._server.name, self._server.id)

    def _follow(self) -> _migration.Migration | None:
        """Return the migration when it has ended, None if there is none."""
        while True:
            migration = self._newer()
            if migration is None:
                # Asked once more: it may have begun and ended in between.
                if self._is_idle() and self._newer() is None:
                    return None
            elif migration.status in ENDED:
                return migration
            else:
                self._show(migration)
            time.sleep(INTERVAL)

    def _newer(self) -> _migration.Migration | None:
        newest = self._newest()
        return newest if newest and newest.id > self._last_id else None

    def _newest(self) -> _migration.Migration | None:
        """Return the newest live migration of the server that we asked for."""
        return next(self._compute.migrations(
            server_id=self._server.id, migration_type='live-migration',
            # Only administrators may ask for those of other projects.
            project_id=self._compute.get_project_id(),
            limit=1, paginated=False), None)

    def _is_idle(self) -> bool:
        return self._compute.get_server(self._server.id).task_state is None

    def _settled(self) -> _server.Server:
        """Return the server when Nova has nothing more to do with it."""
        for _attempt in range(SETTLING):
            if self._is_idle():
                break
            time.sleep(INTERVAL)
        return self._compute.get_server(self._server.id)

    def _show(self, migration: _migration.Migration) -> None:
        if migration.status != self._phase:
            self._end_line()
        self._phase = migration.status
        line = 'Migration %d: %s%s' % (migration.id, migration.status,
                                       self._progress(migration))
        self._stdout.write('\r' + line.ljust(len(self._line)))
        self._stdout.flush()
        self._line = line

    def _end_line(self) -> None:
        if self._line:
            self._stdout.write('\n')
        self._line = ''

    def _progress(self, migration: _migration.Migration) -> str:
        if not self._sees_bytes:
            return ''
        try:
            for found in self._compute.server_migrations(self._server.id):
                if found.id == migration.id:
                    return in_percent(found)
        except sdk_exceptions.ForbiddenException:
            self._sees_bytes = False
        return ''

    def _reason(self, server: _server.Server) -> str:
        """Return why the server was not moved, as far as the user may know."""
        action = next((
            found for found in self._compute.server_actions(server)
            if found.action == 'live-migration'), None)
        if action is None:
            return 'not recorded'
        action = self._compute.get_server_action(action.request_id, server)
        known = [event.details for event in action.events or ()
                 if event.result == 'Error' and event.details]
        if server.status == 'ERROR' and server.fault:
            known.append(server.fault['message'])
        # The same one comes from each service that it went through.
        return '; '.join(dict.fromkeys(known)) or (
            'recorded for administrators, "openstack server event show %s %s"'
            % (server.id, action.request_id))


def in_percent(migration: _migration.ServerMigration) -> str:
    """Tell how much of memory and disk does not have to be copied any more.

    :returns: with a comma before it; empty when nothing has been measured.
        Less than before when the server has written to its memory meanwhile.
    """
    total = ((migration.memory_total_bytes or 0) +
             (migration.disk_total_bytes or 0))
    remaining = ((migration.memory_remaining_bytes or 0) +
                 (migration.disk_remaining_bytes or 0))
    if not total:
        return ''
    return ', %d%%' % (100 * (1 - remaining / total))
