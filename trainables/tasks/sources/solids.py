"""Generated solids: points on the surfaces of random members of twelve families, one family per class.

Each cloud has its own aspect, its own share cut off by a plane, its own gradient of density and its own noise,
so that no class can be recognized from a size, a volume or a distribution of distances alone.
"""

from collections.abc import Callable

import numpy as np

from trainables.tasks.sources.clouds import Clouds

CLOUDS_AT_ONCE = 256
SPARE = 2  # points made for each one kept; cut and density choose among them
LARGEST_CUT = 0.15
LARGEST_NOISE = 0.02
DENSITY_GRADIENT = 0.5
ASPECT = 0.15  # standard deviation of the logarithm of the stretch along each axis
CIRCLE = 60  # corners of a polygon that stands for a circle

Random = np.random.Generator
Shape = tuple[int, int]
"""Clouds, points."""


def solids(count: int, points: int, seed: int, stream: int) -> Clouds:
    """Clouds of `points` points, z along each solid's axis; classes in turn, so all are equally frequent.

    Args:
        stream: Distinguishes the splits of one seed. A smaller count gives a prefix of a larger one.
    """
    labels = np.arange(count) % len(FAMILIES)
    blocks = []
    for block, first in enumerate(range(0, count, CLOUDS_AT_ONCE)):
        random = np.random.default_rng([seed, stream, block])
        # Always whole blocks, however much of the last one is kept: its numbers must not depend on the count.
        families = (first + np.arange(CLOUDS_AT_ONCE)) % len(FAMILIES)
        blocks.append(_solids(families, points, random))
    return Clouds(np.concatenate(blocks)[:count].astype(np.float32), labels.astype(np.int64))


def _solids(families: np.ndarray, points: int, random: Random) -> np.ndarray:
    """(clouds, points, 3), one of the given family each."""
    shape = len(families), SPARE * points
    surface = np.empty((*shape, 3))
    for index, family in enumerate(FAMILIES.values()):
        members = families == index
        surface[members] = family((int(members.sum()), shape[1]), random)
    surface *= np.exp(ASPECT * random.standard_normal((len(families), 1, 3)))
    surface -= surface.mean(1, keepdims=True)
    surface /= np.linalg.norm(surface, axis=2).max(1)[:, None, None]
    kept = _thinned(surface, points, random)
    noise = LARGEST_NOISE * random.random((len(families), 1, 1))
    return kept + noise * random.standard_normal(kept.shape)


def _thinned(surface: np.ndarray, points: int, random: Random) -> np.ndarray:
    """(clouds, points, 3) of the surface points, none beyond a random plane, more on one side than the other."""
    clouds = len(surface)
    plane, gradient = _directions((2, clouds, 1), random)
    depth = (surface * plane).sum(2)
    cut = LARGEST_CUT * random.random(clouds)
    beyond = depth.argsort(1).argsort(1) >= (1 - cut)[:, None] * surface.shape[1]
    log_density = DENSITY_GRADIENT * (surface * gradient).sum(2)
    # The largest of log-weights plus Gumbel noise are a weighted sample without replacement.
    keys = np.where(beyond, -np.inf, log_density + random.gumbel(size=log_density.shape))
    chosen = np.argpartition(-keys, points - 1, axis=1)[:, :points]
    return np.take_along_axis(surface, chosen[:, :, None], axis=1)


def _directions(shape: tuple[int, ...], random: Random) -> np.ndarray:
    """(*shape, 3) unit vectors, uniform on the sphere."""
    normal = random.standard_normal((*shape, 3))
    return normal / np.linalg.norm(normal, axis=-1, keepdims=True)


def _between(low: float, high: float, clouds: int, random: Random) -> np.ndarray:
    """(clouds, 1), uniform."""
    return low + (high - low) * random.random((clouds, 1))


def _boundary(corners: int, at: np.ndarray) -> np.ndarray:
    """(..., 2) on the regular polygon with corners on the unit circle; at (...,) in [0, 1) runs around it."""
    side, along = np.divmod(at * corners, 1)
    start, end = 2 * np.pi * side / corners, 2 * np.pi * (side + 1) / corners
    x = (1 - along) * np.cos(start) + along * np.cos(end)
    y = (1 - along) * np.sin(start) + along * np.sin(end)
    return np.stack([x, y], axis=-1)


