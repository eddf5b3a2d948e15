"""Acclaim's text format of recorded motion: a skeleton (.asf) and its joint angles over time (.amc).

The end of each bone is a joint; so is the root. With C the rotation of a bone's own axes and M that of its
angles, a bone turns by C M C^-1 relative to its parent, and its end is `length` times its turned direction
away from the parent's end. Rotations are applied in the order in which the file names them. Lengths stay in
the file's unit.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from trainables.errors import BadInput, nearest
from trainables.tasks.sources.motion import Motion, check_motion

CHANNELS = ("tx", "ty", "tz", "rx", "ry", "rz")


@dataclass(frozen=True)
class Bone:
    """A bone in the skeleton's rest position; the root has length 0.

    Attributes:
        offset: (3,) from its parent's end to its own.
        axes: Axes of its angles.
        channels: The names of its values in each frame.
        parent: The index of its parent, -1 for the root.
    """

    name: str
    offset: np.ndarray
    axes: Rotation
    channels: tuple[str, ...]
    parent: int


def read_subject(folder: Path) -> Motion:
    """All sequences of a subject, sorted by name, from one .asf and any number of .amc files in a folder."""
    skeletons, recordings = sorted(folder.glob("*.asf")), sorted(folder.glob("*.amc"))
    if len(skeletons) != 1 or not recordings:
        raise BadInput(
            f"task.subject: {folder} contains {len(skeletons)} .asf and {len(recordings)} .amc files; "
            "one .asf and at least one .amc are needed"
        )
    bones, degrees = read_skeleton(skeletons[0])
    sequences = [positions(bones, read_angles(path, bones, degrees)) for path in recordings]
    links = np.array([(index, bone.parent) for index, bone in enumerate(bones) if bone.parent >= 0])
    motion = Motion(links, sequences, [str(path) for path in recordings])
    check_motion(motion, str(folder))
    return motion


def read_skeleton(path: Path) -> tuple[list[Bone], bool]:
    """The bones, parents before children, and whether angles are in degrees."""
    sections = _sections(path)
    units = dict(line[:2] for line in sections.get("units", []) if len(line) >= 2)
    degrees = units.get("angle", "deg").startswith("deg")
    try:
        described = {"root": _root(sections["root"], degrees)}
        for block in _blocks(sections["bonedata"]):
            bone = _bone(block, degrees)
            described[bone.name] = bone
        parents = {
            child: line[0] for block in _blocks(sections["hierarchy"]) for line in block for child in line[1:]
        }
    except (KeyError, ValueError, IndexError) as error:
        raise BadInput(f"{path}: not a complete skeleton in Acclaim's format: {error}") from error
    for name in (*parents, *parents.values()):
        if name not in described:
            raise BadInput(
                f"{path}: unknown joint '{name}' in the hierarchy; {nearest(name, list(described))}"
            )
    return _in_order(described, parents, path), degrees


def read_angles(path: Path, bones: list[Bone], degrees: bool) -> list[dict[str, np.ndarray]]:
    """For each frame, the values of each bone with channels, angles in radians; frames are counted from 1."""
    known = {bone.name: bone for bone in bones if bone.channels}
    frames: list[dict[str, np.ndarray]] = []
    for line in _lines(path):
        if line[0].startswith(":"):
            degrees = {":degrees": True, ":radians": False}.get(line[0].lower(), degrees)
        elif len(line) == 1 and line[0].isdigit():
            if frames:
                _check_complete(path, len(frames), frames[-1], known)
            if int(line[0]) != len(frames) + 1:
                raise BadInput(f"{path}: frame {len(frames) + 1} is missing; frame {line[0]} is in its place")
            frames.append({})
        elif not frames:
            raise BadInput(f"{path}: '{line[0]}' appears before frame 1")
        else:
            frames[-1][line[0]] = _values(path, len(frames), line, known, degrees)
    if not frames:
        raise BadInput(f"{path}: contains no frames")
    _check_complete(path, len(frames), frames[-1], known)
    return frames


def positions(bones: list[Bone], frames: list[dict[str, np.ndarray]]) -> np.ndarray:
    """(frames, bones, 3) the ends of all bones, by forward kinematics."""
    ends = np.zeros((len(frames), len(bones), 3))
    turned: list[Rotation] = []
    for index, bone in enumerate(bones):
        if bone.channels:
            numbers = np.array([frame[bone.name] for frame in frames])
        else:
            numbers = np.zeros((len(frames), 0))
        local = bone.axes * _rotation(bone.channels, numbers) * bone.axes.inv()
        turned.append(local if bone.parent < 0 else turned[bone.parent] * local)
        start = bone.offset if bone.parent < 0 else ends[:, bone.parent] + turned[index].apply(bone.offset)
        ends[:, index] = start
        for channel, column in zip(bone.channels, numbers.T, strict=True):
            if channel.startswith("t"):
                ends[:, index, "xyz".index(channel[1])] += column
    return ends


def _rotation(channels: tuple[str, ...], numbers: np.ndarray) -> Rotation:
    """(frames,) the rotations about the fixed axes that the channels name, one after the other."""
    rotation = Rotation.from_rotvec(np.zeros((len(numbers), 3)))
    for channel, column in zip(channels, numbers.T, strict=True):
        if channel.startswith("r"):
            vectors = np.zeros((len(numbers), 3))
            vectors[:, "xyz".index(channel[1])] = column
            rotation = Rotation.from_rotvec(vectors) * rotation
    return rotation


def _axes(angles: list[str], order: str, degrees: bool) -> Rotation:
    if sorted(order.lower()) != ["x", "y", "z"]:
        raise ValueError(f"axis order '{order}'")
    return Rotation.from_euler(order.lower(), [float(angle) for angle in angles], degrees=degrees)


def _root(lines: list[list[str]], degrees: bool) -> Bone:
    entries = {line[0]: line[1:] for line in lines}
    axes = _axes(entries["orientation"], entries.get("axis", ["XYZ"])[0], degrees)
    return Bone("root", np.array(entries["position"], float), axes, _channels(entries["order"]), -1)


def _bone(lines: list[list[str]], degrees: bool) -> Bone:
    entries = {line[0]: line[1:] for line in lines}
    direction = np.array(entries["direction"], float)
    if direction.shape != (3,) or not direction.any():
        raise ValueError(f"direction of {entries['name'][0]}")
    offset = float(entries["length"][0]) * direction / np.linalg.norm(direction)
    *angles, order = entries["axis"]
    return Bone(
        entries["name"][0], offset, _axes(angles, order, degrees), _channels(entries.get("dof", [])), -1
    )


def _channels(names: list[str]) -> tuple[str, ...]:
    channels = tuple(name.lower() for name in names)
    unknown = [name for name in channels if name not in CHANNELS]
    if unknown:
        raise ValueError(f"degree of freedom '{unknown[0]}'")
    return channels


def _in_order(described: dict[str, Bone], parents: dict[str, str], path: Path) -> list[Bone]:
    """The bones with parents before children, otherwise in the order of the skeleton."""
    indices = {"root": 0}
    bones = [described["root"]]
    waiting = [name for name in described if name != "root"]
    while waiting:
        ready = [name for name in waiting if parents.get(name) in indices]
        if not ready:
            raise BadInput(f"{path}: joint '{waiting[0]}' is not connected to the root")
        name = ready[0]
        bone = described[name]
        indices[name] = len(bones)
        bones.append(Bone(name, bone.offset, bone.axes, bone.channels, indices[parents[name]]))
        waiting.remove(name)
    return bones


def _values(path: Path, frame: int, line: list[str], known: dict[str, Bone], degrees: bool) -> np.ndarray:
    name, *words = line
    if name not in known:
        raise BadInput(f"{path}: frame {frame}: unknown joint '{name}'; {nearest(name, list(known))}")
    channels = known[name].channels
    try:
        numbers = np.array(words, dtype=float)
    except ValueError:
        numbers = np.empty(0)
    if len(numbers) != len(channels) or not np.isfinite(numbers).all():
        raise BadInput(f"{path}: frame {frame}: joint '{name}' needs {len(channels)} finite numbers")
    angles = np.array([channel.startswith("r") for channel in channels])
    return np.where(angles, np.radians(numbers), numbers) if degrees else numbers


def _check_complete(path: Path, frame: int, found: dict[str, np.ndarray], known: dict[str, Bone]) -> None:
    for name in known:
        if name not in found:
            raise BadInput(f"{path}: frame {frame}: joint '{name}' is missing")


def _lines(path: Path) -> list[list[str]]:
    """The words of each line, without blank lines and comments."""
    try:
        text = path.read_text(encoding="latin1")
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from error
    lines = (line.split("#", 1)[0].split() for line in text.splitlines())
    return [line for line in lines if line]


def _sections(path: Path) -> dict[str, list[list[str]]]:
    """The lines under each ':keyword'."""
    sections: dict[str, list[list[str]]] = {}
    current: list[list[str]] = []
    for line in _lines(path):
        if line[0].startswith(":"):
            current = sections.setdefault(line[0][1:].lower(), [])
        else:
            current.append(line)
    return sections


def _blocks(lines: list[list[str]]) -> list[list[list[str]]]:
    """The lines between each 'begin' and 'end'."""
    blocks: list[list[list[str]]] = []
    inside = False
    for line in lines:
        if line[0] == "begin":
            blocks.append([])
        elif inside and line[0] != "end":
            blocks[-1].append(line)
        inside = line[0] == "begin" or (inside and line[0] != "end")
    return blocks
