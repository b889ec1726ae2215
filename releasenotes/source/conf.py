# SPDX-License-Identifier: Apache-2.0

"""Sphinx configuration of the release notes."""

project = 'nova-post-copy release notes'
copyright = 'the nova-post-copy authors'
version = release = ''

extensions = ['reno.sphinxext']

html_theme = 'alabaster'
