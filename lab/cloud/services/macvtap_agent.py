# SPDX-License-Identifier: Apache-2.0

"""neutron's macvtap agent, in one process: ``macvtap_agent.py OPTION...``.

The agent of neutron 29 starts its privsep daemon and forks after that. The
child has the channel to the daemon but not the thread that reads from it, and
waits for ever for the first answer. nova-compute does not fork either.
"""

import functools
import sys

from neutron.cmd.plugins import macvtap_neutron_agent
from oslo_service import service

if __name__ == '__main__':
    service.launch = functools.partial(service.launch, no_fork=True)
    sys.exit(macvtap_neutron_agent.main())
