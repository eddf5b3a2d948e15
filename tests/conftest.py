"""Settings of all tests."""

import signal

from hypothesis import settings

settings.register_profile("any machine", deadline=None)  # how long an example takes is the machine's business
settings.load_profile("any machine")

# Shells let what runs behind them ignore Ctrl-C, and so would every run that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
