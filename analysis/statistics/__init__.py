"""What the trials say: pure functions from a prepared table (`analysis.prepare.prepare`) to small tables.

Every interval is a 95% interval. Trials are the unit; seeds are random, the grid is fixed.
"""
