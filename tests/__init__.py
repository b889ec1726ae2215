# SPDX-License-Identifier: Apache-2.0

"""Hypothesis draws the same examples in each run, and times none of them.

A test that fails does so for everyone. HYPOTHESIS_EXAMPLES=5000 draws that
many others for each property.
"""

import os

import hypothesis

EXAMPLES = os.environ.get('HYPOTHESIS_EXAMPLES')

hypothesis.settings.register_profile(
    'project', deadline=None, derandomize=not EXAMPLES, database=None,
    max_examples=int(EXAMPLES or 100),
    suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile('project')
