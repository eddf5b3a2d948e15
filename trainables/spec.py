"""TrialSpec: all that decides the result of a trial, and nothing else. Its id is a hash of its content."""

import re
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    field_validator,
    model_serializer,
    model_validator,
)

from trainables.results.canonical import trial_id
from trainables.training.optimizer_names import MOMENTUM, check_optimizer, check_options

TRIAL_ID = re.compile("[0-9a-f]{16}")
Positive = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


LATER: dict[str, JsonValue] = {"later": True}


def later(default: Any = ..., **constraints: Any) -> Any:
    """A setting added after the first edition; see `Settings`. In a signature: `Annotated[int, later()] = 3`."""
    return Field(default, json_schema_extra=LATER, **constraints)


def _may_be_bool(annotation: Any) -> bool:
    return annotation in (Any, bool) or any(map(_may_be_bool, get_args(annotation)))


class Settings(BaseModel):
    """A block of settings in which an unknown key, NaN or infinity is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_number_from_true(cls, value: Any, info: ValidationInfo) -> Any:
        """Reject true or false for a number; pydantic would accept them as 1 or 0."""
        field = cls.model_fields[info.field_name or ""]
        if isinstance(value, bool) and not _may_be_bool(field.annotation):
            raise ValueError(f"is {str(value).lower()}, but must be a number or a name")
        return value

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out settings declared with `later` that have their default.

        This preserves the ids of specs from before the setting existed.
        """
        content = serialize(self)
        for name, info in type(self).model_fields.items():
            if info.json_schema_extra == LATER and getattr(self, name) == info.default:
                content.pop(name, None)
        return content


class Training(Settings):
    """The optimization, the same for every arm.

    Attributes:
        optimizer: adam, adamw, sgd, muon, adam_block, or `package.module:Class`, a torch.optim.Optimizer.
        optimizer_options: Arguments of that class besides parameters, lr and weight_decay; optimizers named
            without a colon take none.
        optimizer_revision: The edition of the optimizer, filled in by the plan.
        adamw_factor: Factor on the learning rate for the parameters that Muon leaves to AdamW.
        lr: Peak learning rate.
        warmup: Share of the steps with linear warm-up.
        lr_schedule: Learning-rate schedule after the warm-up.
        clip: Largest gradient norm of the trunk, None for no clipping.
        select: The epoch that is delivered and tested, best on validation (of the projected model) or last.
        validate_every: Epochs from one validation to the next; the last epoch is always validated.
        precision, tf32: Arithmetic of forward and backward; the reference presets use float32 without tf32.
        compile: Whether the network is compiled; auto compiles from 5,000 steps, which repay the compilation.
    """

    optimizer: Annotated[str, AfterValidator(check_optimizer)] = "adam"
    lr: Positive = 1e-3
    lr_schedule: Literal["constant", "cosine", "step"] = "constant"
    warmup: Share = 0.0
    batch_size: Annotated[int, Field(ge=1)] = 100
    epochs: Annotated[int, Field(ge=1)] = 100
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    momentum: Annotated[float, Field(ge=0, lt=1)] = MOMENTUM
    clip: Positive | None = None
    precision: Literal["float32", "float64", "bfloat16"] = "float32"
    tf32: bool = False
    compile: bool | Literal["auto"] = False
    select: Annotated[Literal["best", "last"], later()] = "best"
    optimizer_options: dict[str, Any] = later({})
    optimizer_revision: Annotated[int, Field(ge=1)] = later(1)
    adamw_factor: Positive = later(1.0)
    validate_every: Annotated[int, Field(ge=1)] = later(1)

    @model_validator(mode="after")
    def _options_fit(self) -> "Training":
        check_options(
            self.optimizer, self.optimizer_options, self.weight_decay, self.momentum, self.adamw_factor
        )
        return self


class NotLearned(Settings):
    """The rule for `not_learned`.

    Attributes:
        margin: Share of the way from the trivial predictor to the ideal that the best metric must have
            covered.
    """

    margin: Annotated[float, Field(ge=0, lt=1)] = 0.05


class Diverged(Settings):
    """The rule for `diverged`.

    A loss without an ideal may rise by `factor - 1` times its scale; see trainables.training.outcome.

    Attributes:
        factor: Multiple of its value at initialization that the training loss may reach.
    """

    factor: Annotated[float, Field(gt=1)] = 10.0


class Collapsed(Settings):
    """The rule for `collapsed`.

    Attributes:
        factor: Factor by which the last gain over the trivial predictor may be smaller than the trial's best
            gain.
    """

    factor: Annotated[float, Field(gt=1)] = 5.0


class Failure(Settings):
    """When a finished training counts as failed. The rules never look at the arm."""

    not_learned: NotLearned = NotLearned()
    diverged: Diverged = Diverged()
    collapsed: Collapsed = Collapsed()


class Seeds(Settings):
    """Seeds of individual streams of random numbers that differ from the trial's seed.

    Attributes:
        init: Initial weights, including those of companions.
        order: Order of the samples.
    """

    init: Annotated[int, Field(ge=0)] | None = later(None)
    order: Annotated[int, Field(ge=0)] | None = later(None)


class TrialSpec(Settings):
    """One trial.

    Attributes:
        task, model, method: Resolved descriptions `{name: ..., option: ...}`, every option filled in.
        seed: Decides initialization, order of the samples, dropout and augmentation, each through its own
            stream.
        seeds: Seeds of the streams that have a different seed.
    """

    task: dict[str, Any]
    model: dict[str, Any]
    method: dict[str, Any]
    training: Training
    failure: Failure
    seed: Annotated[int, Field(ge=0)]
    seeds: Seeds = later(Seeds())

    @model_validator(mode="after")
    def _named(self) -> "TrialSpec":
        for kind in ("task", "model", "method"):
            if "name" not in getattr(self, kind):
                raise ValueError(f"{kind}.name: missing")
        return self

    @property
    def init_seed(self) -> int:
        """The seed of the initial weights."""
        return self.seed if self.seeds.init is None else self.seeds.init

    @property
    def order_seed(self) -> int:
        """The seed of the order of the samples."""
        return self.seed if self.seeds.order is None else self.seeds.order

    @property
    def id(self) -> str:
        """16 hexadecimal digits of the SHA-256 of the content; equal specs have equal ids."""
        return trial_id(self.model_dump(mode="json"))
