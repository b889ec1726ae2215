# SPDX-License-Identifier: Apache-2.0

"""Errors that users and operators see, each with what to do."""

from nova import exception
from nova.i18n import _


class PostCopyFault(exception.NovaException):
    """An instance fault, which tenants and administrators read.

    ``msg_fmt`` names hosts and is for administrators: in the details of the
    fault, in the event of the instance action, in logs and notifications. An
    event keeps 255 characters, so where the server is and what to do come
    first. ``PUBLIC`` is the message of the fault, for all who see the server.
    """

    PUBLIC: str


class PostCopyRolledBack(PostCopyFault):
    msg_fmt = _('The server still runs on %(host)s: the live migration to '
                '%(dest)s failed before its switch to post-copy and can be '
                'retried. Reason: %(reason)s')
    PUBLIC = _('The server still runs where it did: its live migration failed '
               'before its switch to post-copy and can be retried. '
               'Administrators find the reason in the details.')


class PostCopyNotBegun(PostCopyFault):
    msg_fmt = _('The live migration from %(host)s to %(dest)s did not begin, '
                'and what was prepared for it was undone. Nothing was done to '
                'the server. Reason: %(reason)s')
    PUBLIC = _('A live migration of the server did not begin. Nothing was '
               'done to the server. Administrators find the reason in the '
               'details.')


class PostCopyInterrupted(PostCopyFault):
    msg_fmt = _('The server runs on %(dest)s, but part of its memory is still '
                'on %(host)s: the network between them failed in post-copy. '
                'Do not start, reboot or evacuate the server: post-copy '
                'resumes when the network is back. Reason: %(reason)s')
    PUBLIC = _('The server runs, but part of its memory is still on the host '
               'that it leaves: the network failed in post-copy. Do not start '
               'or reboot the server: post-copy resumes when the network is '
               'back.')


class PostCopyUnreachable(PostCopyFault):
    msg_fmt = _('Post-copy is interrupted: %(dest)s, where the server should '
                'run, does not answer. If it comes back, post-copy resumes. '
                'If not, the memory of the server is lost: '
                '"nova-post-copy-manage migration give-up", then start it '
                'from its disk.')
    PUBLIC = _('Post-copy is interrupted: the host where the server should '
               'run does not answer. If it comes back, post-copy resumes. If '
               'not, the memory of the server is lost, and an administrator '
               'has to give the live migration up.')


class PostCopySourceSilent(PostCopyFault):
    msg_fmt = _('The server runs on %(dest)s, part of its memory is on '
                '%(host)s, whose nova-compute is down. Start it: post-copy '
                'resumes. If that host is dead: "nova-post-copy-manage '
                'migration give-up", then "reboot --hard".')
    PUBLIC = _('The server runs, but part of its memory is on the host that '
               'it leaves, whose nova-compute is down. Post-copy resumes when '
               'that service is back. If the host is dead, an administrator '
               'has to give the live migration up.')


class PostCopyLost(PostCopyFault):
    msg_fmt = _('The server is on %(dest)s, but part of its memory is lost: '
                '%(reason)s. Nothing was deleted on %(host)s. "openstack '
                'server reboot --hard" starts the server from its disk on '
                '%(dest)s.')
    PUBLIC = _('Part of the memory of the server was lost in a live '
               'migration. Its disk is complete: "openstack server reboot '
               '--hard" starts the server from its disk.')


class PostCopyDestinationGivenUp(PostCopyFault):
    msg_fmt = _('The server is on %(dest)s, which an operator has given up: '
                'part of its memory is lost. Make sure that the host is off, '
                'then evacuate the server. With local disks its newest one is '
                'there, the one from before the switch on %(host)s.')
    PUBLIC = _('The host of the server does not come back, and part of the '
               'memory of the server is lost. An administrator can evacuate '
               'the server, which starts it from its disk.')


class PostCopyElsewhere(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s was not touched: it has left this '
                'host by post-copy, and what is left here (%(found)s) is not '
                'the server. Wait for the live migration to finish; '
                '"openstack server migration list" shows its progress.')


class PostCopyOtherConnection(exception.NovaException):
    msg_fmt = _('Volume %(volume_id)s of server %(instance_uuid)s was not '
                'extended on this host: during a live migration Nova has the '
                "connection of the destination, which may be another server's "
                'volume here. It is extended after the migration, on the host '
                'where the server is.')


class PostCopyLiveCopy(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s was not cleaned up: the source '
                'reports its live migration as failed, but the server is live '
                'on this host (%(found)s). Check both hosts with "virsh list '
                '--all" before you remove a copy.')


class PostCopySchemaMissing(exception.NovaException):
    msg_fmt = _('The database %(database)s has no column post_copy in '
                '%(tables)s. The service refuses to start, because live '
                'migrations would get stuck. Run "nova-post-copy-manage db '
                'sync" where you run "nova-manage db sync", then start the '
                'service again.')


class PostCopyConductorUnavailable(exception.ServiceUnavailable):
    msg_fmt = _('No nova-conductor with nova-post-copy loaded answered within '
                '%(timeout)d s. Nothing was changed. Load nova-post-copy in '
                'nova-conductor, or leave out post_copy.')


class PostCopyHostRefused(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s cannot %(what)s: %(reasons)s. '
                'Nothing was changed. Leave out post_copy to live migrate '
                'the server as this cloud does by default.')
    code = 409


class PostCopyUnfinished(exception.NovaException):
    msg_fmt = _("Cannot '%(method)s' server %(instance_uuid)s: its live "
                'migration %(migration_id)s has not finished (status '
                '"%(status)s"), whatever its task state says. %(advice)s')
    code = 409


class PostCopyOtherMigration(exception.MigrationPreCheckError):
    msg_fmt = _('Live migration %(migration_id)s of the server has not '
                'finished (status "%(status)s"), whatever the task state of '
                'the server says. Abort it, or wait for its end, and repeat '
                'the request')


class PostCopyOtherRequest(exception.NovaException):
    msg_fmt = _("Cannot '%(method)s' server %(instance_uuid)s: another "
                'request changed it at the same moment. Wait until the server '
                'has no task state, and repeat the request. %(reason)s')
    code = 409


class PostCopyDeleteRefused(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s was not deleted: it runs in the '
                'middle of live migration %(migration_id)s (status '
                '"%(status)s"), and the nova-compute that has to stop it is '
                'down. Repeat the request when that service is up. If its '
                'host is dead, an administrator first gives the migration up '
                'with "nova-post-copy-manage migration give-up".')
    code = 409


class PostCopyEvacuateRefused(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s was not evacuated, because two '
                'copies of it could run: its live migration %(migration_id)s '
                'from %(host)s to %(dest)s (status "%(status)s") continues '
                'without nova-compute, and the server %(where)s. Start '
                'nova-compute on %(host)s, which finishes the migration. If a '
                'host is dead for good, make sure that it is off, and give '
                'the migration up: "nova-post-copy-manage migration '
                'give-up".')
    code = 409


class PostCopyCinderRefused(exception.NovaException):
    msg_fmt = _('Cinder refused nova-compute: %(reason)s. The token of the '
                'request is not kept; nova-compute needs credentials of its '
                'own in [cinder] of nova.conf (auth_type, auth_url, username, '
                'password, ...). Until then the volumes of the server stay '
                'attached to the host that the server is not on.')


class PostCopyHostNotNamed(exception.NovaException):
    msg_fmt = _('Cinder does not say which attachment of volume %(volume_id)s '
                'is that of %(host)s')
