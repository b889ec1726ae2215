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

from importlib import metadata
import pathlib
import sysconfig

import testtools

PROJECT = pathlib.Path(__file__).parents[2]


class TestDistribution(testtools.TestCase):
    """What is tested is what is installed, and it is complete."""

    def setUp(self):
        super().setUp()
        # Not from the source tree, where a build leaves metadata as well.
        self.distribution, = metadata.distributions(
            name='nova-post-copy', path=[sysconfig.get_path('purelib')])

    def test_packages_come_from_the_distribution(self):
        installed = {
            path.as_posix() for path in self.distribution.files
            if path.suffix == '.py' and '_post_copy' in path.parts[0]}
        packages = list(PROJECT.glob('*/*_post_copy'))
        source = {
            path.relative_to(package.parent).as_posix()
            for package in packages for path in package.rglob('*.py')}
        self.assertEqual(source, installed)
        for package in packages:
            self.assertEqual(
                self.distribution.locate_file(package.name + '/__init__.py'),
                pathlib.Path(__import__(package.name).__file__))

    def test_entry_points_load(self):
        for entry_point in self.distribution.entry_points:
            self.assertIsNotNone(entry_point.load(), entry_point)
