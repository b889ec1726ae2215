# SPDX-License-Identifier: Apache-2.0

# Before a module is imported that needs Horizon's settings.
from tests import horizon; horizon.prepare()  # noqa
