# SPDX-License-Identifier: Apache-2.0

"""Horizon: unmodified, as in production, with DEBUG off and compressed assets.

With ``extended``, the file of nova-post-copy is in the folder ``enabled`` that
an operator has for this, and nothing else differs.
"""

from importlib import metadata
import pathlib
import shutil
import sys

from lab.cloud import process
from lab.cloud.services import common
from lab import layout

NAME = 'horizon'
URL = 'http://%s:%d/' % (layout.LOOPBACK, layout.WSGI_PORTS[NAME])

_DIRECTORY = layout.CONFIG / 'horizon'
_ENABLED = _DIRECTORY / 'enabled'
_ENVIRONMENT = {'DJANGO_SETTINGS_MODULE': 'openstack_dashboard.settings',
                # Where Horizon finds "local", before it looks in itself.
                'PYTHONPATH': str(_DIRECTORY)}

# Horizon looks for the files of its operator inside its own package. A name
# without underscore would become one of Horizon's settings.
_ENABLED_TOO = '''
from openstack_dashboard.local import enabled as _enabled
_enabled.__path__.append(%r)
''' % str(_ENABLED)


def _static() -> pathlib.Path:
    """Return the folder of what Horizon serves beside pages.

    The plug-in adds nothing to it, so all labs share it.
    """
    return layout.CACHE / ('horizon-static-' + metadata.version('horizon'))


def _settings() -> dict[str, object]:
    return {
        'DEBUG': False,
        'ALLOWED_HOSTS': [layout.LOOPBACK, 'localhost'],
        'SECRET_KEY': layout.PASSWORD,
        'OPENSTACK_KEYSTONE_URL': layout.AUTH_URL,
        # One process, so its own memory does for the sessions.
        'CACHES': {'default': {
            'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'}},
        'COMPRESS_OFFLINE': True,
        'STATIC_ROOT': str(_static()),
        'AVAILABLE_THEMES': [('default', 'Default', 'themes/default')],
        # Django would send errors to its administrators by mail.
        'LOGGING': {
            'version': 1, 'disable_existing_loggers': False,
            'handlers': {'log': {'class': 'logging.StreamHandler'}},
            'root': {'handlers': ['log'], 'level': 'INFO'}},
    }


def configure(extended: bool) -> None:
    local = _DIRECTORY / 'local'
    local.mkdir(parents=True, exist_ok=True)
    (local / '__init__.py').touch()
    (local / 'local_settings.py').write_text(''.join(
        '%s = %r\n' % item for item in _settings().items()) + _ENABLED_TOO)
    shutil.rmtree(_ENABLED, ignore_errors=True)
    _ENABLED.mkdir()
    if extended:
        from horizon_post_copy import enabled

        for path in pathlib.Path(enabled.__file__).parent.glob('_2*.py'):
            shutil.copy(path, _ENABLED)


def _compress() -> None:
    """Collect and compress the static files, once for all labs."""
    if (_static() / 'dashboard' / 'manifest.json').exists():
        return
    for command in ('collectstatic --no-input', 'compress'):
        process.run([sys.executable, '-m', 'django', *command.split()],
                    command.split()[0] + ' for Horizon',
                    layout.LOGS / 'horizon-static.log', 300,
                    env=_ENVIRONMENT)


def start() -> None:
    _compress()
    common.start_wsgi(NAME, 'openstack_dashboard.wsgi', _ENVIRONMENT,
                      ['--static-map', '/static=%s' % _static()])


def wait() -> None:
    common.wait_wsgi(NAME)
