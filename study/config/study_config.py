"""StudyConfig, a study with every default filled in, and functions that read it."""

import re
from typing import Any

from pydantic import ValidationInfo, field_validator

from study.config.blocks import Equivalence, Published, Refine, Resources, SharedTraining
from study.search.settings import Search
from trainables.errors import nearest
from trainables.results.yaml_text import write_yaml
from trainables.spec import Failure, Settings, later


class StudyConfig(Settings):
    """A study: arms compared on one grid.

    Attributes:
        name: Name of the study and its results folder.
        task: Its name under `name`, and its options; see `task NAME`.
        model: Its name under `name`, and its options; see `model NAME`.
        training: Settings that all arms share; see `training`.
        arms: For each arm, by name, the name of its method under `method`, the options of `method NAME`, and under
            `training` the settings of this arm alone.
        control: The arm that the others are compared with; if None, the first strict arm without `training` settings.
        grid: Values of lr, seed, and dotted keys such as `training.optimizer` or `arms.triangle.penalty.lie`.
        refine: Further trials after the grid.
        search: Learning rates drawn in place of `grid.lr` and `grid.seed`.
        failure: When a trial has failed; see `failure`.
        resources: The share of the machine that each trial gets; see `resources`.
        equivalence: The smallest effects that matter.
        published: Published values for the report to show.
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
            raise ValueError("must be 1 to 100 characters that are allowed in a folder name")
        return name


def method_of(arm: dict[str, Any]) -> dict[str, Any]:
    """The resolved method description of an arm."""
    return {key: value for key, value in arm.items() if key != "training"}


def control_of(config: StudyConfig) -> str | None:
    """The arm that the others are compared with: the one named, or the first strict one without `training`."""
    plain = (name for name, arm in config.arms.items() if arm["name"] == "strict" and "training" not in arm)
    return config.control or next(plain, None)


def to_yaml(config: StudyConfig) -> str:
    """The resolved config as YAML; reading it with `load_config` gives the same plan."""
    content = config.model_dump(mode="json")
    content["arms"] = {
        name: {"method": arm["name"], **{key: value for key, value in arm.items() if key != "name"}}
        for name, arm in content["arms"].items()
    }
    return write_yaml(content)
