# SPDX-License-Identifier: Apache-2.0

"""``python -m lab.switching``"""

import sys

from lab.switching import command

sys.exit(command.main(sys.argv[1:]))
