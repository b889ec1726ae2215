# SPDX-License-Identifier: Apache-2.0

"""The compute API microversion that knows ``post_copy``.

It is upstream's newest plus one, so a later Nova gives the same number to
another meaning: a client that finds this version in the version document asks
for it only against the Nova release that it was made for, and is told by the
``post_copy`` key of ``GET /os-migrations`` that it was understood.
"""

from collections.abc import Callable
import functools
import typing

from nova.api.openstack import api_version_request
from nova.api.openstack import wsgi
from nova.api import validation

# Read once, on the first import: joining raises upstream's maximum to ours.
_UPSTREAM = api_version_request.max_api_version()
VERSION = '%d.%d' % (_UPSTREAM.ver_major, _UPSTREAM.ver_minor + 1)


def is_supported(req: wsgi.Request, **_arguments: typing.Any) -> bool:
    """Whether the request was made in our microversion."""
    return api_version_request.is_supported(req, VERSION)


def newest(schemas: validation.Schemas) -> dict[str, typing.Any]:
    """The schema that upstream applies in its newest microversion."""
    schema, _min_version, _max_version = schemas._schemas[-1]
    return schema


def extends(upstream: Callable[..., typing.Any],
            concerns: Callable[..., bool] = is_supported,
            ) -> Callable[[Callable[..., typing.Any]],
                          Callable[..., typing.Any]]:
    """Answer requests that concern us; ``upstream`` answers the others.

    :param concerns: tells by the request and its arguments; without it, those
        in our microversion

    Upstream's newest schemas have no upper bound and its decorators refuse
    overlaps, so ours cannot be stacked on a decorated upstream method: the two
    stand side by side, each with its own decorators.
    """
    def decorator(
            method: Callable[..., typing.Any]) -> Callable[..., typing.Any]:
        @functools.wraps(method)
        def wrapped(self, req, *args, **kwargs):
            answer = method if concerns(req, **kwargs) else upstream
            return answer(self, req, *args, **kwargs)

        return wrapped
    return decorator
