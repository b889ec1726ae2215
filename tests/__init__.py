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
