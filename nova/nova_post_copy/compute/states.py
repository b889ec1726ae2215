# SPDX-License-Identifier: Apache-2.0

"""Put back the states of a migrating server that somebody has reset.

``os-resetState`` changes two fields in the database and nothing else: the
guest is on its way as before. But the steps that end a migration expect the
task state ``migrating``, and so does everything that asks whether the server
may be touched.
"""

import collections
from collections.abc import Iterable
from collections.abc import Iterator
import contextlib
import threading

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects

from nova_post_copy.compute import deletes
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.objects.migration import IN_PROGRESS
from nova_post_copy.objects.migration import unfinished

LOG = logging.getLogger(__name__)

#: Task states of a server that is to be deleted; the record remembers that.
DELETING = (task_states.DELETING, task_states.SOFT_DELETING)

#: States of a server that migrates, be it that somebody has reset them.
MOVABLE = (vm_states.ACTIVE, vm_states.PAUSED, vm_states.ERROR)


class Ending:
    """The instances whose migration is being ended by a thread.

    Its steps change the task state themselves, in between of which a state
    that is put back would stay for ever.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._threads: collections.Counter[str] = collections.Counter()

    @contextlib.contextmanager
    def steps(self, uuid: str) -> Iterator[None]:
        """Let nobody else put a state back meanwhile."""
        with self._lock:
            self._threads[uuid] += 1
        try:
            yield
        finally:
            with self._lock:
                self._threads[uuid] -= 1

    @contextlib.contextmanager
    def excluded(self, uuid: str) -> Iterator[bool]:
        """Tell whether no thread ends the migration, and let none begin."""
        with self._lock:
            yield not self._threads[uuid]


def put_back_handled(manager: upstream.ComputeManager,
                     context: nova_context.RequestContext,
                     handled: Iterable[str]) -> None:
    """Put back the states of servers whose migration a thread watches."""
    for uuid in list(handled):
        try:
            # A thread that ends its migration must not wait for that.
            if not _is_reset(manager, objects.Instance.get_by_uuid(
                    context, uuid)):
                continue
            with manager.ending.excluded(uuid) as nobody:
                if nobody and unfinished(
                        context, uuid, source=manager.host,
                        statuses=IN_PROGRESS) is not None:
                    put_back_here(manager, context, uuid)
        except nova_exception.InstanceNotFound:
            continue
        except Exception as exc:
            LOG.warning('The states of the server were not compared: %s', exc,
                        instance_uuid=uuid)


def put_back_here(manager: upstream.ComputeManager,
                  context: nova_context.RequestContext, uuid: str) -> None:
    """Put back what a reset has changed of a server recorded on this host.

    A delete that nova-compute has not received yet is remembered.

    :raises Exception: the database does not answer
    """
    instance = objects.Instance.get_by_uuid(context, uuid)
    if not _is_reset(manager, instance):
        return
    deletes.remember(instance)
    put_back(instance, manager.driver.post_copy_condition(instance))


def _is_reset(manager: upstream.ComputeManager,
              instance: objects.Instance) -> bool:
    return (instance.host == manager.host and
            instance.task_state != task_states.MIGRATING)


def put_back(instance: objects.Instance, found: Condition) -> None:
    """Put back what a reset has changed of a server that is on its way.

    :param instance: as it is in the database now
    :param found: its guest, as libvirt of the calling host reports it
    """
    if instance.task_state == task_states.MIGRATING:
        # Then its vm_state is what the monitor has made of it.
        return
    LOG.info('The task state of the server was set to %s, but its live '
             'migration continues: it is "migrating" again',
             instance.task_state, instance=instance)
    expected = instance.task_state
    instance.task_state = task_states.MIGRATING
    instance.vm_state = _vm_state(instance.vm_state, found)
    instance.save(expected_task_state=[expected])


def _vm_state(recorded: str, found: Condition) -> str:
    if recorded not in MOVABLE:
        # No reset has made it: the server is stopped, or softly deleted. Only
        # the steps that end its migration have still to be taken.
        return recorded
    if found is Condition.PAUSED:
        return vm_states.PAUSED
    if found is Condition.RUNNING or recorded != vm_states.PAUSED:
        return vm_states.ACTIVE
    # Nothing has changed it, and libvirt pauses guests by itself.
    return recorded
