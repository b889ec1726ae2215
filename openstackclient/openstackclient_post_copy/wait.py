# SPDX-License-Identifier: Apache-2.0

"""``--wait``: follow the live migration itself until it ends.

:mod:`client_post_copy.watch` says what is shown and when a migration has
ended, as for ``nova ... --poll``. This module sends the requests with the SDK.
"""

from collections.abc import Callable, Iterable
from typing import Any, TextIO

from keystoneauth1 import exceptions as keystone_exceptions
from openstack.compute.v2 import server as sdk_server
from openstack import exceptions as sdk_exceptions
from osc_lib import exceptions

from client_post_copy import display
from client_post_copy import progress
from client_post_copy import queries
from client_post_copy import watch
from openstackclient_post_copy import proxy


class Server(queries.Server):
    """A server, by the SDK."""

    LIST_COMMAND = 'openstack server migration list --server %(server)s'
    EVENT_COMMAND = 'openstack server event show %(server)s %(request)s'

    def __init__(self, compute: proxy.Proxy,
                 server: sdk_server.Server) -> None:
        self._compute = compute
        self.id = server.id
        self.name = server.name

    def newest_migration(self) -> progress.Seen | None:
        found = _list(
            self._compute.migrations, server_id=self.id,
            migration_type='live-migration', limit=1, paginated=False,
            # Only administrators may list the migrations of all projects.
            project_id=self._compute.get_project_id())
        return progress.Seen.of(found[0]) if found else None

    def migrations_in_progress(self) -> list[progress.Seen]:
        return [progress.Seen.of(found) for found in
                _list(self._compute.server_migrations, self.id)]

    def state(self) -> queries.State:
        server = _ask(self._compute.get_server, self.id)
        return queries.State(
            server.status, server.task_state is None, server.compute_host,
            (server.fault or {}).get('message'))

    def newest_events(self) -> tuple[str | None, list[queries.Event]]:
        request = next((
            found.request_id for found in
            _list(self._compute.server_actions, self.id)
            if found.action == 'live-migration'), None)
        if request is None:
            return None, []
        action = _ask(self._compute.get_server_action, request, self.id)
        return request, [
            queries.Event(event.event, event.result, event.details)
            for event in action.events or ()]


def _ask(method: Callable, *args, **kwargs) -> Any:
    """Call a method of the SDK, with the errors of a watch."""
    try:
        return method(*args, **kwargs)
    except keystone_exceptions.RetriableConnectionFailure as error:
        raise queries.NotAnswered(error)
    except sdk_exceptions.HttpException as error:
        raise queries.error_of(error.status_code or 400)(error)
    except keystone_exceptions.HttpError as error:
        raise queries.error_of(error.http_status)(error)
    except (sdk_exceptions.SDKException,
            keystone_exceptions.ClientException) as error:
        raise queries.Refused(error)


def _list(method: Callable[..., Iterable], *args, **kwargs) -> list:
    # The SDK sends its requests while its generator is iterated.
    return _ask(lambda: list(method(*args, **kwargs)))


class Wait:
    """The next live migration of a server, for one command.

    Created before the migration is requested, to refuse the request if the
    migration could not be watched.

    :param stdout: the progress is printed there
    :raises osc_lib.exceptions.CommandError: when migrations cannot be listed
    """

    def __init__(self, compute: proxy.Proxy, server: sdk_server.Server,
                 stdout: TextIO) -> None:
        self._display = display.Display(stdout)
        try:
            self._watch = watch.Watch(Server(compute, server))
        except (queries.NotAnswered, queries.Refused) as error:
            raise exceptions.CommandError(watch.refusal(error, '--wait'))

    def follow(self) -> None:
        """Show the progress until the migration ends.

        :raises osc_lib.exceptions.CommandError: when the server was not
            moved, or the result is unknown
        """
        outcome, = watch.follow([self._watch], self._display)
        if not outcome.moved:
            raise exceptions.CommandError(outcome.text)
        self._display.say(outcome.text)
