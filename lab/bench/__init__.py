# SPDX-License-Identifier: Apache-2.0

"""The bench: what post-copy is worth, measured beside what there was before.

The same guests (:mod:`.guests`) are moved in every way (:mod:`.modes`), in
one lab and in alternating order (:mod:`.plan`). :mod:`.runner` does it, and
:mod:`.figures` makes of each migration one :class:`.result.Run`. All runs are
in ``bench.json`` (:mod:`.result`), and everything that is shown is made from
that file: medians and goals by :mod:`.summary`, the table by :mod:`.report`,
``bench.png`` by :mod:`.picture`, the page of the documentation by
:mod:`.page`.
"""
