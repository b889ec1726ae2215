# SPDX-License-Identifier: Apache-2.0

"""How the TCP streams to a host begin: ``python first_bytes.py NAME``.

Runs inside of a host and prints a line for each stream that comes in on a
network: the port, and the first bytes in hexadecimal digits.
"""

import socket
import struct
import sys

IPV4 = 0x0800
SYN = 2
LENGTH = 16     # bytes of each stream


def main() -> None:
    packets = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM,
                            socket.htons(IPV4))
    packets.bind((sys.argv[1], IPV4))
    begun = {}
    print('ready', flush=True)
    while True:
        packet, address = packets.recvfrom(128)
        if (address[2] == socket.PACKET_OUTGOING
                or packet[9] != socket.IPPROTO_TCP):
            continue
        length, = struct.unpack_from('!H', packet, 2)
        header = (packet[0] & 15) * 4
        source, destination, sequence = struct.unpack_from(
            '!HHI', packet, header)
        data = packet[header + (packet[header + 12] >> 4) * 4:length]
        stream = packet[12:16], source, destination
        if packet[header + 13] & SYN:
            begun[stream] = b'', sequence + 1
        elif data and sequence == begun.get(stream, (b'', None))[1]:
            begin = (begun.pop(stream)[0] + data)[:LENGTH]
            if len(begin) < LENGTH:
                begun[stream] = begin, sequence + len(data)
            else:
                print(destination, begin.hex(), flush=True)


if __name__ == '__main__':
    main()
