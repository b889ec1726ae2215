# SPDX-License-Identifier: Apache-2.0

"""Names and values of libvirt's that upstream's fake does not have.

The values are libvirt's own, but for error codes: upstream's fake has its own
for some, and Nova compares with those.
"""

from nova.tests.fixtures import libvirt as fake

VIR_DOMAIN_PMSUSPENDED = 7
VIR_DOMAIN_RUNNING_BOOTED = 1
VIR_DOMAIN_RUNNING_MIGRATED = 2
VIR_DOMAIN_RUNNING_UNPAUSED = 5
VIR_DOMAIN_RUNNING_MIGRATION_CANCELED = 6
VIR_DOMAIN_RUNNING_POSTCOPY = 10
VIR_DOMAIN_RUNNING_POSTCOPY_FAILED = 11
VIR_DOMAIN_PAUSED_USER = 1
VIR_DOMAIN_PAUSED_MIGRATION = 2
VIR_DOMAIN_PAUSED_STARTING_UP = 11
VIR_DOMAIN_PAUSED_POSTCOPY = 12
VIR_DOMAIN_PAUSED_POSTCOPY_FAILED = 13
VIR_DOMAIN_SHUTOFF_DESTROYED = 2
VIR_DOMAIN_SHUTOFF_CRASHED = 3
VIR_DOMAIN_SHUTOFF_MIGRATED = 4
VIR_DOMAIN_SHUTOFF_FAILED = 6

VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION = 20
VIR_DOMAIN_EVENT_ID_JOB_COMPLETED = 21
VIR_DOMAIN_EVENT_STARTED_MIGRATED = 1
VIR_DOMAIN_EVENT_SUSPENDED_PAUSED = 0
VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED = 8
VIR_DOMAIN_EVENT_RESUMED_UNPAUSED = 0
VIR_DOMAIN_EVENT_RESUMED_MIGRATED = 1
VIR_DOMAIN_EVENT_RESUMED_POSTCOPY = 3
VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED = 4
VIR_DOMAIN_EVENT_STOPPED_DESTROYED = 1
VIR_DOMAIN_EVENT_STOPPED_MIGRATED = 3
VIR_DOMAIN_EVENT_STOPPED_FAILED = 5

VIR_DOMAIN_ABORT_JOB_POSTCOPY = 1
VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING = 0
VIR_DOMAIN_DIRTYRATE_UNSTARTED = 0
VIR_DOMAIN_DIRTYRATE_MEASURING = 1
VIR_DOMAIN_DIRTYRATE_MEASURED = 2
VIR_DOMAIN_STATS_DIRTYRATE = 512
VIR_DOMAIN_JOB_DISK_PROCESSED = 'disk_processed'
VIR_DOMAIN_JOB_DISK_REMAINING = 'disk_remaining'
VIR_DOMAIN_JOB_DISK_TOTAL = 'disk_total'
VIR_DOMAIN_JOB_DOWNTIME = 'downtime'
VIR_DOMAIN_JOB_MEMORY_BPS = 'memory_bps'
VIR_DOMAIN_JOB_MEMORY_ITERATION = 'memory_iteration'
VIR_DOMAIN_JOB_MEMORY_POSTCOPY_REQS = 'memory_postcopy_requests'
VIR_DOMAIN_JOB_MEMORY_PROCESSED = 'memory_processed'
VIR_DOMAIN_JOB_MEMORY_REMAINING = 'memory_remaining'
VIR_DOMAIN_JOB_MEMORY_TOTAL = 'memory_total'
VIR_DOMAIN_JOB_TIME_ELAPSED = 'time_elapsed'
VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN = 4
VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT = 5
VIR_MIGRATE_NON_SHARED_DISK = 64
VIR_MIGRATE_POSTCOPY_RESUME = 524288
VIR_MIGRATE_PARAM_URI = 'migrate_uri'
VIR_ERR_OPERATION_ABORTED = 78


class Killed(BaseException):
    """The calling process does not exist any more.

    Ends its threads, as far as a thread can be ended. No ``Exception``: what
    handles errors would do so on behalf of a process that is dead.
    """


def __getattr__(name: str):
    return getattr(fake, name)


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
    """What is said when a job holds the domain, after 30 s of waiting."""
    return error(fake.VIR_ERR_OPERATION_TIMEOUT,
                 'Timed out during operation: cannot acquire state change '
                 'lock (held by monitor=remoteDispatchDomainMigratePerform3'
                 'Params)')


def connection_lost() -> fake.libvirtError:
    """What a client is told when its libvirtd ends."""
    return error(fake.VIR_ERR_SYSTEM_ERROR,
                 'End of file while reading data: Input/output error',
                 fake.VIR_FROM_RPC)
