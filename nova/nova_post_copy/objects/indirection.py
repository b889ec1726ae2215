# SPDX-License-Identifier: Apache-2.0

"""Objects in nova-compute when the conductor is not extended.

nova-compute has no database: a class method such as
``Migration.get_by_instance_and_status`` runs in a conductor, which is asked
for the version of the object that we have. An un-extended conductor does not
know ours. It is asked again for upstream's: among such calls is the one that
activates a server's ports at the switch-over.
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

    The method and not its class: upstream's ``super()`` looks the class up by
    its name.
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
