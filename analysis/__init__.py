"""What the results say: from a results folder (or its packed file) to tables, statistics, figures and a report.

Loads neither torch nor ray, so that a report can be made on a laptop from a copied folder.
"""

from analysis.load import Results, load_history, load_results, load_trials

__all__ = ["Results", "load_history", "load_results", "load_trials"]
