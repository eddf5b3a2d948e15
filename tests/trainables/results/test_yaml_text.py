"""Configs as YAML: numbers and names, refused content, and round trips."""

import pytest
import yaml

from trainables.results.yaml_text import BadYAML, read_yaml, write_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E3", 1000.0),
        ("-1.5e+2", -150.0),
        (".5", 0.5),
        ("1.", 1.0),
        ("012", 12),
        ("0x1F", 31),
        ("0o17", 15),
        ("-.inf", float("-inf")),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("on", "on"),
        ("No", "No"),
        ("y", "y"),
        ("12:30", "12:30"),
        ("2024-06-07", "2024-06-07"),
        ("'1e-3'", "1e-3"),
        ("!!str 1", "1"),
        ("!!float 3", 3.0),
        ("1_000", "1_000"),
        ("tRue", "tRue"),
    ],
)
def test_numbers_booleans_and_names(text, value):
    found = read_yaml(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_keys_are_text_as_written():
    assert list(read_yaml("{on: 1, 1.0: 2, true: 3, 1e3: 4, 010: 5, '': 6}")) == [
        "on",
        "1.0",
        "true",
        "1e3",
        "010",
        "",
    ]


def test_anchors_and_merged_mappings():
    found = read_yaml(
        "base: &base {x: 1, y: 2}\nother: &other {y: 5, z: 6}\n"
        "a: *base\nb: {<<: *base, y: 3}\nc: {<<: [*base, *other]}"
    )
    assert found["a"] == {"x": 1, "y": 2}
    assert found["b"] == {"x": 1, "y": 3}
    assert found["c"] == {"x": 1, "y": 2, "z": 6}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb:\n  c: 1\n  c: 2", "line 4: b.c: duplicate key, first on line 3"),
        ("{a: 1, 'a': 2}", "line 1: a: duplicate key"),
        ("1: x\n'1': y", "line 2: 1: duplicate key"),
        ("- {a: 1}\n- {a: 1, b: 2, a: 1}", r"line 2: 1\.a: duplicate key"),
        ("a: &a [*a]", "line 1: a.0: an alias that contains itself"),
        ("a: &a {b: {c: *a}}", r"line 1: a\.b\.c: an alias that contains itself"),
        ("a: [1", "line 1: expected"),
        ("a: b: c", "line 1: mapping values"),
        ("a:\n\t- 1", "line 2: found character"),
        ("a: *nobody", "line 1: found undefined alias"),
        ("a: 1\n---\nb: 1", "line 2: but found another document"),
        ("? [a]\n: 1", "a key must be text"),
        ("a: {<<: 3}", "<< can merge only mappings"),
        ("a: !!timestamp 2001-01-01", "is not allowed in a config"),
        ("a: !!set {b}", "is not allowed in a config"),
        ("!!python/object/apply:os.system [echo]", "is not allowed in a config"),
        ("a: !!float x", "does not match its tag"),
        ("a: " + "9" * 5000, "does not match its tag"),
        ("[" * 150 + "]" * 150, "more than 100 deep"),
        ("[" * 5000, "recursion"),
        ("a: \x00", "special characters"),
    ],
)
def test_refused_content_is_named_with_its_line(text, words):
    with pytest.raises(BadYAML, match=words) as caught:
        read_yaml(text)
    assert "\n" not in str(caught.value)


def test_a_few_lines_that_expand_enormously_are_refused():
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [
        f"{new}: &{new} [{', '.join([f'*{old}'] * 8)}]"
        for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    with pytest.raises(BadYAML, match="more than 100,000 values"):
        read_yaml("\n".join(lines))


AWKWARD = [
    "1e-3",
    "on",
    "No",
    "010",
    "0x1",
    "0o7",
    "1_0",
    "~",
    "",
    "true",
    "<<",
    "=",
    "1:30",
    "2001-01-01",
    "a: b",
    "#",
]


def test_written_yaml_is_read_back_the_same_in_both_dialects():
    content = {
        "texts": [*AWKWARD, "a\nb", " x ", "ü", "‮"],
        "numbers": [1e-5, 1.0, 3, 1e300, 0.1],
        "rest": [None, True],
    }
    content |= {text: text for text in AWKWARD}
    text = write_yaml(content)
    assert read_yaml(text) == content
    assert yaml.safe_load(text) == content
