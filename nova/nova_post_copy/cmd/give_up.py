# SPDX-License-Identifier: Apache-2.0

"""``nova-post-copy-manage migration give-up``: say that a host is lost.

No request of Nova's API means that, and no tool does it in passing. The
command needs the database; of the rest it uses what answers.
"""

from __future__ import annotations

from collections.abc import Callable
import functools

from nova.cmd import common as cmd_common
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects
from oslo_db import exception as db_exc
import sqlalchemy as sa

from nova_post_copy.cmd import given_up
from nova_post_copy.cmd import given_up_volumes
from nova_post_copy.cmd import unfinished
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import giving_up
from nova_post_copy.decisions.giving_up import Outcome
from nova_post_copy import exception
from nova_post_copy.objects import migration as migration_obj
from nova_post_copy.objects.migration import Status
from nova_post_copy.objects import service

_DB_ERRORS = (db_exc.DBError, sa.exc.SQLAlchemyError)


class MigrationCommands:
    description = _('Manage live migrations that use post-copy.')

    @cmd_common.action_description(_(
        'Give up a live migration that was requested with "post_copy": true, '
        'because a host does not come back with its part of the server. '
        'BEFORE: make sure that this host is off. The server is then recorded '
        'where the rest of it is: on the destination if it was switched to '
        'post-copy (with its disk, without its memory), else on the source, '
        'from which it can be evacuated. What the other host holds in '
        'placement, neutron and Cinder is released. THIS CANNOT BE UNDONE. If '
        'the host may come back, wait: the migration resumes by itself. Exit '
        'status: 0 when the migration is given up, 1 when nothing was '
        'changed, 2 when something is left to do by hand.'))
    @cmd_common.args(
        'migration', metavar='<migration>',
        help=_('Id or uuid of the migration, as in "openstack server '
               'migration list".'))
    @cmd_common.args(
        '--server', metavar='<name>', required=True,
        help=_('Name of its server, for safety.'))
    @cmd_common.args(
        '--host', metavar='<host>', required=True, action='append',
        help=_('Name of the host that does not come back. Repeat the option '
               'if neither of the two hosts does.'))
    def _give_up(self, migration: str, server: str, host: list[str]) -> int:
        if 'post_copy' not in objects.Migration.fields:
            return _say_refused(_(
                'The nova.conf that this command reads does not load '
                'nova-post-copy.'))
        try:
            return _give_up(migration, server, frozenset(host))
        except unfinished.Refused as exc:
            return _say_refused(str(exc))
        except _DB_ERRORS as exc:
            return _say_refused(_('The database does not answer: %s')
                                % str(exc).partition('\n')[0])


# Nova's commands have the names of methods, and this one has a hyphen.
setattr(MigrationCommands, 'give-up', MigrationCommands._give_up)


def _say_refused(reason: str) -> int:
    print(_('ERROR: %s Nothing was changed.') % reason)
    return 1


def _give_up(migration_id: str, server: str, hosts: frozenset[str]) -> int:
    found = unfinished.find(
        nova_context.get_admin_context(), migration_id, server)
    migration = found.migration
    situation = giving_up.Situation(
        source=migration.source_compute, destination=migration.dest_compute,
        given_up=hosts,
        switched=migration.status in migration_obj.SWITCHED,
        interrupted=migration.status == Status.INTERRUPTED_POST_COPY,
        source_is_up=service.compute_is_up(
            found.context, migration.source_compute),
        destination_is_up=service.compute_is_up(
            found.context, migration.dest_compute))
    _refuse(found, giving_up.refusal(situation))
    answer = (unfinished.on_destination(found)
              if situation.destination_is_up else None)
    outcome = giving_up.outcome(situation, answer)
    if answer is Condition.MIGRATING:
        raise unfinished.Refused(_(
            '%(destination)s has prepared the server, and has neither started '
            'nor removed it. If %(source)s is off, libvirt on %(destination)s '
            'notices that within a minute. Repeat the command then.')
            % situation._asdict())
    if outcome is None:
        raise unfinished.Refused(_(
            'The server may have arrived on %(destination)s, which does not '
            'answer. Start nova-compute there. If that host does not come '
            'back either, make sure that it is off, and add "--host '
            '%(destination)s".') % situation._asdict())
    fault = _fault(situation, outcome)
    given_up.record(found, outcome, answer, fault)
    print(_recorded(found, outcome))
    if situation.source_is_up:
        print(_('nova-compute on %(source)s ends the migration there, and '
                'releases allocations, port bindings and volume attachments, '
                'within a minute.')
              % situation._asdict())
        left = False
    else:
        left = _release(found, situation)
        if fault is not None:
            given_up.notify(found, fault)
    print(_next_step(found, situation, outcome))
    return 2 if left else 0


