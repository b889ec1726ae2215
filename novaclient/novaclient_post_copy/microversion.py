# SPDX-License-Identifier: Apache-2.0

"""The compute API microversion that knows ``post_copy``.

A manager sends its requests with the microversion of its client. For the
requests that need our microversion the manager is copied, with a copy of the
client; all other requests are sent as before.
"""

import copy

from novaclient import api_versions
from novaclient import base
from novaclient import exceptions

from client_post_copy import microversion

# Nothing else has changed in responses about migrations since API_MAX_VERSION
# of novaclient 18, so upstream's code can read them.
API_VERSION = api_versions.APIVersion(microversion.API_VERSION)


def offered(api) -> bool:
    """Tell whether the cloud offers our microversion.

    Reads the version document of the cloud.

    :param api: novaclient.v2.client.Client
    """
    return _contains_ours(_range_of(api))


def require(manager: base.Manager,
            purpose: str = microversion.CHOOSING) -> base.Manager:
    """Return a copy of the manager that sends our microversion.

    Reads the version document of the cloud, unless the manager already is such
    a copy.

    :param purpose: what the microversion is needed for, for the error
    :raises novaclient.exceptions.UnsupportedVersion: when the cloud does not
        offer the microversion
    """
    if manager.api_version == API_VERSION:
        return manager
    cloud_range = _range_of(manager.api)
    if not _contains_ours(cloud_range):
        raise exceptions.UnsupportedVersion(
            microversion.not_offered(cloud_range, purpose))
    return with_ours(manager)


def with_ours(manager: base.Manager) -> base.Manager:
    """Return a copy of the manager that sends our microversion, unchecked.

    Both share the session, the token and the timings.
    """
    api = copy.copy(manager.api)
    # Not a new client: the constructor refuses microversions above
    # API_MAX_VERSION.
    api.client = copy.copy(api.client)
    api.client.api_version = API_VERSION
    manager = copy.copy(manager)
    manager.api = api
    return manager


def _range_of(api) -> tuple[str, str] | None:
    version = api.versions.get_current()
    # None where a proxy hides the document, empty on the legacy v2.0 endpoint.
    if not getattr(version, 'version', None):
        return None
    return version.min_version, version.version


def _contains_ours(cloud_range: tuple[str, str] | None) -> bool:
    return cloud_range is not None and API_VERSION.matches(
        *map(api_versions.APIVersion, cloud_range))
