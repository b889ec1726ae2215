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

"""Horizon's own test settings, with our file in the folder ``enabled``."""

import socket

from openstack_dashboard import enabled

from horizon_post_copy import enabled as post_copy_enabled

# Copying the file there comes to the same.
enabled.__path__ += post_copy_enabled.__path__

from openstack_dashboard.test.settings import *  # noqa: F401,F403,H303

# Upstream sets a second, for the whole process.
socket.setdefaulttimeout(None)
