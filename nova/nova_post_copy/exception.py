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

"""Errors that reach a person, each with what to do."""

from nova import exception
from nova.i18n import _


# These two become an instance fault and an event of an instance action, which
# end after 255 characters: where the server is and what to do come first.


class PostCopyRolledBack(exception.NovaException):
    msg_fmt = _('The server runs on %(host)s as before: the live migration to '
                '%(dest)s failed before its switch to post-copy and can be '
                'repeated. Reason: %(reason)s')


class PostCopyInterrupted(exception.NovaException):
    msg_fmt = _('Live migration interrupted in post-copy. The server runs on '
                '%(dest)s, part of its memory is on %(host)s: do not start, '
                'reboot or evacuate it. Resume it on %(host)s: virsh migrate '
                '--live --p2p --undefinesource --persistent --postcopy '
                '--postcopy-resume. Reason: %(reason)s')


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
