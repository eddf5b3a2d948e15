"""The blocks of a config that are the same whatever a study names."""

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
    """What one trial gets, and how long it may take. None of it changes a result.

    Attributes:
        cpus: CPUs of each trial.
        gpus: GPUs of each trial; trials with a fraction share one.
        concurrent: Most trials at once.
        processes: Processes that share each batch of a trial; each has its own GPU where `gpus` is not 0.
        memory_gb: A worker that grows beyond it is stopped.
        timeout_minutes: A trial that takes longer is stopped.
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

    Attributes:
        failure_rate: Difference of failure rates, a share of the trials.
        score: Difference of mean test scores, a share of the strict arm's.
    """

    failure_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    score: Annotated[float, Field(gt=0)] | None = None


class Published(Settings):
    """A published value, shown beside ours and never used.

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
        edge: Half-width of the interval of LR50 to reach in each arm, in decades of learning rate.
        score: Half-width of the paired difference to the control to reach, as a share of the control's mean.
        budget: Most trials of the study, those of the grid included.
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
