# SPDX-License-Identifier: Apache-2.0

"""An experiment: when to switch, and what that saves.

``python -m lab.switching`` moves guests of all kinds (:mod:`.guests`) through
a world of bytes and seconds (:mod:`.world`) in several ways (:mod:`.ways`),
among them ours: the code of nova-compute itself, which sees only what libvirt
would report (:mod:`.libvirt_view`). :mod:`.experiment` compares the outcomes
with those of the best way in hindsight; :mod:`.report` and :mod:`.picture`
show them.
"""
