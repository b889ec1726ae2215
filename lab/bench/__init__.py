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

"""The bench: what post-copy is worth, measured beside what there was before.

The same guests (:mod:`.guests`) are moved in every way (:mod:`.modes`), in
one lab and in alternating order (:mod:`.plan`). :mod:`.runner` does it, and
:mod:`.figures` makes of each migration one :class:`.result.Run`. All runs are
in ``bench.json`` (:mod:`.result`), and everything that is shown is made from
that file: medians and goals by :mod:`.summary`, the table by :mod:`.report`,
``bench.png`` by :mod:`.picture`, the page of the documentation by
:mod:`.page`.
"""
