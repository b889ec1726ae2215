# SPDX-License-Identifier: Apache-2.0

"""The seams of all processes, and of several."""

from nova_post_copy.seams.seam import Kind
from nova_post_copy.seams.seam import Seam

EVERY = (
    Seam('oslo_config.sources',
         'ConfigurationSourceDriver.open_source_from_opt_group',
         Kind.OVERRIDES, 'activate',
         'opening our source is the hook by which we activate',
         'conf, group_name'),
    Seam('oslo_config.sources',
         'ConfigurationSourceDriver.list_options_for_discovery',
         Kind.OVERRIDES, 'activate', 'our source has no options', ''),
    Seam('oslo_config.sources', 'ConfigurationSource.get', Kind.OVERRIDES,
         'activate', 'our source answers for no option',
         'group_name, option_name, opt'),
    Seam('oslo_config.sources', '_NoValue', Kind.READS, 'activate',
         'the answer of a source that does not have an option'),
    Seam('nova.version', 'version_string', Kind.CALLS, 'activate',
         'an unknown major release is refused', ''),
    Seam('nova.objects.base', 'NovaObjectRegistry.register', Kind.CALLS,
         'activate', 'our Migration becomes the newest one', 'obj_cls'),
    Seam('nova.objects.base', 'NovaObject.obj_make_compatible',
         Kind.OVERRIDES, 'objects.migration',
         'a peer with an older Migration does not get our field',
         'primitive, target_version'),
    Seam('nova.objects.migration', 'Migration.VERSION', Kind.OVERRIDES,
         'objects.migration', 'ours is upstream\'s with ".1" appended'),
    Seam('nova.objects.migration', 'Migration.fields', Kind.OVERRIDES,
         'objects.migration', 'the field post_copy'),
    Seam('nova.objects.migration', 'Migration._from_db_object',
         Kind.OVERRIDES, 'objects.migration',
         'a NULL in our column is a field that is not set',
         'context, migration, db_migration'),
    Seam('nova.exception', 'NovaException.format_message', Kind.OVERRIDES,
         'conductor.failure', 'tenants read no names of hosts', ''),
    Seam('nova.exception', 'NovaException.msg_fmt', Kind.OVERRIDES,
         'conductor.failure, exception', 'the sentence of each of our errors'),
    Seam('nova.exception', 'NovaException.code', Kind.OVERRIDES,
         'exception', 'the HTTP status of a refusal'),
)

DATABASE = (
    Seam('nova.db.main.models', 'Migration', Kind.ASSIGNS, 'activate',
         'the model gets the column post_copy'),
    Seam('nova.db.main.api', 'get_engine', Kind.CALLS, 'db.schema',
         'the schema of each cell database is read', 'context='),
    Seam('nova.context', 'scatter_gather_all_cells', Kind.CALLS, 'db.schema',
         'all cell databases are checked before the service starts',
         'context, fn'),
)
