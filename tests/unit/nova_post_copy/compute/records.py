# SPDX-License-Identifier: Apache-2.0

"""A durable record as nova-compute writes it."""

from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import record


def make(instance_uuid: str = uuids.instance, **changes) -> record.Record:
    return record.Record(**{
        'instance_uuid': instance_uuid, 'migration_id': 7, 'dest': 'dest',
        'block_migration': True, 'request_id': 'req-' + uuids.request,
        'user_id': 'user', 'project_id': 'project',
        'migrate_data': objects.LibvirtLiveMigrateData(
            is_shared_instance_path=False, is_shared_block_storage=False,
            block_migration=True, target_connect_addr='192.0.2.2'),
        'source_bdms': objects.BlockDeviceMappingList(objects=[
            objects.BlockDeviceMapping(
                id=1, instance_uuid=instance_uuid, volume_id=uuids.volume,
                volume_size=1, attachment_id=uuids.source_attachment,
                source_type='volume', destination_type='volume',
                connection_info='{"serial": "%s"}' % uuids.volume)])
    } | changes)


def none() -> objects.BlockDeviceMappingList:
    """Return what a server without volumes has."""
    return objects.BlockDeviceMappingList(objects=[])
