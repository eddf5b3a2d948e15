"""After the grid: rounds of further trials where they are decisive, until the answer is as precise as requested."""
