"""Analysis of results: from a results folder (or its packed file) to tables, statistics, figures and a report.

Imports neither torch nor ray, so that a report can be made on a laptop from a copied folder.
"""

from pathlib import Path

from analysis.load import Results, load_history, load_results, load_test_errors, load_trials

REFERENCE = Path(__file__).parent / "reference"
"""The folder of the published studies, each packed into one file, wherever the package is installed."""

__all__ = ["REFERENCE", "Results", "load_history", "load_results", "load_test_errors", "load_trials"]
