"""Every method with the options that change how it trains."""

METHODS = [
    {"name": "strict"},
    {"name": "relaxed", "schedule": "triangle", "strict_phase": 0.25},
    {"name": "relaxed", "schedule": "constant", "projection": "fold", "strict_phase": 0.4},
    {"name": "ace", "strict_phase": 0.25},
    {"name": "ace", "strict_phase": 0.25, "dual_optimizer": "adam", "companion": "mlp", "augmented": 2.0},
    {"name": "ace", "form": "elastic", "dual_optimizer": "adam"},
    {"name": "ace", "form": "elastic"},
    {"name": "unconstrained"},
    {"name": "relaxed", "rotate": "graph", "strict_phase": 0.25},
    {"name": "relaxed", "schedule": "trainables.relaxation.controllers:Stalling", "strict_phase": 0.25},
]
