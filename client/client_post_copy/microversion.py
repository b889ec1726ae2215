# SPDX-License-Identifier: Apache-2.0

"""The compute API microversion that knows ``post_copy``, and its refusals.

Each client asks its own library what the cloud offers and what the user has
selected. This module has the number and the error message.
"""

# nova-post-copy adds this to Nova 34: upstream's newest microversion + 1.
API_VERSION = '2.105'

# What the user asked for, as the subject of a refusal.
CHOOSING = 'Choosing post-copy for a live migration'
WATCHING = 'Watching a live migration'

NOTHING_REQUESTED = 'No migration was requested.'


def not_offered(offered: tuple[str, str] | None,
                purpose: str = CHOOSING) -> str:
    """Return the refusal for a cloud that does not offer the microversion.

    :param offered: the oldest and the newest microversion of the cloud, None
        if it has no microversions
    """
    offers = "versions '%s' to '%s'" % offered if offered else (
        'no microversions')
    return _refusal(purpose, 'this cloud offers ' + offers)


def not_selected(selected: str, settings: str,
                 purpose: str = CHOOSING) -> str:
    """Return the refusal for a user who has selected an older microversion.

    :param settings: the options and variables that select one
    """
    return _refusal(purpose, "version '%s' is selected. Leave out %s, to have "
                             "the version negotiated" % (selected, settings))


def _refusal(purpose: str, found: str) -> str:
    return ("%s needs compute API version '%s', which clouds with "
            "nova-post-copy have; %s. %s" % (
                purpose, API_VERSION, found, NOTHING_REQUESTED))
