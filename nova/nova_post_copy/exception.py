# SPDX-License-Identifier: Apache-2.0

"""Errors that reach a person, each with what to do."""

from nova import exception
from nova.i18n import _


# These become an instance fault and an event of an instance action, which
# end after 255 characters: where the server is and what to do come first.


class PostCopyRolledBack(exception.NovaException):
    msg_fmt = _('The server runs on %(host)s as before: the live migration to '
                '%(dest)s failed before its switch to post-copy and can be '
                'repeated. Reason: %(reason)s')


class PostCopyInterrupted(exception.NovaException):
    msg_fmt = _('The server runs on %(dest)s, part of its memory is still on '
                '%(host)s: the network between them broke in post-copy. It is '
                'resumed as soon as it is back. Do not start, reboot or '
                'evacuate the server. Reason: %(reason)s')


class PostCopyUnreachable(exception.NovaException):
    msg_fmt = _('Interrupted in post-copy: %(dest)s, where the server should '
                'run, does not answer. If %(dest)s comes back, the migration '
                'goes on. If it is lost, so is the memory of the server: run '
                '"nova reset-state", then start it from its disk.')


class PostCopySourceSilent(exception.NovaException):
    msg_fmt = _('Interrupted in post-copy: it runs on %(dest)s, part of its '
                'memory is on %(host)s, whose nova-compute is down. Start '
                'that, and it recovers. If the host is lost, so is that '
                'memory: "nova reset-state", then "reboot --hard".')


class PostCopyLost(exception.NovaException):
    msg_fmt = _('The server is on %(dest)s without a part of its memory, '
                'which will not arrive: %(reason)s. Nothing was deleted on '
                '%(host)s. "openstack server reboot --hard" starts it from '
                'its disk on %(dest)s.')


class PostCopyElsewhere(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s was not touched: a post-copy live '
                'migration has taken it away from this host and is not '
                'settled, what is left here (%(found)s) is not the server. '
                'It is settled by itself; "openstack server migration list" '
                'shows how far it is.')


class PostCopyLiveCopy(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s was not cleaned up: the source of '
                'its live migration takes it for failed, but the server is '
                'live on this host (%(found)s). Find out on both hosts with '
                '"virsh list --all" before you remove a copy.')


class PostCopySchemaMissing(exception.NovaException):
    msg_fmt = _('The database %(database)s has no column post_copy in '
                '%(tables)s. The service does not start, because live '
                'migrations would get stuck. Run "nova-post-copy-manage db '
                'sync" where you run "nova-manage db sync", then start the '
                'service again.')


class PostCopyConductorUnavailable(exception.ServiceUnavailable):
    msg_fmt = _('No nova-conductor with nova-post-copy loaded answered within '
                '%(timeout)d s. Nothing was changed. Load nova-post-copy in '
                'nova-conductor, or leave out post_copy.')


class PostCopyHostRefused(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s cannot %(what)s: %(reasons)s. '
                'Nothing was changed. Leave out post_copy to move it as this '
                'cloud moves every server.')
    code = 409


class PostCopyEvacuateRefused(exception.NovaException):
    msg_fmt = _('Server %(instance_uuid)s is not evacuated, because it could '
                'run twice: its live migration from %(host)s to %(dest)s '
                '(status "%(status)s") does not need nova-compute to go on, '
                'and the server %(where)s. Start nova-compute on %(host)s, '
                'which brings the migration to an end. Only if %(host)s is '
                'lost for good: make sure that the server runs neither there '
                'nor on %(dest)s ("virsh destroy"), then "nova reset-state" '
                'it and evacuate it again.')
    code = 409
