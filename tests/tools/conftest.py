"""Examples that are slow on a busy machine are not failures: no test here asserts a duration."""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None, print_blob=True)
settings.load_profile("unhurried")
