# SPDX-License-Identifier: Apache-2.0

"""``nova live-migration --poll`` and ``nova host-evacuate-live --poll``.

:mod:`client_post_copy.watch` says what is shown and when a migration has
ended. This module sends the requests with novaclient, and sums up for all
servers of a host.
"""

from collections.abc import Callable
import sys
from typing import Any

from keystoneauth1 import exceptions as keystone_exceptions
from novaclient import base
from novaclient import exceptions

from client_post_copy import display
from client_post_copy import progress
from client_post_copy import queries
from client_post_copy import watch
from novaclient_post_copy import microversion


class Server(queries.Server):
    """A server, by novaclient.

    :param cs: novaclient.v2.client.Client
    :param server: novaclient.v2.servers.Server or its ID
    """

    LIST_COMMAND = 'nova migration-list --instance-uuid %(server)s'
    EVENT_COMMAND = 'nova instance-action %(server)s %(request)s'

    def __init__(self, cs, server) -> None:
        self._cs = cs
        self._migrations = microversion.with_ours(cs.migrations)
        self._server_migrations = microversion.with_ours(cs.server_migrations)
        self.id = base.getid(server)
        if isinstance(server, str):
            server = _ask(cs.servers.get, server)
        self.name = server.name

    def newest_migration(self) -> progress.Seen | None:
        found = _ask(
            self._migrations.list, instance_uuid=self.id,
            migration_type='live-migration', limit=1,
            # Only administrators may list the migrations of all projects.
            project_id=self._cs.client.get_project_id())
        return progress.Seen.of(found[0]) if found else None

    def migrations_in_progress(self) -> list[progress.Seen]:
        return [progress.Seen.of(found) for found in
                _ask(self._server_migrations.list, self.id)]

    def state(self) -> queries.State:
        server = _ask(self._cs.servers.get, self.id)
        return queries.State(
            server.status,
            getattr(server, 'OS-EXT-STS:task_state', None) is None,
            getattr(server, 'OS-EXT-SRV-ATTR:host', None),
            getattr(server, 'fault', {}).get('message'))

    def newest_events(self) -> tuple[str | None, list[queries.Event]]:
        request = next((
            found.request_id for found in
            _ask(self._cs.instance_action.list, self.id)
            if found.action == 'live-migration'), None)
        if request is None:
            return None, []
        action = _ask(self._cs.instance_action.get, self.id, request)
        return request, [
            queries.Event(
                event['event'], event['result'], event.get('details'))
            for event in getattr(action, 'events', ())]


def _ask(method: Callable, *args, **kwargs) -> Any:
    """Call a method of novaclient, with the errors of a watch."""
    try:
        return method(*args, **kwargs)
    except keystone_exceptions.RetriableConnectionFailure as error:
        raise queries.NotAnswered(error)
    except exceptions.ClientException as error:
        raise queries.error_of(error.code)(error)
    except keystone_exceptions.HttpError as error:
        raise queries.error_of(error.http_status)(error)
    except keystone_exceptions.ClientException as error:
        raise queries.Refused(error)


class Poll:
    """Requests live migrations for upstream's commands, and follows them.

    :meth:`live_migrate` takes the place of ``servers.live_migrate``.

    :param live_migrate: requests the live migration of one server
    """

    def __init__(self, cs, live_migrate: Callable) -> None:
        self._cs = cs
        self._live_migrate = live_migrate
        self._watches: list[watch.Watch] = []
        self._refused: list[str] = []   # IDs of servers

    def live_migrate(self, server, *args, **kwargs) -> Any:
        """Request the live migration of a server, and watch it.

        :raises novaclient.exceptions.CommandError: when the migration could
            not be watched; it has not been requested then
        """
        try:
            watched = self._watch(server)
            answer = self._live_migrate(server, *args, **kwargs)
        except Exception:
            self._refused.append(base.getid(server))
            raise
        self._watches.append(watched)
        return answer

    def _watch(self, server) -> watch.Watch:
        try:
            return watch.Watch(Server(self._cs, server))
        except (queries.NotAnswered, queries.Refused) as error:
            raise exceptions.CommandError(watch.refusal(error, '--poll'))

    def follow_server(self) -> None:
        """Show the progress of the only migration until it ends.

        :raises novaclient.exceptions.CommandError: when the server was not
            moved, or the result is unknown
        """
        shown = display.Display(sys.stdout)
        outcome, = watch.follow(self._watches, shown)
        if not outcome.moved:
            raise exceptions.CommandError(outcome.text)
        shown.say(outcome.text)

    def follow_host(self) -> None:
        """Show the progress of all migrations until they end.

        :raises novaclient.exceptions.CommandError: unless all servers were
            moved
        """
        shown = display.Display(sys.stdout)
        left = list(self._refused)
        for outcome in watch.follow(self._watches, shown):
            shown.say(outcome.text)
            if not outcome.moved:
                left.append(str(outcome.server))
        total = len(self._watches) + len(self._refused)
        if left:
            raise exceptions.CommandError(
                '%d of %d servers moved. Not moved, or result unknown: %s'
                % (total - len(left), total, ', '.join(left)))
        shown.say('%d of %d servers moved.' % (total, total))
