"""For all tests."""

from hypothesis import settings

# how long an example takes says something of the machine, not of the claim
settings.register_profile("pipeline", deadline=None)
settings.load_profile("pipeline")
