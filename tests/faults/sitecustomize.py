"""Python runs this at the start of every process of a run under test.

It shortens the waits for storage and makes a share STORE_ERRORS of the storage calls of trials fail.
"""

import os
import random

from failing_store import FailingStore

import trainables.results.store

trainables.results.store.PAUSES = (0.5, 0.5)

share = float(os.environ.get("STORE_ERRORS", "0"))
moments = random.Random(os.getpid())
begin = trainables.results.store.PatientStore.__init__


def begin_with_errors(self, store):
    begin(self, FailingStore(store, lambda: moments.random() < share))


trainables.results.store.PatientStore.__init__ = begin_with_errors
