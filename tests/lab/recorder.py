# SPDX-License-Identifier: Apache-2.0

"""What reaches an API, byte for byte: a proxy that writes it down."""

from collections.abc import Mapping
from http import client
from http import server
import threading
from typing import NamedTuple

from lab import layout
from lab import wait

# Of one connection, not of what it carries.
_HOP_BY_HOP = ('connection', 'content-length', 'transfer-encoding')


class Request(NamedTuple):
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Recorder:
    """Stands before an API, on a port of its own.

    :param port: where the API is; may be changed while it runs
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.requests: list[Request] = []
        self._server = server.ThreadingHTTPServer(
            (layout.LOOPBACK, 0), type('Handler', (_Handler,),
                                       {'recorder': self}))
        self.url = 'http://%s:%d' % self._server.server_address
        threading.Thread(target=self._server.serve_forever).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def posted(self) -> list[Request]:
        return [request for request in self.requests
                if request.method == 'POST']


class _Handler(server.BaseHTTPRequestHandler):
    recorder: Recorder

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        self.recorder.requests.append(
            Request(self.command, self.path, self.headers, body))
        connection = client.HTTPConnection(
            layout.LOOPBACK, self.recorder.port, timeout=wait.scaled(60))
        connection.request(self.command, self.path, body, self.headers)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        self.send_response_only(response.status, response.reason)
        for name, value in response.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    # As the base class looks them up.
    do_GET = do_POST = do_PUT = do_DELETE = _pass_on

    def log_message(self, *args) -> None:
        """Not on the screen of the tests."""
