# SPDX-License-Identifier: Apache-2.0

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
