"""After the grid: rounds of further trials where they decide, until the answer is as precise as was asked."""
