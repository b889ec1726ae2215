# SPDX-License-Identifier: Apache-2.0

"""The databases of all services: made once, then from a template.

The template is another one when a service, or the column that nova-post-copy
adds, would make another schema.
"""

from __future__ import annotations

from collections.abc import Callable
import concurrent.futures
import hashlib
import pathlib
import typing

from lab.cloud import process
from lab.cloud.services import cinder
from lab.cloud.services import common
from lab.cloud.services import database
from lab.cloud.services import glance
from lab.cloud.services import keystone
from lab.cloud.services import neutron
from lab.cloud.services import nova
from lab.cloud.services import placement
from lab import layout

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud


def start(cloud: lab_cloud.Cloud, say: Callable[[str], None]) -> None:
    """Start the databases, from the template if there is one."""
    template = database.template(
        common.TRANSPORT_URL, repr(_syncs(cloud)), _own_schema())
    made = database.exists() or database.restore(template)
    if not made:
        say('making the databases (once; a template is kept)')
        database.create()
    database.start()
    database.wait_ready()
    if made:
        return
    database.create_databases()
    # nova-manage's commands build on each other, the services do not.
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(_sync, _syncs(cloud).items()))
    database.save(template)
    database.start()
    database.wait_ready()


def _syncs(cloud: lab_cloud.Cloud) -> dict[str, list[list]]:
    return {'nova': nova.sync(cloud.extended), 'neutron': neutron.sync(),
            'keystone': keystone.sync(), 'glance': glance.sync(),
            'placement': placement.sync(), 'cinder': cinder.sync()}


def _sync(item: tuple[str, list[list]]) -> None:
    name, commands = item
    for command in commands:
        process.run(command, 'make the database of ' + name,
                    layout.LOGS / ('sync-%s.log' % name), 300)


def _own_schema() -> str:
    """Return a digest of the code that adds our column."""
    import nova_post_copy.db

    directory = pathlib.Path(nova_post_copy.db.__file__).parent
    return hashlib.sha256(b''.join(
        path.read_bytes() for path in sorted(directory.glob('*.py'))
    )).hexdigest()
