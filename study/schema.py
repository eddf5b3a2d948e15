"""The JSON schema of a config as users write it, for editors that complete and check YAML."""

from typing import Any

from pydantic import TypeAdapter

from study.config import SharedTraining, StudyConfig
from trainables.options import options_model
from trainables.registry import REGISTRY, locate

OWN = {"type": "string", "pattern": "^.+:.+$", "description": "package.module:Name of your own"}
GRID = {
    "type": "object",
    "description": "axes: lr, seed, or the dotted key of any setting of task, model, training or arms.NAME",
    "additionalProperties": {
        "anyOf": [
            {"type": "array", "minItems": 1},
            {"type": ["number", "string", "boolean", "null"]},
            {
                "type": "object",
                "properties": {
                    "log": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                    "points": {"type": "integer", "minimum": 2, "maximum": 1000},
                },
                "required": ["log", "points"],
                "additionalProperties": False,
            },
        ]
    },
}


def schema() -> dict[str, Any]:
    """Draft 2020-12: the blocks of a config with the options of everything that is registered."""
    definitions: dict[str, Any] = {}

    def block(kind: Any) -> dict[str, Any]:
        found = TypeAdapter(kind).json_schema(ref_template="#/$defs/{model}")
        definitions.update(found.pop("$defs", {}))
        return found

    def described(kind: str, key: str) -> dict[str, Any]:
        known = [
            _one(block(options_model(kind, locate(kind, name))), key, {"const": name})
            for name in REGISTRY[kind]
        ]
        own = _one({"type": "object", "additionalProperties": True}, key, OWN)
        return {"anyOf": [*known, own]}

    names = {kind: {"anyOf": [{"enum": list(REGISTRY[kind])}, OWN]} for kind in ("task", "model")}
    arm = described("method", "method")
    for method in arm["anyOf"]:
        method["properties"]["training"] = block(SharedTraining)
    special = {
        "name": {"type": "string", "minLength": 1, "maxLength": 100},
        **{kind: {"anyOf": [names[kind], described(kind, "name")]} for kind in ("task", "model")},
        "arms": {"type": "object", "minProperties": 1, "additionalProperties": arm},
        "grid": GRID,
    }
    properties = {
        key: special[key] if key in special else block(info.annotation)
        for key, info in StudyConfig.model_fields.items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A study",
        "type": "object",
        "properties": properties,
        "required": ["name", "task", "model", "arms"],
        "additionalProperties": False,
        "$defs": definitions,
    }


def _one(options: dict[str, Any], key: str, name: dict[str, Any]) -> dict[str, Any]:
    """The schema of a description: the name under `key` and its options."""
    required = [key, *options.get("required", [])]
    return {**options, "properties": {key: name, **options.get("properties", {})}, "required": required}
