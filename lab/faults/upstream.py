# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""The same faults against upstream's driver, to show the difference.

As an operator would use post-copy without nova-post-copy: the host-wide flag
on both computes, and ``force-complete`` by hand after the first pass.
"""

from collections.abc import Iterator
import contextlib

from lab.services import nova


@contextlib.contextmanager
def computes(cloud) -> Iterator[None]:
    """Run the computes with upstream's driver; put ours back afterwards."""
    _configure(cloud, extended=False)
    try:
        yield
    finally:
        _configure(cloud, extended=True)


def _configure(cloud, extended: bool) -> None:
    options = {} if extended else {'live_migration_permit_post_copy': True}
    for host in cloud.hosts.values():
        nova.configure_compute(host, extended, options)
        host.kill_compute()
        host.start_compute()
    for host in cloud.hosts.values():
        nova.wait_for_compute(cloud, host)
