# SPDX-License-Identifier: Apache-2.0

"""The proof that a server has moved, as a whole and only once.

:func:`look` reads the facts at their source, outside of Nova: processes and
domains on the hosts, the guest's own count of wrong pages, and then what Nova
and placement report. :func:`judge` compares them; it reads nothing, so the
simulated hosts are judged in the same way.
"""

from __future__ import annotations

import collections
from collections.abc import Mapping
import dataclasses
import os
import pathlib
import typing
from typing import Any

from lab import guest
from lab.instruments import record
from lab import layout

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab.instruments import heartbeat

RUNNING = 1     # in libvirt (VIR_DOMAIN_RUNNING) and in Nova's power_state


@dataclasses.dataclass
class Facts:
    """The state of one server after its migration."""

    source: str
    destination: str
    #: host name to number of QEMU processes with the server's uuid; None where
    #: the hosts are simulated
    processes: dict[str, int] | None
    #: host name to libvirt's state of the domain with the server's uuid
    domains: dict[str, int]
    rate: float         #: what the guest does just now, bytes/s
    work: int           #: bytes of memory that it checked since its boot
    wrong_pages: int    #: those that were not what it had written
    setbacks: int       #: how often it had done less than before
    server: dict[str, Any]      #: as in GET /servers/{id}
    #: as in GET /os-migrations, at our microversion
    migration: dict[str, Any]
    #: host name to resources: of the server and of the migration
    allocations: dict[str, dict[str, int]]
    migration_allocations: dict[str, dict[str, int]]


def look(cloud: lab_cloud.Cloud, server: str, source: str, destination: str,
         heartbeat: heartbeat.Heartbeat) -> Facts:
    """Collect the facts of a server in the lab.

    :param server: uuid
    :param heartbeat: has been following the server for a second or more
    """
    from novaclient_post_copy import microversion

    names = (source, destination)
    migration = cloud.get(
        'compute', '/os-migrations?instance_uuid=%s&limit=1' % server,
        microversion=microversion.API_VERSION.get_string())['migrations'][0]
    return Facts(
        source=source,
        destination=destination,
        processes=dict(collections.Counter(qemu_processes(
            server, {name: cloud.host(name).init.pid for name in names}
        ).values())),
        domains={name: domains[server]
                 for name in names
                 if server in (domains := cloud.host(name).domains())},
        rate=heartbeat.rate(),
        work=heartbeat.samples()[-1].work,
        wrong_pages=heartbeat.wrong_pages,
        setbacks=heartbeat.setbacks,
        server=cloud.get('compute', '/servers/' + server)['server'],
        migration=migration,
        allocations=cloud.allocations(server),
        migration_allocations=cloud.allocations(migration['uuid']))


def qemu_processes(server: str,
                   hosts: Mapping[str, int | None]) -> dict[int, str]:
    """Return pid and host of each QEMU process with this uuid.

    :param hosts: host name to the pid of any process of this host; a process
        is on the host whose network namespace it has; None: the host is down
    """
    names = {os.readlink('/proc/%d/ns/net' % pid): name
             for name, pid in hosts.items() if pid is not None}
    found = {}
    for process in pathlib.Path('/proc').glob('[0-9]*'):
        try:
            command = (process / 'cmdline').read_bytes().split(b'\0')
            if b'qemu' in command[0] and server.encode() in command:
                found[int(process.name)] = names.get(
                    os.readlink(process / 'ns/net'), 'another host')
        except OSError:
            continue    # it has ended
    return found


def judge(facts: Facts) -> list[record.Check]:
    """Return each part of the proof, with whether it holds."""
    return [
        *_judge_processes(facts),
        _judge_domains(facts),
        _judge_guest(facts),
        _judge_memory(facts),
        _judge_record(facts),
        _judge_migration(facts),
        _judge_placement(facts),
    ]


def _judge_processes(facts: Facts) -> list[record.Check]:
    if facts.processes is None:
        return []
    return [record.Check(
        'processes', facts.processes == {facts.destination: 1},
        'QEMU processes with the uuid of the server: %s.'
        % (_listed(facts.processes) or 'none'))]


def _judge_domains(facts: Facts) -> record.Check:
    return record.Check(
        'domains', facts.domains == {facts.destination: RUNNING},
        'libvirt domains with the uuid of the server: %s.'
        % (_listed({host: 'running' if state == RUNNING else
                    'in state %d' % state
                    for host, state in facts.domains.items()}) or 'none'))


def _judge_guest(facts: Facts) -> record.Check:
    return record.Check(
        'guest', facts.rate > 0 and not facts.setbacks,
        'The guest works at %d MiB/s, and %s.' % (
            facts.rate / layout.MIB,
            'was seen to go back in its work %d times: it was started anew, '
            'or runs twice' % facts.setbacks if facts.setbacks
            else 'never went back to what it had already done'))


def _judge_memory(facts: Facts) -> record.Check:
    return record.Check(
        'memory', facts.work > 0 and not facts.wrong_pages,
        'Of %d pages that the guest has checked, %d were not what it had '
        'written.' % (facts.work / guest.PAGE_BYTES, facts.wrong_pages))


def _judge_record(facts: Facts) -> record.Check:
    host, status, power_state, task_state = (
        facts.server[key] for key in (
            'OS-EXT-SRV-ATTR:host', 'status', 'OS-EXT-STS:power_state',
            'OS-EXT-STS:task_state'))
    return record.Check(
        'record',
        (host, status, power_state, task_state) == (
            facts.destination, 'ACTIVE', RUNNING, None),
        'Nova has the server on %s: status %s, power state %s, task state %s.'
        % (host, status, power_state, task_state))


def _judge_migration(facts: Facts) -> record.Check:
    migration = facts.migration
    return record.Check(
        'migration',
        (migration['source_compute'], migration['dest_compute'],
         migration['status'], migration['post_copy']) == (
            facts.source, facts.destination, 'completed', True),
        'Nova has the migration from %s to %s as %s, post_copy %s.' % (
            migration['source_compute'], migration['dest_compute'],
            migration['status'], str(migration['post_copy']).lower()))


def _judge_placement(facts: Facts) -> record.Check:
    return record.Check(
        'placement',
        list(facts.allocations) == [facts.destination]
        and not facts.migration_allocations,
        'Placement: the server has resources of %s, the migration of %s.' % (
            ' and '.join(facts.allocations) or 'no host',
            ' and '.join(facts.migration_allocations) or 'no host'))


def _listed(things: Mapping[str, object]) -> str:
    return ', '.join('%s on %s' % (what, host)
                     for host, what in sorted(things.items()))
