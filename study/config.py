"""StudyConfig: what is asked. From a preset or a YAML file, strict: an unknown key is an error.

Everything a user can get wrong raises BadInput with one line that names the key and the remedy.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator, model_validator

from study.grid import EVERY_ARM, STREAMS, USUAL, different, get_option, read_grid, set_option, split_axis
from study.search.settings import Search, check_search
from trainables.errors import BadInput, first_message, nearest
from trainables.options import options_model
from trainables.registry import locate, resolve
from trainables.results.yaml_text import BadYAML, read_yaml, write_yaml
from trainables.spec import Failure, Settings, Training, later
from trainables.worker.conditions import Limits

PRESETS = Path(__file__).parent / "presets"

if TYPE_CHECKING:
    SharedTraining = Training  # a type checker cannot follow a model that is made from another's fields
else:
    SharedTraining = create_model(
        "SharedTraining",
        __base__=Settings,
        **{
            name: (info.annotation, info)
            for name, info in Training.model_fields.items()
            if name not in ("lr", "optimizer_revision")
        },
    )
"""The training settings that all trials share: all but the learning rate, which the grid varies, and the edition of
the optimizer, which the plan fills in."""


class Resources(Settings):
    """What one trial gets, and how long it may take. None of it changes a result.

    cpus, gpus: per trial, fractions of a GPU share it; concurrent: most trials at once
    processes: that share each batch of a trial; each has its own GPU where `gpus` is not 0
    memory_gb: a worker that grows beyond it is stopped; timeout_minutes: a trial that takes longer is stopped
    """

    cpus: Annotated[float, Field(gt=0)] = 1
    gpus: Annotated[float, Field(ge=0)] = 0
    processes: Annotated[int, Field(ge=1)] = 1
    concurrent: Annotated[int, Field(ge=1)] | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    timeout_minutes: Annotated[float, Field(gt=0)] | None = None

    @field_validator("processes")
    @classmethod
    def _have_a_gpu_each(cls, processes: int, info: ValidationInfo) -> int:
        if processes > 1 and info.data.get("gpus") not in (0, processes):
            raise ValueError(f"each needs a whole GPU; set resources.gpus to {processes}, or to 0 for CPUs")
        return processes

    def limits(self) -> Limits:
        """Seconds and bytes of one trial, as the watchdog takes them."""
        return Limits(
            seconds=self.timeout_minutes and 60 * self.timeout_minutes,
            memory_bytes=self.memory_gb and 1e9 * self.memory_gb,
        )


class Equivalence(Settings):
    """The smallest effects that matter, stated beforehand; the report's verdicts are against them.

    failure_rate: difference of failure rates, a share of the trials
    score: difference of mean test scores, a share of the strict arm's
    """

    failure_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    score: Annotated[float, Field(gt=0)] | None = None


class Published(Settings):
    """A published value, shown beside ours and never used.

    arm, metric: whose and which; value: as published; source: where
    """

    arm: str
    metric: str
    value: float
    source: str


class Refine(Settings):
    """When to stop adding trials after the grid; widths decide, never p values.

    edge: half-width of the interval of LR50 to reach in each arm, in decades of learning rate
    score: half-width of the paired difference to the control to reach, as a share of the control's mean
    budget: most trials of the study, those of the grid included
    """

    edge: Annotated[float, Field(gt=0)] | None = None
    score: Annotated[float, Field(gt=0)] | None = None
    budget: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _asks_for_something(self) -> "Refine":
        if self.edge is None and self.score is None:
            raise ValueError("give `edge`, `score` or both")
        return self


class StudyConfig(Settings):
    """A study: arms compared on one grid.

    arms: name -> resolved method description, with the key `training` for settings of the arm's own
    control: the arm that the others are compared with; if None the first strict one that trains as all do
    grid: lr, seed, and dotted keys such as `training.optimizer` or `arms.triangle.penalty.lie`
    refine: further trials after the grid; search: learning rates drawn in place of `grid.lr` and `grid.seed`
    equivalence: the smallest effects that matter; published: values of others for the report to show
    """

    name: str
    task: dict[str, Any]
    model: dict[str, Any]
    training: SharedTraining = SharedTraining()
    arms: dict[str, dict[str, Any]]
    control: str | None = later(None)
    grid: dict[str, list[Any]]
    refine: Refine | None = later(None)
    search: Search | None = later(None)
    failure: Failure = Failure()
    resources: Resources = Resources()
    equivalence: Equivalence = later(Equivalence())
    published: tuple[Published, ...] = later(())

    @field_validator("published")
    @classmethod
    def _arms_are_ours(cls, published: tuple[Published, ...], info: ValidationInfo) -> tuple[Published, ...]:
        arms = list(info.data.get("arms", ()))
        for entry in published:
            if arms and entry.arm not in arms:
                raise ValueError(f"no arm '{entry.arm}' in arms; {nearest(entry.arm, arms)}")
        return published

    @field_validator("name")
    @classmethod
    def _name_fits_a_folder(cls, name: str) -> str:
        if not re.fullmatch(r"[^/\\\x00-\x1f]{1,100}", name) or name.strip(". ") == "":
            raise ValueError("must be 1 to 100 characters that fit a folder's name")
        return name


def load_config(source: str, overrides: list[str] | None = None) -> StudyConfig:
    """The resolved study behind a preset's name or a YAML file, with `key.path=value` overrides applied.

    Raises BadInput.
    """
    return override(_read(source), overrides or [])


def override(content: dict[str, Any], changes: list[str]) -> StudyConfig:
    """The resolved study in `content` with `key.path=value` changes applied. Raises BadInput."""
    for change in changes:
        _apply(content, change)
    return resolve_config(content)


def presets() -> list[str]:
    """Names of the studies that come with the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def resolve_config(content: dict[str, Any]) -> StudyConfig:
    """The study in `content` (as read from YAML) with all defaults filled in. Raises BadInput."""
    known = list(StudyConfig.model_fields)
    for key in content:
        if key not in known:
            raise BadInput(f"{key}: unknown key; {nearest(str(key), known)}")
    for key in ("name", "task", "model", "arms"):
        if content.get(key) is None:
            raise BadInput(f"{key}: missing")
    arms = content["arms"]
    if not isinstance(arms, dict) or not arms:
        raise BadInput("arms: must name at least one arm, such as `strict: {method: strict}`")
    check_search(content)
    settled = {
        **content,
        "task": resolve("task", _named(content["task"], "task")),
        "model": resolve("model", _named(content["model"], "model")),
        "arms": {str(name): _arm(str(name), arm) for name, arm in arms.items()},
        "grid": read_grid(
            content.get("grid") or {},
            [str(name) for name in arms],
            USUAL if content.get("search") is None else {},
        ),
    }
    try:
        config = StudyConfig(**settled)
    except ValidationError as error:
        raise BadInput(first_message(error, "", StudyConfig)) from error
    axes = {
        key: different(key, [_checked(config, key, each) for each in axis])
        for key, axis in config.grid.items()
    }
    return config.model_copy(update={"grid": axes})


