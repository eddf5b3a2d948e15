"""Makes `tests_support` importable in the tests below this folder."""
