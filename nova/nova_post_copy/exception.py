# SPDX-License-Identifier: Apache-2.0

"""Errors that users and operators see, each with what to do."""

from nova import exception
from nova.i18n import _


# The first five become an instance fault and the event of an instance action,
# which Nova cuts after 255 characters: where the server is and what to do come
# first.


class PostCopyRolledBack(exception.NovaException):
    msg_fmt = _('The server still runs on %(host)s: the live migration to '
                '%(dest)s failed before its switch to post-copy and can be '
                'retried. Reason: %(reason)s')


class PostCopyInterrupted(exception.NovaException):
    msg_fmt = _('The server runs on %(dest)s, but part of its memory is still '
                'on %(host)s: the network between them failed in post-copy. '
                'Do not start, reboot or evacuate the server: post-copy '
                'resumes when the network is back. Reason: %(reason)s')


class PostCopyUnreachable(exception.NovaException):
    msg_fmt = _('Post-copy is interrupted: %(dest)s, where the server should '
                'run, does not answer. If %(dest)s comes back, post-copy '
                'resumes. If not, the memory of the server is lost: "nova '
                'reset-state", then start the server from its disk.')


class PostCopySourceSilent(exception.NovaException):
    msg_fmt = _('The server runs on %(dest)s, part of its memory is on '
                '%(host)s, whose nova-compute is down. Start nova-compute: '
                'post-copy resumes. If the host is dead, that memory is lost: '
                '"nova reset-state", then "reboot --hard".')


class PostCopyLost(exception.NovaException):
    msg_fmt = _('The server is on %(dest)s, but part of its memory is lost: '
                '%(reason)s. Nothing was deleted on %(host)s. "openstack '
                'server reboot --hard" starts the server from its disk on '
                '%(dest)s.')


class PostCopyElsewhere(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s was not touched: it has left this '
                'host by post-copy, and what is left here (%(found)s) is not '
                'the server. Wait for the live migration to finish; '
                '"openstack server migration list" shows its progress.')


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