def _tapered(corners: int, taper: float, shape: Shape, random: Random) -> np.ndarray:
    """A polygon that shrinks to `taper` of its size along z: a prism at 1, a pyramid at 0; with end faces."""
    height = np.exp(_between(-0.2, 0.8, shape[0], random))
    face = 0.5 * corners * np.sin(2 * np.pi / corners)
    side = corners * np.sin(np.pi / corners) * (1 + taper) * height
    on_face = random.random(shape) < face * (1 + taper**2) / (face * (1 + taper**2) + side)
    on_top = random.random(shape) < taper**2 / (1 + taper**2)
    # Lengths of sections fall linearly with the level: invert the resulting distribution.
    uniform = random.random(shape)
    level = uniform if taper == 1 else (1 - np.sqrt(1 - uniform * (1 - taper**2))) / (1 - taper)
    level = np.where(on_face, on_top, level)
    inwards = np.where(on_face, np.sqrt(random.random(shape)), 1.0)
    section = _boundary(corners, random.random(shape)) * (inwards * (1 - (1 - taper) * level))[..., None]
    return np.concatenate([section, (height * level)[..., None]], axis=2)


def _bipyramid(shape: Shape, random: Random) -> np.ndarray:
    height = np.exp(_between(-0.2, 0.5, shape[0], random))
    level = 1 - np.sqrt(random.random(shape))
    section = _boundary(4, random.random(shape)) * (1 - level)[..., None]
    return np.concatenate([section, (height * level * random.choice([-1, 1], shape))[..., None]], axis=2)


def _ellipsoid(shape: Shape, random: Random) -> np.ndarray:
    return _directions(shape, random)


def _dome(shape: Shape, random: Random) -> np.ndarray:
    sphere = _directions(shape, random)
    sphere[..., 2] = np.abs(sphere[..., 2])
    disc = _boundary(CIRCLE, random.random(shape)) * np.sqrt(random.random(shape))[..., None]
    disc = np.concatenate([disc, np.zeros((*shape, 1))], axis=2)
    return np.where((random.random(shape) < 1 / 3)[..., None], disc, sphere)


def _capsule(shape: Shape, random: Random) -> np.ndarray:
    length = _between(1.0, 3.0, shape[0], random)
    sphere = _directions(shape, random)
    sphere[..., 2] += np.sign(sphere[..., 2]) * length / 2
    side = _boundary(CIRCLE, random.random(shape))
    side = np.concatenate([side, (length * (random.random(shape) - 0.5))[..., None]], axis=2)
    return np.where((random.random(shape) < length / (length + 2))[..., None], side, sphere)


def _torus(shape: Shape, random: Random) -> np.ndarray:
    thickness = _between(0.2, 0.6, shape[0], random)
    around, across = 2 * np.pi * random.random((2, *shape))
    radius = 1 + thickness * np.cos(across)
    return np.stack([radius * np.cos(around), radius * np.sin(around), thickness * np.sin(across)], axis=2)


def _helix(shape: Shape, random: Random) -> np.ndarray:
    turns, pitch, thickness = (
        _between(low, high, shape[0], random) for low, high in [(1.5, 3.0), (0.4, 0.9), (0.1, 0.3)]
    )
    turn = turns * random.random(shape)
    line = np.stack([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn), pitch * turn], axis=2)
    return line + thickness[..., None] * _directions(shape, random)


def _family(corners: int, taper: float) -> Callable[[Shape, Random], np.ndarray]:
    return lambda shape, random: _tapered(corners, taper, shape, random)


FAMILIES: dict[str, Callable[[Shape, Random], np.ndarray]] = {
    "triangular prism": _family(3, 1.0),
    "box": _family(4, 1.0),
    "cylinder": _family(CIRCLE, 1.0),
    "tetrahedron": _family(3, 0.0),
    "pyramid": _family(4, 0.0),
    "cone": _family(CIRCLE, 0.0),
    "octahedron": _bipyramid,
    "ellipsoid": _ellipsoid,
    "dome": _dome,
    "capsule": _capsule,
    "torus": _torus,
    "helix": _helix,
}
"""Each family by its name: (clouds, points) -> (clouds, points, 3), random members, z along the axis."""
