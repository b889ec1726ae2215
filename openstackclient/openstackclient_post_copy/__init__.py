# SPDX-License-Identifier: Apache-2.0

"""Post-copy live migration in ``openstack`` and in openstacksdk.

``openstack`` loads one hook for each command that we extend, through cliff's
entry point groups ``openstack.cli.<command>``: :mod:`server` and
:mod:`server_migration`, each named as upstream's module of that resource.
Programs that use the SDK name :func:`sdk.vendor_hook`. Both end in the same
:class:`proxy.Proxy`, which sends the request; it knows nothing of commands.

cliff looks for hooks by the command as it was entered. ``openstack server
migr`` finds none: it shows no column and refuses ``--post-copy`` as an
argument that it does not know, before anything is sent.
"""
