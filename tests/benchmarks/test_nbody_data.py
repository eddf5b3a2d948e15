"""Data of the n-body task: all trajectories of a block at once, against one after another to the last frame."""

import numpy as np

from trainables.tasks.nbody import (
    LARGEST_FORCE,
    PAIRS_AT_ONCE,
    STEPS_PER_FRAME,
    TARGET_FRAME,
    TIME_STEP,
    initial_conditions,
    integrate,
)

ALL_STEPS = 5000
TRAJECTORIES = 2 * PAIRS_AT_ONCE // (5 * 4)  # a block of five bodies


def one_trajectory(positions, velocities, charges, steps):
    """The frames (frames, 2, bodies, 3) of a trajectory, by matrices of all ordered pairs in each step."""
    x, v, frames = positions.copy(), velocities.copy(), []
    couplings = np.outer(charges, charges)
    np.fill_diagonal(couplings, 0.0)
    for step in range(steps):
        if step % STEPS_PER_FRAME == 0:
            frames.append(np.stack([x, v]))
        differences = x[:, None] - x[None]
        distances = np.linalg.norm(differences, axis=-1)
        np.fill_diagonal(distances, 1.0)
        force = ((couplings / distances**3)[..., None] * differences).sum(1)
        v = v + TIME_STEP * np.clip(force, -LARGEST_FORCE, LARGEST_FORCE)
        x = x + TIME_STEP * v
    return np.stack(frames)


def test_trajectories_at_once(compare):
    """The ratio compares the times per trajectory."""
    positions, velocities, charges = initial_conditions(5, "charges", TRAJECTORIES, 43, 0)
    frames = []

    def reference():
        frames.append(one_trajectory(positions[0], velocities[0], charges[0], ALL_STEPS))

    states = []

    def ours():
        states.append(integrate(positions, velocities, charges, "charges", TARGET_FRAME * STEPS_PER_FRAME))

    compare("n-body data", reference, ours, rounds=3, units=(1, TRAJECTORIES))
    np.testing.assert_allclose(states[0][0][0], frames[0][TARGET_FRAME][0], rtol=1e-6, atol=1e-9)
