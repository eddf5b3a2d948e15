"""MD17 (Chmiela et al. 2017) and rMD17 (Christensen and von Lilienfeld 2020) as numpy archives.

Their energies are in kcal/mol and their forces in kcal/mol/angstrom.
"""

from pathlib import Path

import numpy as np

from trainables.errors import BadInput
from trainables.tasks.sources.frames import Frames
from trainables.tasks.sources.unpacking import opened_archive

EV_PER_KCAL_PER_MOL = 4184 / 96485.33212
"""From the thermochemical calorie (4.184 J) and the Faraday constant (CODATA 2018)."""

_ORIGINAL = {"numbers": "z", "positions": "R", "energies": "E", "forces": "F"}
_REVISED = {"numbers": "nuclear_charges", "positions": "coords", "energies": "energies", "forces": "forces"}


def read_md17(path: Path) -> Frames:
    """All frames of an archive with the keys of MD17 or rMD17; BadInput where it is neither or cut short."""
    with opened_archive(path) as archive:
        known = [keys for keys in (_ORIGINAL, _REVISED) if set(keys.values()) <= set(archive.files)]
        if not known:
            raise BadInput(f"{path}: has the keys neither of MD17 nor of rMD17")
        arrays = {name: archive[key] for name, key in known[0].items()}
        return Frames(
            arrays["numbers"].astype(np.int64).reshape(-1),
            arrays["positions"].astype(np.float64),
            arrays["energies"].astype(np.float64).reshape(-1) * EV_PER_KCAL_PER_MOL,
            arrays["forces"].astype(np.float64) * EV_PER_KCAL_PER_MOL,
        )
