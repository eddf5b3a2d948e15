"""The blocks of a config that are the same for every task, model and method."""

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError, ValidationInfo, create_model, field_validator, model_validator

from trainables.errors import BadInput, first_message
from trainables.spec import Settings, Training
from trainables.worker.conditions import Limits

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
    """The resources that one trial gets, and its limits. None of them changes a result.

    Attributes:
        cpus: CPUs of each trial.
        gpus: GPUs of each trial; trials with a fraction share one.
        concurrent: Largest number of trials at once.
        processes: Processes that share each batch of a trial; each has its own GPU unless `gpus` is 0.
        memory_gb: Memory beyond which a worker is stopped.
        timeout_minutes: Time after which a trial is stopped.
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
        """The limits of one trial in seconds and bytes, as the watchdog expects them."""
        return Limits(
            seconds=self.timeout_minutes and 60 * self.timeout_minutes,
            memory_bytes=self.memory_gb and 1e9 * self.memory_gb,
        )


class Equivalence(Settings):
    """The smallest effects that matter, stated beforehand; the report's verdicts refer to them.

    Attributes:
        failure_rate: Difference of failure rates, as a share of the trials.
        score: Difference of mean test scores, as a share of the strict arm's.
    """

    failure_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    score: Annotated[float, Field(gt=0)] | None = None


class Published(Settings):
    """A published value, shown beside ours but never used.

    Attributes:
        arm: Arm that the value belongs to.
        metric: Name of the metric.
        value: The published value.
        source: Where it was published.
    """

    arm: str
    metric: str
    value: float
    source: str


class Refine(Settings):
    """When to stop adding trials after the grid; widths decide, never p values.

    Attributes:
        edge: Half-width to reach for the interval of LR50 in each arm, in decades of learning rate.
        score: Half-width to reach for the paired difference from the control, as a share of the control's mean.
        budget: Largest number of trials of the study, including those of the grid.
    """

    edge: Annotated[float, Field(gt=0)] | None = None
    score: Annotated[float, Field(gt=0)] | None = None
    budget: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _asks_for_something(self) -> "Refine":
        if self.edge is None and self.score is None:
            raise ValueError("give `edge`, `score` or both")
        return self


def own_training(settings: Any, where: str) -> dict[str, Any]:
    """The training settings of one arm alone, checked, without defaults."""
    if not isinstance(settings, dict):
        raise BadInput(f"{where}: must be a mapping such as `{{warmup: 0.1}}`")
    try:
        checked = SharedTraining(**{str(key): value for key, value in settings.items()})
    except ValidationError as error:
        raise BadInput(first_message(error, where, SharedTraining)) from error
    return {str(key): getattr(checked, str(key)) for key in settings}
