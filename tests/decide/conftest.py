"""The same examples on every run, and no limit of time for each, which a busy machine would break."""

from hypothesis import settings

settings.register_profile("troth", derandomize=True, deadline=None, database=None)
settings.load_profile("troth")
