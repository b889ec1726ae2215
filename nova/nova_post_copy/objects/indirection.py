# SPDX-License-Identifier: Apache-2.0

"""Support conductors without nova-post-copy in nova-compute.

nova-compute has no database: a class method such as
``Migration.get_by_instance_and_status`` runs in a conductor, which is asked
for our version of the object. A conductor without nova-post-copy does not know
that version and is asked again for upstream's. One such call activates the
port bindings at the switch-over.
"""

from collections.abc import Callable
import functools
import typing

import oslo_messaging as messaging

from nova.objects import migration as upstream

from nova_post_copy.objects import migration


def ask_again(
        ask: Callable[..., typing.Any]) -> Callable[..., typing.Any]:
    """Extend ``ConductorAPI.object_class_action_versions``.

    The method is wrapped rather than the class replaced, because upstream's
    ``super()`` looks up the class by name.
    """
    @functools.wraps(ask)
    def object_class_action_versions(
            api, context, objname, objmethod, object_versions, args, kwargs):
        try:
            return ask(api, context, objname, objmethod, object_versions,
                       args, kwargs)
        except messaging.RemoteError as exc:
            if (exc.exc_type != 'IncompatibleObjectVersion' or
                    object_versions.get('Migration') !=
                    migration.Migration.VERSION):
                raise
        return ask(
            api, context, objname, objmethod,
            {**object_versions, 'Migration': upstream.Migration.VERSION},
            args, kwargs)

    return object_class_action_versions
