# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.


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
