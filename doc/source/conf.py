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

"""Sphinx configuration of the guides."""

import importlib.metadata

project = 'nova-post-copy'
copyright = 'the nova-post-copy authors'
release = importlib.metadata.version('nova-post-copy')
version = release

extensions = [
    'oslo_config.sphinxconfiggen',
    'oslo_config.sphinxext',
    'oslo_policy.sphinxext',
    'oslo_policy.sphinxpolicygen',
]

# Written anew into _static by each build.
config_generator_config_file = [
    ('../config-generator.conf', '_static/nova-post-copy')]
policy_generator_config_file = [
    ('../policy-generator.conf', '_static/nova-post-copy')]

html_theme = 'alabaster'
html_static_path = ['_static']
html_theme_options = {
    'description': 'Per-request post-copy live migration for Nova',
    'fixed_sidebar': True,
    'page_width': '1040px',
}
