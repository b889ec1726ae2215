# SPDX-License-Identifier: Apache-2.0

"""Live migration task for a request that contains ``post_copy``.

Upstream's task, which also asks whether source, guest and destination can do
post-copy. The placement trait narrows the scheduler's choice; the hosts are
asked as well, because a trait outlives the package that reported it.
"""

import typing

from oslo_log import log as logging

from nova.compute import rpcapi as compute_rpcapi
from nova.compute import vm_states
from nova.conductor.tasks import live_migrate
from nova import exception
from nova.i18n import _

from nova_post_copy.compute import rpcapi
from nova_post_copy.conductor import failure
from nova_post_copy.conductor import sign_of_life
from nova_post_copy import exception as post_copy_exception
from nova_post_copy.objects import migration as migration_obj
from nova_post_copy import traits

LOG = logging.getLogger(__name__)


class _SourceAPI:
    """Upstream's client of nova-compute, whose last cast does not fail."""

    def __init__(self, api: compute_rpcapi.ComputeAPI) -> None:
        self._api = api

    def __getattr__(self, name: str) -> typing.Any:
        return getattr(self._api, name)

    def live_migration(self, context, **kwargs) -> None:
        """Send the request to the source.

        From here on nobody but the source knows what becomes of the server.
        If it has not received the request, the source gives that up by itself
        after some minutes.
        """
        try:
            self._api.live_migration(context, **kwargs)
        except Exception as exc:
            LOG.error('The source may not have received the request for a '
                      'live migration; it gives the request up then: %s', exc,
                      instance=kwargs['instance'])


class LiveMigrationTask(live_migrate.LiveMigrationTask):

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self._compute_api = rpcapi.PostCopyComputeAPI()
        self._post_copy = bool(migration_obj.requested(self.migration))
        # A paused guest dirties no memory: it moves by pre-copy between any
        # two hosts.
        self._paused = self.instance.vm_state == vm_states.PAUSED
        self._by_post_copy = self._post_copy and not self._paused
        # Reasons why the scheduler's choices were turned down, by host.
        self._turned_down: dict[str, str] = {}
        # Hosts to which the ports of the server may be bound.
        self._bound: list[str] = []
        self.compute_rpcapi: typing.Any = _SourceAPI(self.compute_rpcapi)

    def _execute(self):
        """Check everything, and hand the request to the source.

        :raises NotMigrated: the server is as it was
        """
        try:
            # Saved before anything is moved: the computes read post_copy.
            self.migration.save()
            with sign_of_life.shown(self.migration):
                self._check_no_other()
                if not self._paused:
                    self._check_source()
                if self._by_post_copy:
                    self._check_named_destination()
                return super()._execute()
        except Exception as exc:
            # Nothing comes here once the source was sent the request.
            LOG.warning('The server was not migrated: %s', exc,
                        instance=self.instance,
                        exc_info=not isinstance(exc, exception.NovaException))
            raise failure.not_migrated(
                exc, self.source, [self.destination, self._requested_host(),
                                   *self._turned_down]) from exc

    def rollback(self, ex):
        """Undo what was done for the migration, as far as that can be."""
        try:
            super().rollback(ex)
        except Exception as exc:
            # Upstream would set the server to ERROR, which runs as before.
            LOG.error('The allocations of the server could not be given back '
                      'to it. Run "nova-manage placement heal_allocations '
                      '--instance %(uuid)s" when placement answers: %(error)s',
                      {'uuid': self.instance.uuid, 'error': exc},
                      instance=self.instance)
        for host in self._bound:
            self._remove_bindings(host)

    def _remove_bindings(self, host: str) -> None:
        # neutron refuses a second binding of a host, and so the next attempt.
        try:
            self.network_api.setup_networks_on_host(
                self.context, self.instance, host=host, teardown=True)
        except Exception as exc:
            LOG.warning('The port bindings on %(host)s could not be removed: '
                        '%(error)s', {'host': host, 'error': exc},
                        instance=self.instance)

    def _check_no_other(self) -> None:
        """Refuse a server whose allocations another migration has moved.

        The API does so, but it may be another release, and the request may
        have waited for this conductor.
        """
        other = migration_obj.other_unfinished(
            self.context, self.instance.uuid, self.source,
            besides=self.migration.id)
        if other is not None:
            raise post_copy_exception.PostCopyOtherMigration(
                migration_id=other.id, status=other.status)

    def _check_source(self) -> None:
        self._check_host_is_up(self.source)
        refusals = self._compute_api.source_refusals(
            self.context, self.source, self.instance, self._post_copy)
        if refusals:
            reason = (
                _('%(source)s cannot send the server by post-copy: '
                  '%(refusals)s. The server stays there.')
                if self._post_copy else
                _('%(source)s cannot send the server with post-copy ruled '
                  'out: %(refusals)s. The server stays there.'))
            raise exception.MigrationPreCheckError(reason=reason % {
                'source': self.source, 'refusals': '; '.join(refusals)})

    def _check_named_destination(self) -> None:
        """Refuse a named destination with the reason.

        The scheduler would only report that there is no valid host.
        """
        named = self.destination or self._requested_host()
        if named is None:
            return
        self._check_host_is_up(named)
        refusals = self._compute_api.destination_refusals(
            self.context, named)
        if refusals:
            raise exception.MigrationPreCheckError(reason=_(
                '%(host)s cannot receive the server by post-copy: '
                '%(refusals)s. The server stays on %(source)s.') % {
                    'host': named, 'refusals': '; '.join(refusals),
                    'source': self.source})

    def _requested_host(self) -> str | None:
        spec = self.request_spec
        if ('requested_destination' in spec and spec.requested_destination and
                'host' in spec.requested_destination):
            return spec.requested_destination.host
        return None

    def _get_request_spec_for_select_destinations(self, attempted_hosts=None):
        spec = super()._get_request_spec_for_select_destinations(
            attempted_hosts)
        if self._by_post_copy:
            spec.root_required.add(traits.POST_COPY)
        return spec

    def _call_livem_checks_on_host(self, destination, provider_mapping):
        try:
            if self._by_post_copy:
                refusals = self._compute_api.destination_refusals(
                    self.context, destination)
                if refusals:
                    raise exception.MigrationPreCheckError(
                        reason='; '.join(refusals))
            super()._call_livem_checks_on_host(destination, provider_mapping)
        except Exception as exc:
            reason = self._turned_down[destination] = failure.in_words(exc)
            if not isinstance(exc, exception.NovaException):
                LOG.warning('%(host)s could not be checked: %(error)s',
                            {'host': destination, 'error': exc},
                            instance=self.instance, exc_info=True)
            # Upstream tries the next host after this one only.
            raise exception.MigrationPreCheckError(reason=reason) from exc
        self._bound.append(destination)

    def _find_destination(self):
        try:
            return super()._find_destination()
        except exception.NoValidHost:
            if not self._by_post_copy and not self._turned_down:
                raise
            raise exception.NoValidHost(reason=self._why_no_host())

    def _why_no_host(self) -> str:
        """Return why each host was turned down, which upstream only logs."""
        reasons = ['%s: %s.' % (host, reason.rstrip('.'))
                   for host, reason in self._turned_down.items()]
        no_other = (
            _('No other host reports %(trait)s and has room for the server. '
              'The server stays on %(source)s.') if self._by_post_copy else
            _('No other host has room for the server. The server stays on '
              '%(source)s.'))
        return ' '.join(reasons + [no_other % {
            'trait': traits.POST_COPY, 'source': self.source}])
