from hypothesis import settings

# The same examples in every run: a failure must be about the change that was made.
settings.register_profile("troth", derandomize=True, deadline=None, database=None)
settings.load_profile("troth")
