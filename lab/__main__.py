# SPDX-License-Identifier: Apache-2.0

"""``python -m lab``"""

import sys

from lab import cli

sys.exit(cli.main())
