# SPDX-License-Identifier: Apache-2.0

"""``nova-post-copy-status upgrade check``: report what is missing, and where.

Run it where ``nova-status`` is run, with the same ``nova.conf``, before and
after a change. Failure: a service refuses to start, or no request that has
``post_copy`` can succeed. Warning: post-copy works, but not everywhere or not
as intended. On a compute host, which has no database access, only that host is
checked.
"""

from nova import monkey_patch; monkey_patch.patch(backend='threading')  # noqa
# The modules imported below use classes of nova.objects in their signatures,
# which exist only after they have been registered.
from nova import objects; objects.register_all()  # noqa

from collections.abc import Callable
import textwrap
import traceback

from keystoneauth1 import exceptions as ks_exc
from oslo_upgradecheck import upgradecheck
import requests

from nova.cmd import common as cmd_common
import nova.conf
from nova import context as nova_context
from nova.i18n import _

from nova_post_copy.cmd import common
from nova_post_copy.cmd import fleet
from nova_post_copy.conductor import rpcapi as conductor_rpcapi
from nova_post_copy import conf as post_copy_conf
from nova_post_copy import exception
from nova_post_copy import traits

CONF = nova.conf.CONF

# What a check is called, and the check.
_Checks = tuple[tuple[str, Callable[..., upgradecheck.Result]], ...]


