# SPDX-License-Identifier: Apache-2.0

"""Post-copy live migration in ``openstack`` and in openstacksdk.

``openstack`` loads one hook for each command that we extend, through cliff's
entry point groups ``openstack.cli.<command>``: :mod:`server` and
:mod:`server_migration`, each named as upstream's module of that resource.
Programs that use the SDK configure :func:`sdk.vendor_hook`. Both send their
requests through :class:`proxy.Proxy`, which knows nothing of commands.

cliff looks up hooks by the command as the user entered it. An abbreviated
command such as ``openstack server migr`` has no hooks: no columns are added,
and ``--post-copy`` is refused as an unrecognized argument before anything is
sent.
"""
