"""Running a study: the only part of `study` that knows Ray."""