def _read(source: str) -> dict[str, Any]:
    path = PRESETS / f"{source}.yaml" if re.fullmatch(r"[\w.-]+", source) else Path(source)
    if not path.is_file():
        path = Path(source)
    if not path.is_file():
        raise BadInput(f"CONFIG: no preset and no file '{source}'; {nearest(source, presets())}")
    try:
        content = read_yaml(path.read_text(encoding="utf-8"))
    except BadYAML as error:
        raise BadInput(f"CONFIG: {source}, {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"CONFIG: {source} cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadInput(
            f"CONFIG: {source} must be a mapping with the keys {', '.join(StudyConfig.model_fields)}"
        )
    return content


def _apply(content: dict[str, Any], change: str) -> None:
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise BadInput(f"--set {change}: write key.path=value")
    try:
        value = read_yaml(text)
    except BadYAML as error:
        raise BadInput(f"--set {change}: {error}") from error
    while True:
        part = _first_part(content, key)
        if part == key:
            content[part] = value
            return
        if not isinstance(content.setdefault(part, {}), dict):
            raise BadInput(f"--set {change}: {part} holds a value, not keys")
        content, key = content[part], key[len(part) + 1 :]


def _first_part(content: dict[str, Any], key: str) -> str:
    """The longest beginning of a dotted key that is a key of the content: names of arms and axes hold dots."""
    if content is not None and key in content:
        return key
    known = [part for part in content if key.startswith(f"{part}.")]
    return max(known, key=len, default=key.partition(".")[0])


def _named(description: Any, key: str) -> dict[str, Any]:
    if isinstance(description, str):
        description = {"name": description}
    if not isinstance(description, dict) or not isinstance(description.get("name"), str):
        raise BadInput(f"{key}.name: missing; write `{key}: {{name: ...}}`")
    return {str(name): value for name, value in description.items()}


def _arm(name: str, arm: Any) -> dict[str, Any]:
    where = f"arms.{name}"
    if not isinstance(arm, dict) or not isinstance(arm.get("method"), str):
        raise BadInput(f"{where}.method: missing; write `{name}: {{method: strict}}`")
    options = {str(key): value for key, value in arm.items() if key not in ("method", "training")}
    resolved = resolve("method", {"name": arm["method"], **options}, where)
    own = _own_training(arm.get("training") or {}, f"{where}.training")
    return {**resolved, "training": own} if own else resolved


def _own_training(settings: Any, where: str) -> dict[str, Any]:
    """The training settings of one arm alone, checked, without defaults."""
    if not isinstance(settings, dict):
        raise BadInput(f"{where}: must be a mapping such as `{{warmup: 0.1}}`")
    try:
        checked = SharedTraining(**{str(key): value for key, value in settings.items()})
    except ValidationError as error:
        raise BadInput(first_message(error, where, SharedTraining)) from error
    return {str(key): getattr(checked, str(key)) for key in settings}


def method_of(arm: dict[str, Any]) -> dict[str, Any]:
    """The resolved method description of an arm."""
    return {key: value for key, value in arm.items() if key != "training"}


def control_of(config: StudyConfig) -> str | None:
    """The arm that the others are compared with: the one named, or the first strict one that trains as all do."""
    plain = (name for name, arm in config.arms.items() if arm["name"] == "strict" and "training" not in arm)
    return config.control or next(plain, None)


def arms_of(config: StudyConfig, axis: str) -> list[str]:
    """The arms that an axis of the grid applies to: all, or those it names that have the option."""
    if not axis.startswith("arms."):
        return list(config.arms)
    where, path = split_axis(axis, list(config.arms))
    name = where.removeprefix("arms.")
    if name != EVERY_ARM:
        return [name]
    if path[0] == "training":
        return list(config.arms)
    having = [arm for arm, method in config.arms.items() if path[0] in _options_of(method)]
    if not having:
        known = sorted({option for method in config.arms.values() for option in _options_of(method)})
        raise BadInput(f"grid.{axis}: no arm has the option '{path[0]}'; {nearest(path[0], known)}")
    return having


def own_settings(config: StudyConfig, arm: str) -> set[str]:
    """The training settings of one arm alone, given as a setting or as an axis."""
    own = set(config.arms[arm].get("training", {}))
    for axis in config.grid:
        if axis.startswith("arms.") and arm in arms_of(config, axis):
            first, *rest = split_axis(axis, list(config.arms))[1]
            own |= {".".join(rest)} if first == "training" else set()
    return own


def _options_of(method: dict[str, Any]) -> list[str]:
    return list(options_model("method", locate("method", method["name"])).model_fields)


def _checked(config: StudyConfig, axis: str, value: Any) -> Any:
    """A value of an axis as the setting's type has it; BadInput where the setting does not take it."""
    checked = _settled(config, axis, value)
    if axis.startswith("arms.") and control_of(config) in arms_of(config, axis):
        raise BadInput(
            f"grid.{axis}: '{control_of(config)}' is the control, which all are compared with; "
            "name another `control`, or give each value an arm of its own"
        )
    return checked


def _settled(config: StudyConfig, axis: str, value: Any) -> Any:
    if axis in ("lr", "seed", *STREAMS):
        return value
    where, path = split_axis(axis, list(config.arms))
    arms = arms_of(config, axis)
    if where == "training":
        for arm in config.arms:
            if path[0] in own_settings(config, arm):
                raise BadInput(
                    f"grid.{axis}: the arm '{arm}' sets {axis} itself; leave it out of the grid or of the arm"
                )
    if where.startswith("arms.") and path[0] == "training":
        return _own_training({".".join(path[1:]): value}, f"grid.{where}.training")[path[1]]
    if where == "training":
        return get_option(_training_with(config, path, value), path, value)
    if where in ("task", "model"):
        return get_option(resolve_at(where, getattr(config, where), path, value), path, value)
    found = [
        get_option(
            resolve_at("method", method_of(config.arms[arm]), path, value, f"grid.arms.{arm}"), path, value
        )
        for arm in arms
    ]
    return found[0]


def resolve_at(
    kind: str, description: dict[str, Any], path: list[str], value: Any, where: str | None = None
) -> dict[str, Any]:
    """A resolved description with the option at `path` set to a value of an axis, resolved again."""
    where = where or f"grid.{kind}"
    try:
        return resolve(kind, set_option(description, path, value), where)
    except BadInput as error:
        if path == ["name"]:
            raise BadInput(
                f"{where}.name: '{value}' does not take the options of '{description['name']}' ({error}); "
                "make a study of each, and see both with `study report A B --to DIR`"
            ) from error
        raise


def _training_with(config: StudyConfig, path: list[str], value: Any) -> dict[str, Any]:
    training = set_option(config.training.model_dump(), path, value)
    try:
        return SharedTraining(**training).model_dump()
    except ValidationError as error:
        raise BadInput(first_message(error, "grid.training", SharedTraining)) from error


def to_yaml(config: StudyConfig) -> str:
    """The resolved config as YAML; `load_config` of it gives the same plan."""
    content = config.model_dump(mode="json")
    content["arms"] = {
        name: {"method": arm["name"], **{key: value for key, value in arm.items() if key != "name"}}
        for name, arm in content["arms"].items()
    }
    return write_yaml(content)
