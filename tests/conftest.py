"""Settings for all tests: examples of hypothesis have no time limit on a busy machine."""

from hypothesis import settings

settings.register_profile("nenni", deadline=None, derandomize=True)
settings.load_profile("nenni")
