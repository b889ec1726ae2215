# SPDX-License-Identifier: Apache-2.0

"""The compute API microversion that knows ``post_copy``.

The SDK sends each request with the microversion that its resource needs, so
only the few resources with ``post_copy`` need ours. If the user has selected a
microversion, all requests keep that one.
"""

from keystoneauth1 import adapter
from keystoneauth1 import discover
from openstack import exceptions
from openstack import utils

from client_post_copy import microversion

# Nothing else has changed in responses about migrations since 2.80, which the
# SDK 4.22 asks for, so upstream's resources can read them.
API_VERSION = microversion.API_VERSION


def is_supported(compute: adapter.Adapter) -> bool:
    """Tell whether requests can be sent with our microversion.

    False if the cloud does not offer it, or the user has selected an older
    one. Reads the version document of the cloud, once for each session.
    """
    return utils.supports_microversion(compute, API_VERSION)


def require(compute: adapter.Adapter) -> None:
    """Make sure that a request with ``post_copy`` can be sent.

    :raises openstack.exceptions.NotSupported: if the cloud does not offer our
        microversion, or the user has selected an older one
    """
    if is_supported(compute):
        return
    selected = compute.default_microversion
    if selected and not _reaches(selected):
        raise exceptions.NotSupported(microversion.not_selected(
            selected, '--os-compute-api-version and OS_COMPUTE_API_VERSION, '
            'or compute_default_microversion in clouds.yaml'))
    raise exceptions.NotSupported(
        microversion.not_offered(_range_of(compute)))


def _reaches(version: str) -> bool:
    return discover.version_match(
        discover.normalize_version_number(API_VERSION),
        discover.normalize_version_number(version))


def _range_of(compute: adapter.Adapter) -> tuple[str, str] | None:
    data = compute.get_endpoint_data()
    # None where a proxy hides the document, or on the legacy v2.0 endpoint.
    if (data is None or data.min_microversion is None
            or data.max_microversion is None):
        return None
    return (discover.version_to_string(data.min_microversion),
            discover.version_to_string(data.max_microversion))