def _refuse(found: unfinished.Unfinished, reason: str | None) -> None:
    if reason is not None:
        raise unfinished.Refused(_(
            'Live migration %(id)s (status "%(status)s") cannot be given up: '
            '%(reason)s.') % {
                'id': found.migration.id, 'status': found.migration.status,
                'reason': reason})


def _fault(situation: giving_up.Situation,
           outcome: Outcome) -> exception.PostCopyFault | None:
    if outcome is not Outcome.LOST:
        return None
    if situation.destination in situation.given_up:
        return exception.PostCopyDestinationGivenUp(
            host=situation.source, dest=situation.destination)
    return exception.PostCopyLost(
        host=situation.source, dest=situation.destination,
        reason=_('an operator has given up the source'))


def _recorded(found: unfinished.Unfinished, outcome: Outcome) -> str:
    text = {
        Outcome.LOST: _(
            'Live migration %(id)s is given up (status "%(status)s"). Server '
            '%(uuid)s is recorded on %(host)s, in ERROR, without its memory.'),
        Outcome.ARRIVED: _(
            'There was nothing to give up: the server had arrived as a whole. '
            'Live migration %(id)s is "%(status)s". Server %(uuid)s is on '
            '%(host)s, %(vm_state)s.'),
        Outcome.STAYS: _(
            'Live migration %(id)s is given up (status "%(status)s"). Server '
            '%(uuid)s is recorded on %(host)s, where it ran.'),
    }[outcome]
    return text % {'id': found.migration.id, 'status': found.migration.status,
                   'uuid': found.instance.uuid, 'host': found.instance.host,
                   'vm_state': found.instance.vm_state}


def _release(found: unfinished.Unfinished,
             situation: giving_up.Situation) -> bool:
    """Do what only nova-compute on the source would do.

    :returns: whether something is left
    """
    steps: tuple[tuple[str, Callable[[unfinished.Unfinished], None],
                       str], ...] = (
        (_('allocations'), given_up.release_allocations, _(
            'openstack resource provider allocation delete %s')
            % found.migration.uuid),
        (_('port bindings'), given_up.bind_ports, _(
            'DELETE /v2.0/ports/PORT/bindings/%s, for each port of the '
            'server') % _other_host(found)),
        (_('volume attachments'), functools.partial(
            given_up_volumes.release, situation), ''))
    left = False
    for what, step, by_hand in steps:
        try:
            step(found)
        except given_up_volumes.Left as exc:
            left = True
            _say_left(what, exc.causes[0], '\n  '.join(['', *exc.by_hand]))
        except Exception as exc:
            # Neutron, placement and keystone fail in many ways, all of which
            # mean that the operator has to do it.
            left = True
            _say_left(what, exc, by_hand)
        else:
            print(_('The %s of the other host are released.') % what)
    return left


def _say_left(what: str, cause: Exception, by_hand: str) -> None:
    print(_('WARNING: the %(what)s are not released: %(error)s. Repeat later '
            'by hand: %(by_hand)s') % {
                'what': what, 'by_hand': by_hand, 'error': _first_line(cause)})


def _other_host(found: unfinished.Unfinished) -> str:
    source = found.migration.source_compute
    return (source if found.instance.host != source
            else found.migration.dest_compute)


def _first_line(exc: Exception) -> str:
    if isinstance(exc, nova_exception.NovaException):
        return exc.format_message()
    return (str(exc) or type(exc).__name__).partition('\n')[0]


def _next_step(found: unfinished.Unfinished, situation: giving_up.Situation,
               outcome: Outcome) -> str:
    hosts = {**situation._asdict(), 'uuid': found.instance.uuid}
    if outcome is Outcome.ARRIVED:
        return _('Next: nothing. If %(source)s comes back, nova-compute there '
                 'cleans up.') % hosts
    if outcome is Outcome.STAYS:
        return _('Next: make sure that the server runs neither on %(source)s '
                 'nor on %(destination)s, then "openstack server evacuate '
                 '%(uuid)s".') % hosts
    if situation.destination in situation.given_up:
        return _('Next: make sure that %(destination)s is off, then '
                 '"openstack server evacuate %(uuid)s". With local disks the '
                 'newest one is on %(destination)s; the one from before the '
                 'switch is on %(source)s.') % hosts
    return _('Next: "openstack server reboot --hard %(uuid)s" starts it from '
             'its disk on %(destination)s.') % hosts
