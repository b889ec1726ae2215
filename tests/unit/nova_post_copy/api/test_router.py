# SPDX-License-Identifier: Apache-2.0

from unittest import mock

from oslo_db import exception as db_exc
import sqlalchemy as sa

from nova.api.openstack import compute
from nova.db.main import api as main_db_api

from nova_post_copy.db import schema
from nova_post_copy import exception
from tests.unit.nova_post_copy.api import base


class TestFactory(base.ApiTestCase):

    def test_column_missing(self):
        with main_db_api.get_engine(self.cell_context).begin() as connection:
            connection.execute(
                sa.text('ALTER TABLE migrations DROP COLUMN post_copy'))
        error = self.assertRaises(
            exception.PostCopySchemaMissing, compute.APIRouterV21.factory, {})
        self.assertIn('nova-post-copy-manage db sync', error.format_message())

    @mock.patch.object(schema, 'check', side_effect=db_exc.DBConnectionError)
    def test_database_does_not_answer(self, mock_check):
        # The one error at which upstream's init_application() can be called
        # again.
        self.assertRaises(
            db_exc.DBConnectionError, compute.APIRouterV21.factory, {})

    def test_column_there(self):
        self.app = compute.APIRouterV21.factory({})
        self.assertEqual(
            (200, {'migrations': []}), self.rest('GET', '/os-migrations'))
