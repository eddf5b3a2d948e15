"""Settings shared by all tests."""

import os
import signal

from hypothesis import settings

# How long an example takes depends on the machine. CI tries the same examples each time, so that a change is
# judged on its own merits; new examples are searched for when somebody runs the tests by hand.
settings.register_profile("any machine", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "any machine"))

# Shells start background processes with Ctrl-C ignored, and runs that a test interrupts would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
