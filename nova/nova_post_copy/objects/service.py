# SPDX-License-Identifier: Apache-2.0

"""What Nova knows of the nova-compute of a host."""

from nova import context as nova_context
from nova import exception
from nova import objects
from nova import servicegroup


def compute_is_up(context: nova_context.RequestContext, host: str) -> bool:
    """Tell whether Nova takes the nova-compute of a host for up.

    That of a host which somebody has removed is not.

    :param context: a tenant's may not read services: it is elevated
    """
    try:
        service = objects.Service.get_by_compute_host(context.elevated(), host)
    except exception.NotFound:
        return False
    return servicegroup.API().service_is_up(service)
