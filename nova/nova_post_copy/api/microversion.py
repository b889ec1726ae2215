# SPDX-License-Identifier: Apache-2.0

"""Compute API microversion that adds ``post_copy``.

The number is upstream's newest plus one, so a later Nova release gives the
same number another meaning. A client therefore requests this microversion only
from the Nova release that it was made for, and recognizes nova-post-copy by
the ``post_copy`` key of ``GET /os-migrations``.
"""

from collections.abc import Callable
import functools
import typing

from nova.api.openstack import api_version_request
from nova.api.openstack import wsgi
from nova.api import validation

# Read on the first import, before activation raises upstream's maximum.
_UPSTREAM = api_version_request.max_api_version()
VERSION = '%d.%d' % (_UPSTREAM.ver_major, _UPSTREAM.ver_minor + 1)


def is_supported(req: wsgi.Request, **_arguments: typing.Any) -> bool:
    """Tell whether the request uses our microversion."""
    return api_version_request.is_supported(req, VERSION)


def newest(schemas: validation.Schemas) -> dict[str, typing.Any]:
    """Return the schema that upstream applies in its newest microversion."""
    schema, _min_version, _max_version = schemas._schemas[-1]
    return schema


def extends(upstream: Callable[..., typing.Any],
            concerns: Callable[..., bool] = is_supported,
            ) -> Callable[[Callable[..., typing.Any]],
                          Callable[..., typing.Any]]:
    """Handle the requests that concern us; ``upstream`` handles the others.

    :param concerns: tells whether a request with its arguments concerns us;
        by default those in our microversion do

    Upstream's newest schemas have no upper bound and its decorators reject
    overlaps, so ours cannot be stacked on a decorated upstream method: the two
    methods stand side by side, each with its own decorators.
    """
    def decorator(
            method: Callable[..., typing.Any]) -> Callable[..., typing.Any]:
        @functools.wraps(method)
        def wrapped(self, req, *args, **kwargs):
            answer = method if concerns(req, **kwargs) else upstream
            return answer(self, req, *args, **kwargs)

        return wrapped
    return decorator
