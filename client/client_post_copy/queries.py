# SPDX-License-Identifier: Apache-2.0

"""What is asked of the cloud to follow a live migration.

Each client has its own subclass of :class:`Server`, which sends the requests.
By default whoever may live migrate may also send these requests: a project
manager sees the migrations of the project, without their hosts. Only
administrators see why a migration failed.
"""

import abc
from typing import NamedTuple

from client_post_copy import progress


class NotAnswered(Exception):
    """The cloud did not answer, and may answer the same request later."""


class Refused(Exception):
    """The cloud refuses this request."""


class Forbidden(Refused):
    """The cloud refuses this request to this user."""


def error_of(status: int) -> type[NotAnswered | Refused]:
    """Return the error of a watch for an HTTP status of 400 or above."""
    if status == 403:
        return Forbidden
    return NotAnswered if status == 429 or status >= 500 else Refused


class State(NamedTuple):
    """A server at one moment."""

    status: str
    is_idle: bool           #: no task of Nova's is in progress
    host: str | None        #: None: the user may not see it
    fault: str | None


class Event(NamedTuple):
    """An event of an instance action."""

    event: str
    result: str | None
    details: str | None     #: None: the user may not see them


class Server(abc.ABC):
    """A server, and the requests to the cloud about that server.

    Each method raises :class:`NotAnswered` or :class:`Refused`.
    """

    id: str
    name: str
    #: The commands that list the migrations of a server, and that show what
    #: happened in a request; with ``%(server)s`` and ``%(request)s``.
    LIST_COMMAND: str
    EVENT_COMMAND: str

    def __str__(self) -> str:
        return '%s (%s)' % (self.name, self.id)

    @property
    def list_command(self) -> str:
        return self.LIST_COMMAND % {'server': self.id}

    @abc.abstractmethod
    def newest_migration(self) -> progress.Seen | None:
        """Return the newest live migration of the server.

        Evacuations, for example, and those of other projects do not count.
        """

    @abc.abstractmethod
    def migrations_in_progress(self) -> list[progress.Seen]:
        """Return the server's live migrations, with the bytes copied."""

    @abc.abstractmethod
    def state(self) -> State:
        """Return the present state of the server."""

    @abc.abstractmethod
    def newest_events(self) -> tuple[str | None, list[Event]]:
        """Return the newest request to live migrate the server.

        :returns: the ID of the request, None if there was none; and the
            events that the user may see
        """
