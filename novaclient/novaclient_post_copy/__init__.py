# SPDX-License-Identifier: Apache-2.0

"""Post-copy live migration in ``nova`` and in python-novaclient.

One module for each resource, found by novaclient through its entry point
group ``novaclient.extension``. ``nova`` loads the modules by itself; from
Python they are handed over::

    from novaclient import client

    nova = client.Client(
        '2.96', session=session,
        extensions=client.discover_extensions('2.96'))
    nova.servers.live_migrate(server, None, 'auto', post_copy=True)

Our microversion lies above ``novaclient.API_MAX_VERSION``, and that stays:
raising it would move every other command to a version that it does not know.
Only the requests that are about ``post_copy`` are sent with it, see
:mod:`novaclient_post_copy.microversion`.
"""
