"""Python runs this at the start of every process of a run under test: waits for storage are short there."""

import trainables.store

trainables.store.PAUSES = (0.5, 0.5)
