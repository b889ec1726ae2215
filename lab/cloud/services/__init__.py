# SPDX-License-Identifier: Apache-2.0

"""The services of the cloud, one module each.

Each module has ``configure()``, which writes the service's files,
``start()``, which starts its processes, and ``wait()``, which returns when it
answers; those with a database also have ``sync()``, a list of the commands
that make its schema.
"""
