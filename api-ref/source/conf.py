# SPDX-License-Identifier: Apache-2.0

"""Sphinx configuration of the API reference."""

import importlib.metadata

project = 'nova-post-copy'
copyright = 'the nova-post-copy authors'
release = importlib.metadata.version('nova-post-copy')
version = release

extensions = ['openstackdocstheme', 'os_api_ref']

html_theme = 'openstackdocs'
html_theme_options = {'sidebar_mode': 'toc'}
openstackdocs_auto_name = False
