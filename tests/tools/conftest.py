"""Examples that are slow on a busy machine are no failures: this room's tests assert nothing about
a clock.
"""

from hypothesis import settings

settings.register_profile("unhurried", deadline=None, print_blob=True)
settings.load_profile("unhurried")
