# SPDX-License-Identifier: Apache-2.0

"""The compute API microversion that knows ``post_copy``, and its refusals.

The clients find out by themselves what the cloud offers and what the user has
selected; here is the number, and the sentence when that does not suffice.
"""

# What nova-post-copy adds to Nova 34: upstream's newest + 1.
API_VERSION = '2.105'

# What the user needs the microversion for.
CHOOSING = 'Choosing post-copy for a live migration'
WATCHING = 'Watching a live migration'

NOTHING_REQUESTED = 'No migration was requested.'


def not_offered(offered: tuple[str, str] | None,
                purpose: str = CHOOSING) -> str:
    """Return the refusal for a cloud that does not offer the microversion.

    :param offered: the oldest and the newest that the cloud offers, None
        where it has no microversions
    """
    offers = "versions '%s' to '%s'" % offered if offered else (
        'no microversions')
    return _refusal(purpose, 'this cloud offers ' + offers)


def not_selected(selected: str, settings: str,
                 purpose: str = CHOOSING) -> str:
    """Return the refusal for a user who has selected another microversion.

    :param settings: what may have selected it
    """
    return _refusal(purpose, "version '%s' is selected. Leave out %s; the "
                             "right version is then found" % (
                                 selected, settings))


def _refusal(purpose: str, found: str) -> str:
    return ("%s needs compute API version '%s', which clouds with "
            "nova-post-copy have; %s. %s" % (
                purpose, API_VERSION, found, NOTHING_REQUESTED))
