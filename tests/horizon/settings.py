# SPDX-License-Identifier: Apache-2.0

"""Horizon's own test settings, with our file in the folder ``enabled``."""

import socket

from openstack_dashboard import enabled

from horizon_post_copy import enabled as post_copy_enabled

# Copying the file there comes to the same.
enabled.__path__ += post_copy_enabled.__path__

from openstack_dashboard.test.settings import *  # noqa: F401,F403,H303

# Upstream sets a second, for the whole process.
socket.setdefaulttimeout(None)
