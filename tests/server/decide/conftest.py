"""The same examples on every run, and catalogues by the thousand."""

from hypothesis import settings

# No limit of time for each example, which a busy machine would break.
settings.register_profile("troth", derandomize=True, deadline=None, database=None)
settings.load_profile("troth")
