# SPDX-License-Identifier: Apache-2.0

"""Post-copy live migration in ``nova`` and in python-novaclient.

One module for each resource, which novaclient finds through the entry point
group ``novaclient.extension``. The ``nova`` command loads these modules by
itself; a Python program passes them to the client::

    from novaclient import client

    nova = client.Client(
        '2.96', session=session,
        extensions=client.discover_extensions('2.96'))
    nova.servers.live_migrate(server, None, 'auto', post_copy=True)

Our microversion lies above ``novaclient.API_MAX_VERSION``. That maximum stays
as it is: raising it would send every other command with a microversion that
the command does not know. Only the requests about ``post_copy`` are sent with
ours, see :mod:`novaclient_post_copy.microversion`.
"""
