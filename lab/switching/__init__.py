# SPDX-License-Identifier: Apache-2.0

"""An experiment: when to switch, and what it is worth.

``python -m lab.switching`` moves guests of all kinds (:mod:`.guests`) through
a world of bytes and seconds (:mod:`.world`) in several ways (:mod:`.ways`),
among them ours: the very code of nova-compute, which sees no more of the world
than libvirt would tell it (:mod:`.libvirt_view`). :mod:`.experiment` compares
what came of it, with the best that anybody could have done who knew the
future, and :mod:`.report` and :mod:`.picture` show it.
"""
