# SPDX-License-Identifier: Apache-2.0

"""What can go wrong in the lab, told to the person in front of it."""

import pathlib
import re

TAIL_LINES = 15


class LabError(Exception):
    """The lab cannot go on; the message says why and what to do."""


class Refused(LabError):
    """A command failed because Nova has refused its request.

    :param http_status: of Nova's answer
    """

    def __init__(self, message: str, http_status: int) -> None:
        super().__init__(message)
        self.http_status = http_status


def failed(line: str, printed: str) -> LabError:
    """Return the error of a ``nova`` command, by what it has printed."""
    message = '"%s" failed: %s' % (line, printed)
    refused = re.search(r'\(HTTP (\d+)\)', printed)
    return Refused(message, int(refused[1])) if refused else LabError(message)


def with_log(message: str, log: pathlib.Path | None) -> LabError:
    """Return a LabError that ends in the last lines of ``log``."""
    if log is None or not log.exists():
        return LabError(message)
    with log.open('rb') as stream:
        stream.seek(max(0, log.stat().st_size - 16384))
        lines = stream.read().decode(errors='replace').splitlines()
    tail = '\n'.join('    ' + line[:300] for line in lines[-TAIL_LINES:])
    return LabError('%s\n  the end of %s:\n%s' % (message, log, tail))
