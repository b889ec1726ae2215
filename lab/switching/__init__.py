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

"""An experiment: when to switch, and what it is worth.

``python -m lab.switching`` moves guests of all kinds (:mod:`.guests`) through
a world of bytes and seconds (:mod:`.world`) in several ways (:mod:`.ways`),
among them ours: the very code of nova-compute, which sees no more of the world
than libvirt would tell it (:mod:`.libvirt_view`). :mod:`.experiment` compares
what came of it, with the best that anybody could have done who knew the
future, and :mod:`.report` and :mod:`.picture` show it.
"""