class UpgradeCommands(upgradecheck.UpgradeCommands):
    description = _('Check that everything that post-copy needs is there.')

    @cmd_common.action_description(_(
        'Check databases, conductors, computes and placement, and report what '
        'prevents servers from being live migrated by post-copy. Changes '
        'nothing. Exit status: 0 when all is well, 1 for a warning, 2 for a '
        'failure, 255 for an error of the command itself.'))
    def check(self) -> upgradecheck.Code:
        if CONF.api_database.connection is None:
            self._upgrade_checks = self._HOST + self._HOST_ONLY
        else:
            self._cells = fleet.cells()
            self._answering = [
                cell for cell in self._cells.values() if cell is not None]
            self._computes = [
                compute for cell in self._answering
                for compute in fleet.computes(cell)]
            self._upgrade_checks = self._HOST + self._CLOUD
        return super().check()

    def _get_details(self, result: upgradecheck.Result) -> str | None:
        # One line per sentence, and commands that can be copied.
        if result.details is None:
            return None
        return '\n'.join(
            line for detail in result.details.splitlines()
            for line in textwrap.wrap(
                detail, 60, subsequent_indent='  ', break_on_hyphens=False))

    def _check_configuration(self) -> upgradecheck.Result:
        if 'nova_post_copy' in CONF.config_source:
            return _success()
        return _warning(_(
            'The nova.conf that this command reads does not load '
            'nova-post-copy: services that read the same file run without '
            'nova-post-copy. Add "config_source = nova_post_copy" to '
            '[DEFAULT], and "driver = nova_post_copy" to [nova_post_copy].'))

    def _check_host_wide(self) -> upgradecheck.Result:
        if not CONF.libvirt.live_migration_permit_post_copy:
            return _success(_('Only nova.conf of this host was inspected.'))
        return _warning(_(
            'nova.conf of this host has [libvirt] '
            'live_migration_permit_post_copy = true. A nova-compute with this '
            'option prepares every live migration for post-copy, requested or '
            'not, and never uses auto-converge. nova-post-copy does not need '
            'the option. Other hosts were not inspected.'))

    def _check_cinder(self) -> upgradecheck.Result:
        if CONF.cinder.auth_type is not None:
            return _success(_('Only nova.conf of this host was inspected.'))
        return _warning(_(
            'nova.conf of this host has no credentials in [cinder] '
            '(auth_type, auth_url, username, password, ...). A nova-compute '
            'without them cannot correct the volume attachments of a server '
            'after it was restarted, or after the token of the request has '
            'expired: the volumes stay attached to both hosts of a live '
            'migration. Other hosts were not inspected.'))

    def _check_host_only(self) -> upgradecheck.Result:
        return _warning(_(
            'nova.conf of this host has no [api_database] connection, so '
            'databases, conductors, computes and placement were not '
            'checked. Run this command where "nova-status" is run.'))

    def _check_databases(self) -> upgradecheck.Result:
        wrong = []
        for name, cell in self._cells.items():
            if cell is None:
                wrong.append(_('%s: the database does not answer.') % name)
            elif cell.missing is None:
                wrong.append(_(
                    '%s: Nova\'s tables are missing. Run "nova-manage db '
                    'sync" first.') % name)
            elif cell.missing:
                wrong.append(_(
                    '%(cell)s: no column post_copy in %(tables)s. Run '
                    '"nova-post-copy-manage db sync"; nova-api and '
                    'nova-conductor refuse to start without the column.') % {
                        'cell': name, 'tables': ', '.join(cell.missing)})
        return _failure(*wrong) if wrong else _success()

    def _check_conductors(self) -> upgradecheck.Result:
        try:
            conductor_rpcapi.PostCopyConductorAPI().ping(
                nova_context.get_admin_context())
        except exception.PostCopyConductorUnavailable:
            return _failure(_(
                'No nova-conductor with nova-post-copy loaded answers. Every '
                'request that contains post_copy is refused with 503. Load '
                'nova-post-copy in every nova-conductor.'))
        without = [host for cell in self._answering
                   for host in fleet.conductors_without(cell)]
        if not without:
            return _success()
        return _warning(_(
            'nova-post-copy is not loaded in nova-conductor on %s. Requests '
            'are not sent there, but computes that query these conductors '
            'do not learn whether a migration was requested with post_copy. '
            'Load nova-post-copy there too.') % ', '.join(without))

    def _check_computes(self) -> upgradecheck.Result:
        cannot = [
            _('%(host)s: %(why)s.') % {
                'host': compute.host, 'why': '; '.join(compute.refusals)}
            for compute in self._computes if compute.refusals]
        if len(cannot) < len(self._computes):
            return _warning(_(
                'No server can enter these hosts by post-copy.'),
                *cannot) if cannot else _success()
        return _failure(_(
            'No server can be moved by post-copy: no host can be the '
            'destination.'), *cannot)

    def _check_recovery(self) -> upgradecheck.Result:
        limits = [
            _('%(host)s: %(limit)s') % {'host': compute.host, 'limit': limit}
            for compute in self._computes
            for limit in compute.recovery_limits]
        if not limits:
            return _success()
        return _warning(_(
            'When the network between hosts breaks in post-copy, recovery '
            'takes longer than it has to.'), *limits)

    def _check_trait(self) -> upgradecheck.Result:
        try:
            reported = fleet.providers_with_trait()
        except (ks_exc.ClientException, requests.HTTPError) as exc:
            return _warning(_(
                'Placement could not be asked which hosts report %(trait)s: '
                '%(error)s') % {'trait': traits.POST_COPY, 'error': exc})
        not_found = [
            compute.host for compute in self._computes
            if not compute.refusals and not compute.providers & reported]
        in_vain = [
            compute.host for compute in self._computes
            if compute.refusals and compute.providers & reported]
        wrong = []
        if not_found:
            wrong.append(_(
                '%(hosts)s: can be a destination, but is not found by the '
                'scheduler, because %(trait)s is missing in placement. '
                'nova-compute reports the trait within about a minute; if '
                'not, its log says why.') % {'hosts': ', '.join(not_found),
                                             'trait': traits.POST_COPY})
        if in_vain:
            wrong.append(_(
                '%(hosts)s: cannot be a destination, but is still chosen by '
                'the scheduler, because %(trait)s is in placement. The next '
                'host is tried then. nova-compute removes the trait within '
                'about a minute; where nova-post-copy was uninstalled, remove '
                'the trait with "openstack resource provider trait".') % {
                    'hosts': ', '.join(in_vain),
                    'trait': traits.POST_COPY})
        return _warning(*wrong) if wrong else _success()

    # In the order in which an operator fixes things.
    _HOST: _Checks = (
        (_('Configuration'), _check_configuration),
        (_('Host-wide post-copy'), _check_host_wide),
        (_('Credentials for Cinder'), _check_cinder),
    )
    _HOST_ONLY: _Checks = (
        (_('Cloud'), _check_host_only),
    )
    _CLOUD: _Checks = (
        (_('Cell databases'), _check_databases),
        (_('Conductors'), _check_conductors),
        (_('Computes'), _check_computes),
        (_('Trait in placement'), _check_trait),
        (_('Recovery'), _check_recovery),
    )


def _success(details: str | None = None) -> upgradecheck.Result:
    return upgradecheck.Result(upgradecheck.Code.SUCCESS, details)


def _warning(*details: str) -> upgradecheck.Result:
    return upgradecheck.Result(
        upgradecheck.Code.WARNING, '\n'.join(details))


def _failure(*details: str) -> upgradecheck.Result:
    return upgradecheck.Result(
        upgradecheck.Code.FAILURE, '\n'.join(details))


CATEGORIES = {'upgrade': UpgradeCommands}


def main() -> int | None:
    try:
        run = common.read_command_line(CATEGORIES)
        # nova.conf may not load nova-post-copy.
        post_copy_conf.register_opts(CONF)
        return run()
    except Exception:
        print(_('Error:\n%s') % traceback.format_exc())
        # Not an exit code of an upgrade check.
        return 255
