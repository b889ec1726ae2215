# SPDX-License-Identifier: Apache-2.0

"""libvirt's names and errors, as the code under test sees them.

:mod:`.constants` has libvirt's own values; the others are those of upstream's
fake, which has its own for some error codes, and Nova compares with those.
"""

from nova.tests.fixtures import libvirt as fake

from lab.simulation import constants


class Killed(BaseException):
    """The calling process was killed.

    Ends its threads. Not an ``Exception``: no error handler may run on behalf
    of a process that is dead.
    """


def __getattr__(name: str):
    return getattr(constants if hasattr(constants, name) else fake, name)


def error(code: int, message: str,
          domain: int = fake.VIR_FROM_QEMU) -> fake.libvirtError:
    return fake.make_libvirtError(
        fake.libvirtError, message, error_code=code, error_message=message,
        error_domain=domain)


def invalid(complaint: str) -> fake.libvirtError:
    return error(fake.VIR_ERR_OPERATION_INVALID,
                 'Requested operation is not valid: ' + complaint)


def failed(complaint: str) -> fake.libvirtError:
    return error(fake.VIR_ERR_OPERATION_FAILED,
                 'operation failed: ' + complaint)


def busy() -> fake.libvirtError:
    """Return the error after 30 s of waiting for a job to let go."""
    return error(fake.VIR_ERR_OPERATION_TIMEOUT,
                 'Timed out during operation: cannot acquire state change '
                 'lock (held by monitor=remoteDispatchDomainMigratePerform3'
                 'Params)')


def connection_lost() -> fake.libvirtError:
    """Return the error that a client gets when its libvirtd ends."""
    return error(fake.VIR_ERR_SYSTEM_ERROR,
                 'End of file while reading data: Input/output error',
                 fake.VIR_FROM_RPC)
