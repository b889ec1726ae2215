# SPDX-License-Identifier: Apache-2.0

"""Say why a server was not moved, in words, and leave it as it was.

Upstream's conductor sets a server to ERROR for each exception that it does not
expect of a check, although the server runs as before: a neutron that is just
restarted is enough. And the fault is the name of a Python class.
"""

from collections.abc import Iterable
import re
import traceback

from keystoneauth1 import exceptions as ks_exc
from oslo_db import exception as db_exception
import oslo_messaging as messaging

from nova import exception
from nova.i18n import _

_COMPUTE = _('nova-compute')

# Who did not do what was asked, by upstream's module that asked.
_ASKED = {
    'nova/network/neutron.py': _('neutron (or keystone, which it needs)'),
    'nova/scheduler/client/report.py': _(
        'placement (or keystone, which it needs)'),
    'nova/scheduler/client/query.py': _('nova-scheduler'),
    'nova/volume/cinder.py': _('cinder (or keystone, which it needs)'),
    'nova/image/glance.py': _('glance (or keystone, which it needs)'),
    'nova/compute/rpcapi.py': _COMPUTE,
}


class NotMigrated(exception.MigrationPreCheckError):
    """A check has failed, and the server runs where and as it did.

    Its message is for tenants, as that of the instance fault. What it is as a
    string, in the details of the fault, names the hosts, for administrators.
    """

    msg_fmt = '%(reason)s'

    def format_message(self) -> str:
        return self.kwargs['public']


def not_migrated(error: Exception, source: str,
                 others: Iterable[str | None]) -> NotMigrated:
    """Return what to raise for the error of a check.

    :param source: the host of the server
    :param others: further hosts that the error may name
    """
    reason = in_words(error)
    return NotMigrated(reason=reason, public=_without(
        _without(reason, source, _('its host')), others, _('a host')))


def _without(text: str, hosts: str | Iterable[str | None],
             instead: str) -> str:
    for host in [hosts] if isinstance(hosts, str) else hosts:
        if host:
            text = re.sub(r'(?<![\w.-])%s(?![\w-])' % re.escape(host),
                          instead, text)
    return text


def in_words(error: Exception) -> str:
    """Return a sentence about an error, without names of classes."""
    if isinstance(error, exception.NovaException):
        # Not its "reason": on the way from another host that may have become
        # the text of a dict.
        return error.format_message().removeprefix(
            exception.MigrationPreCheckError.msg_fmt % {'reason': ''})
    if isinstance(error, messaging.MessagingTimeout):
        return _('%s did not answer in time') % (
            _who_was_asked(error) or _('a service of Nova'))
    if isinstance(error, messaging.RemoteError):
        return _('a check on another host failed: %s') % _first_line(
            error.value)
    who = _who_was_asked(error)
    if isinstance(error, OSError) and who in (None, _COMPUTE):
        # On the way from another host it has lost all but its text.
        return _('a check on another host failed: %s') % (
            error.strerror or
            re.sub(r'^\[Errno \d+\] ', '', _first_line(str(error))))
    if who == _COMPUTE:
        return _('a check on another host failed, for a reason that its '
                 'nova-compute has logged')
    if who is None and isinstance(error, ks_exc.ClientException):
        who = _('keystone, or a service that Nova asks,')
    if isinstance(error, db_exception.DBError):
        who = _('the database')
    if who is not None:
        return _('%s did not answer, or refused what Nova asked') % who
    return _('an unexpected error, which nova-conductor has logged')


def _who_was_asked(error: Exception) -> str | None:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = frame.filename.replace('\\', '/')
        for part, who in _ASKED.items():
            if part in path:
                return who
    return None


def _first_line(text: str | None) -> str:
    return (text or _('it did not say why')).strip().partition('\n')[0]
