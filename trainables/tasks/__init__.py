"""The tasks, their units and their shapes.

Every task passes its models a Graph: nodes of all samples of a batch one after the other, positions
(nodes, 3). Models answer in the units below. "samples" counts molecules, systems or clouds; a batch of B
samples with n nodes each has B n nodes and, on complete graphs, B n (n - 1) directed edges, sorted by
receiver.

nbody: simulation units throughout (unit mass, unit coupling, time step 0.001; no conversion to SI is meant)
    positions, velocities, targets   (samples, bodies, 3)   length; length / time; length, 1 time unit later
    charges                          (samples, bodies)      +-1; masses, all 1, under gravity
    model sees                       velocity as one vector per node, product of charges as one scalar per edge
    model returns                    (nodes, 3)             displacement, added to the position
    mse                              length^2               mean over coordinates, bodies and samples; min
    trivial predictor                constant velocity
    symmetry                         rotations, inversion, translations, permutations

pointclouds: dimensionless, centered, farthest point at distance 1
    points                           (samples, points, 3)
    label                            (samples,)             whole numbers from 0 to classes - 1
    model sees                       positions only, and finds its own neighbors
    model returns                    (samples, classes)     logits
    accuracy                         share of 1             max
    trivial predictor                the most frequent class
    symmetry                         rotations and permutations; mirror images may be another class

forces: angstrom, eV, eV/angstrom (MD17's kcal/mol, and units that a file names, are converted on reading)
    positions                        (samples, atoms, 3)    angstrom
    energies                         (samples,)             eV, minus the energies of the isolated atoms if known
                                                            and minus the training mean
    forces                           (samples, atoms, 3)    eV/angstrom
    model sees                       the element of each atom, one-hot, and the complete graph
    model returns                    (samples, 1)           energy (as above), in units of the root mean
                                                            square training force times 1 angstrom
    force_mae                        meV/angstrom           mean absolute error of the components; min; judged
    energy_mae                       meV                    of the whole molecule, not for each atom
    trivial predictor                no force, mean training energy
    symmetry                         rotations, inversion, translations, permutations of atoms of one element

mocap: the unit of the recordings (about 5.6 cm in the public database), time in frames
    positions, velocities, targets   (samples, joints, 3)   length; length / frame; length, `frames_ahead` later
    model sees                       velocity as one vector per node, the number of links (1 or 2) on each edge, and
                                     with `height` the height of each joint as a scalar
    model returns                    (nodes, 3)             displacement, added to the position
    mse                              length^2               mean over coordinates, joints and samples; min
    trivial predictor                the best of: no motion, constant velocity, mean velocity of the body
    symmetry                         rotations about the vertical, horizontal translations and permutations with
                                     `height`; all rotations and translations without
"""
