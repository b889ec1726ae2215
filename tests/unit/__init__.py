# SPDX-License-Identifier: Apache-2.0

import os

# Native threads, as in Nova's services. It must be known before anything
# imports eventlet.
os.environ.setdefault('OS_NOVA_DISABLE_EVENTLET_PATCHING', 'true')
from nova import monkey_patch; monkey_patch.patch()  # noqa
