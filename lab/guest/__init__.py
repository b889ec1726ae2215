# SPDX-License-Identifier: Apache-2.0

"""The guest of the lab: dirties memory faster than the network can copy it.

A boot sector (``boot.S``), assembled when an image is built, so that there is
no binary in the tree and every parameter is a constant in it.
``lab.instruments.heartbeat`` reads its output.
"""

import pathlib
import tempfile

from lab import layout
from oslo_concurrency import processutils

PAGE_BYTES = 4096
SECTOR_BYTES = 512
#: Memory below the working set: firmware and boot sector.
RESERVED_MIB = 16
#: Memory that one heartbeat stands for.
BEAT_MIB = 4
TIMER_HZ = 1193182
#: Enough for the partition that glance wants to see.
IMAGE_BYTES = layout.MIB


def build_image(path: pathlib.Path, working_set_mib: int = 400,
                pace_mib: int = 1024, filled_mib: int = 0,
                burst_mib: int = 0, beat_mib: int = BEAT_MIB) -> None:
    """Write a raw disk image that boots into the guest.

    :param path: where the image goes; replaced when there is one
    :param working_set_mib: memory (MiB) that is checked and written over and
        over; the server needs RESERVED_MIB more, and a little for firmware
    :param pace_mib: how much of it in a second (MiB/s), as far as the
        processor can; 0: as fast as it can
    :param filled_mib: memory (MiB) that is not zero, where that is more than
        the working set; the rest of it is written once
    :param burst_mib: after so much work (MiB) the guest stays in BEAT_MIB of
        its working set for as much work, and so on; 0: it never stays
    :param beat_mib: memory (MiB) that one heartbeat stands for; the smaller,
        the slower may the pace be. :mod:`lab.instruments.heartbeat` knows the
        default only
    :raises ValueError: for a working set that is not whole beats, a pace that
        the guest's timer cannot keep, or a burst that is no power of two
    :raises oslo_concurrency.processutils.ProcessExecutionError: when the
        GNU assembler or linker failed or is not there
    """
    if working_set_mib < beat_mib or working_set_mib % beat_mib:
        raise ValueError('The working set (%d MiB) is not a multiple of '
                         '%d MiB.' % (working_set_mib, beat_mib))
    period = round(TIMER_HZ * beat_mib / pace_mib) if pace_mib else 0
    if not 0 <= period < 1 << 16 or pace_mib and period < 2:
        raise ValueError('The guest cannot keep a pace of %d MiB/s.'
                         % pace_mib)
    burst = burst_mib // beat_mib
    if burst * beat_mib != burst_mib or burst & (burst - 1):
        raise ValueError('A burst (%d MiB) is not a power of two times '
                         '%d MiB.' % (burst_mib, beat_mib))
    symbols = {
        'PAGES': working_set_mib * layout.MIB // PAGE_BYTES,
        'FILLED': max(working_set_mib, filled_mib) * layout.MIB // PAGE_BYTES,
        'BURST': burst,
        'BEAT': beat_mib * layout.MIB // PAGE_BYTES,
        'PERIOD': period,
        'SECTORS': IMAGE_BYTES // SECTOR_BYTES,
    }
    source = pathlib.Path(__file__).with_name('boot.S')
    with tempfile.TemporaryDirectory() as folder:
        object_file = pathlib.Path(folder, 'boot.o')
        processutils.execute(
            'as', '--32',
            *['--defsym=%s=%d' % symbol for symbol in symbols.items()],
            '-o', str(object_file), str(source))
        # The firmware loads a boot sector to 0x7c00.
        processutils.execute(
            'ld', '-m', 'elf_i386', '-Ttext=0x7c00', '--oformat=binary',
            '-o', str(path), str(object_file))
    with open(path, 'r+b') as image:
        image.truncate(IMAGE_BYTES)
