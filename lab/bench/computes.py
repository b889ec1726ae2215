# SPDX-License-Identifier: Apache-2.0

"""nova.conf of the two computes, as the runs need it."""

from __future__ import annotations

from collections.abc import Mapping
import typing

from lab.cloud.services import nova

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud


class Computes:
    """What the computes have in nova.conf on top of what the lab sets.

    As a context manager: puts the lab's own back in the end.
    """

    def __init__(self, cloud: lab_cloud.Cloud) -> None:
        self._cloud = cloud
        #: of ``[libvirt]``, by host
        self.options: dict[str, dict] = {name: {} for name in cloud.hosts}
        self._default: dict[str, object] = {}

    def __enter__(self) -> 'Computes':
        return self

    def __exit__(self, *exc) -> None:
        if self._default or any(self.options.values()):
            self.configure({name: {} for name in self.options})

    def configure(self, options: Mapping[str, dict],
                  default: Mapping[str, object] | None = None) -> None:
        """Start the computes with other options; return when they are up.

        :param options: of ``[libvirt]``, by host
        :param default: of ``[DEFAULT]``
        """
        self.options, self._default = dict(options), dict(default or {})
        nova.restart_computes(self._cloud, self._cloud.extended,
                              self.options, default=self._default)
