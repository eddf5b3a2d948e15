"""Settings of all tests."""

import os
import signal

from hypothesis import settings

# How long an example takes is the machine's business. CI tries the same examples each time, so that a change is
# judged by itself; new examples are looked for by whoever runs the tests by hand.
settings.register_profile("any machine", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "any machine"))

# Shells let what runs behind them ignore Ctrl-C, and so would every run that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
