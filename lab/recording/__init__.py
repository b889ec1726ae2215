# SPDX-License-Identifier: Apache-2.0

"""Statistics of real migrations, recorded as data for tests.

``python -m lab.recording ROOT OUTPUT`` moves guests between two libvirts
(:mod:`.hosts`) whose programs are those of ROOT, without Nova, and writes what
libvirt tells of each (:mod:`.move`). ROOT is ``/`` for this machine's own
programs, or a directory that debootstrap(8) has made, with libvirtd, virtlogd
and QEMU of another generation. The recordings in the tree are in
``tests/unit/nova_post_copy/migration/recorded/``.
"""
