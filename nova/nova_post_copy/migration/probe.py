# SPDX-License-Identifier: Apache-2.0

"""Find out whether a libvirt can be reached, before libvirt tries to."""

import socket
from urllib import parse

# Seconds that an address may take to accept a connection.
PROBE_TIMEOUT_S = 1.0
# Where libvirt listens, by the transport in its URI.
_PORTS = {'tcp': 16509, 'tls': 16514, 'ssh': 22, 'libssh': 22, 'libssh2': 22}


def where(uri: str) -> tuple[str | None, int | None]:
    """Return the host and the port of a libvirt, as far as they are known."""
    parts = parse.urlsplit(uri)
    return (parts.hostname,
            parts.port or _PORTS.get(parts.scheme.rpartition('+')[2]))


def accepts(uri: str) -> bool:
    """Tell whether a libvirt accepts connections, as far as can be told."""
    host, port = where(uri)
    if host is None or port is None:
        # The port of an unknown transport: libvirt finds it.
        return True
    try:
        _connect(host, port)
    except OSError:
        return False
    return True


def answers(uri: str) -> bool:
    """Tell whether a host answers, be it that nobody listens there."""
    host, port = where(uri)
    if host is None or port is None:
        return False
    try:
        _connect(host, port)
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return True


def _connect(host: str, port: int) -> None:
    socket.create_connection((host, port), timeout=PROBE_TIMEOUT_S).close()
