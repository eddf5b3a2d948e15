"""StudyConfig: a study as its author writes it, from a preset or a YAML file. An unknown key is an error.

Everything a user can get wrong raises BadInput with one line that names the key and the remedy.
"""

from study.config.axes import arms_of, own_settings, resolve_at
from study.config.blocks import Equivalence, Published, Refine, Resources, SharedTraining
from study.config.read import PRESETS, load_config, override, presets, read_content
from study.config.resolve import outline, resolve_config
from study.config.study_config import StudyConfig, control_of, method_of, to_yaml

__all__ = [
    "PRESETS",
    "Equivalence",
    "Published",
    "Refine",
    "Resources",
    "SharedTraining",
    "StudyConfig",
    "arms_of",
    "control_of",
    "load_config",
    "method_of",
    "outline",
    "override",
    "own_settings",
    "presets",
    "read_content",
    "resolve_at",
    "resolve_config",
    "to_yaml",
]
