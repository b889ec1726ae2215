# SPDX-License-Identifier: Apache-2.0

"""How both computes are set up for the cases.

With nova-post-copy a migration makes one complete pass of pre-copy, so that
there is a pre-copy for faults to happen in: the guest of the cases would else
be switched at once. With upstream's driver it is done as an operator would do
it: the host-wide flag, and ``force-complete`` by hand after the first pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import typing

from lab.cloud import hosts as lab_hosts
from lab.cloud.services import nova

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab.faults.case import Case


@contextlib.contextmanager
def ready(cloud: lab_cloud.Cloud, with_upstream: bool) -> Iterator[None]:
    """Set both computes up; put back what they were afterwards.

    :param with_upstream: for upstream's driver
    """
    if with_upstream:
        _configure(cloud, False, {'live_migration_permit_post_copy': True}, {})
    else:
        _configure(cloud, True, {}, {'switch_policy': 'first-pass'})
    try:
        yield
    finally:
        _configure(cloud, True, {}, {})


@contextlib.contextmanager
def as_in(case: Case, cloud: lab_cloud.Cloud) -> Iterator[None]:
    """Have both computes where the case wants them."""
    if not case.container:
        yield
        return
    _restart(cloud, lab_hosts.CONTAINER)
    try:
        yield
    finally:
        _restart(cloud, ())


def _restart(cloud: lab_cloud.Cloud, container: Sequence[str]) -> None:
    for host in cloud.hosts.values():
        host.kill_compute()
        host.start_compute(container)
    for host in cloud.hosts.values():
        cloud.wait_for_compute(host.name)


def _configure(cloud: lab_cloud.Cloud, extended: bool,
               libvirt: dict[str, object],
               post_copy: dict[str, object]) -> None:
    nova.restart_computes(cloud, extended,
                          {name: libvirt for name in cloud.hosts},
                          post_copy=post_copy)
