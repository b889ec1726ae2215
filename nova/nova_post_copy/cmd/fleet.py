# SPDX-License-Identifier: Apache-2.0

"""State of the cloud, for :mod:`nova_post_copy.cmd.status`."""

from typing import NamedTuple

import oslo_messaging as messaging
import sqlalchemy as sa

import nova.conf
from nova import context as nova_context
from nova.i18n import _
from nova import objects
from nova import rpc
from nova.scheduler.client import report
from nova import servicegroup

from nova_post_copy.compute import rpcapi as compute_rpcapi
from nova_post_copy.conductor import rpcapi as conductor_rpcapi
from nova_post_copy.db import schema
from nova_post_copy import traits

CONF = nova.conf.CONF

# The microversion of placement that finds resource providers by traits.
_PLACEMENT = '1.18'


class Cell(NamedTuple):
    #: targeted at the cell
    context: nova_context.RequestContext
    #: tables without our column; None: Nova's tables are missing
    missing: list[str] | None
    conductors: list[objects.Service]
    computes: list[objects.Service]
    nodes: list[objects.ComputeNode]


class Compute(NamedTuple):
    host: str
    #: why no server can enter it by post-copy; empty: it can be entered
    refusals: list[str]
    #: uuids of its resource providers
    providers: set[str]
    #: why recovery may take longer there, in sentences
    recovery_limits: list[str]


def cells() -> dict[str, Cell | None]:
    """Query each mapped cell.

    :returns: the cells by identity; None for one whose database did not
        answer within Nova's time limit for cells (60 s)
    """
    context = nova_context.get_admin_context()
    mappings = objects.CellMappingList.get_all(context)
    answers = nova_context.scatter_gather_cells(
        context, mappings, nova_context.CELL_TIMEOUT, _look)
    return {
        mapping.identity: (
            None if nova_context.is_cell_failure_sentinel(answer) else answer)
        for mapping in mappings for answer in [answers[mapping.uuid]]}


def _look(context: nova_context.RequestContext) -> Cell:
    try:
        missing = schema.missing(context)
    except sa.exc.NoSuchTableError:
        return Cell(context, None, [], [], [])
    services = objects.ServiceList
    return Cell(
        context, missing,
        services.get_by_binary(
            context, 'nova-conductor', include_disabled=True).objects,
        services.get_by_binary(
            context, 'nova-compute', include_disabled=True).objects,
        objects.ComputeNodeList.get_all(context).objects)


def conductors_without(cell: Cell) -> list[str]:
    """Return the hosts whose nova-conductor is up without nova-post-copy."""
    is_up = servicegroup.API().service_is_up
    client = rpc.ClientRouter(
        conductor_rpcapi.PostCopyConductorAPI().client).client(cell.context)
    return [service.host for service in cell.conductors
            if is_up(service) and not _answers(client, cell, service.host)]


def _answers(client: messaging.RPCClient, cell: Cell, host: str) -> bool:
    # Like PostCopyConductorAPI.ping(), but for one host.
    cctxt = client.prepare(
        server=host, timeout=CONF.post_copy.conductor_timeout,
        transport_options=messaging.TransportOptions(at_least_once=True))
    try:
        cctxt.call(cell.context, 'ping')
    except (messaging.MessageUndeliverable, messaging.MessagingTimeout):
        return False
    return True


def computes(cell: Cell) -> list[Compute]:
    """Ask each nova-compute of a cell whether it can be a destination."""
    is_up = servicegroup.API().service_is_up
    api = compute_rpcapi.PostCopyComputeAPI()
    return [
        Compute(
            service.host,
            api.destination_refusals(cell.context, service.host)
            if is_up(service) else [_('its nova-compute is down')],
            {node.uuid for node in cell.nodes if node.host == service.host},
            api.recovery_limits(cell.context, service.host)
            if is_up(service) else [])
        for service in cell.computes]


def providers_with_trait() -> set[str]:
    """Ask placement for the uuids of the resource providers with our trait.

    :raises keystoneauth1.exceptions.ClientException: placement cannot be
        reached
    :raises requests.HTTPError: placement answers with an error
    """
    response = report.report_client_singleton().get(
        '/resource_providers?required=' + traits.POST_COPY,
        version=_PLACEMENT)
    if response.status_code == 400:
        # Placement does not know the trait: no host has ever reported it.
        return set()
    response.raise_for_status()
    return {provider['uuid']
            for provider in response.json()['resource_providers']}
