"""The reference of options matches the code and fits into a terminal."""

from pathlib import Path

import pytest

from study.config import StudyConfig
from study.inspection import reference
from trainables.errors import BadInput

README = Path(reference.__file__).parents[1] / "README.md"


def test_the_readme_contains_the_reference_that_the_code_gives():
    """`python -m study.inspection.reference` regenerates it."""
    assert README.read_text().endswith(reference.markdown())


def test_every_option_has_a_type_a_default_and_a_meaning():
    for kind in reference.kinds():
        for name in reference.names(kind):
            about, options = reference.options(kind, name)
            assert about
            for option in options:
                assert all((option.name, option.type, option.default, option.meaning)), (kind, name, option)


def test_no_meaning_refers_the_reader_to_the_code():
    """All keys of a config are listed, and where one docstring refers to another the text is written out."""
    for kind in reference.kinds():
        for name in reference.names(kind):
            for option in reference.options(kind, name)[1]:
                assert not option.meaning.startswith("as in trainables."), (kind, name, option)
                assert option.type != "Weight or null"
    _, keys = reference.options("study", "study")
    assert {option.name for option in keys} == set(StudyConfig.model_fields)
    assert {"penalty.lie.weight", "companion"} <= {
        option.name for option in reference.options("method", "relaxed")[1]
    }


def test_an_option_is_described_as_in_its_signature():
    _, options = reference.options("model", "egnn")
    layers = {option.name: option for option in options}["layers"]
    assert (layers.type, layers.range, layers.default) == ("whole number", ">= 1", "4")
    _, options = reference.options("training", "training")
    clip = {option.name: option for option in options}["clip"]
    assert (clip.type, clip.range, clip.default) == ("number or null", "> 0", "null")


def test_the_default_of_a_block_is_that_of_its_options():
    _, options = reference.options("method", "relaxed")
    assert {option.name: option for option in options}["penalty.lie.weight"].default == "0.01"


def test_nested_blocks_have_dotted_names():
    _, options = reference.options("failure", "failure")
    assert "not_learned.margin" in [option.name for option in options]


def test_a_terminal_gets_no_long_line():
    for kind in reference.kinds():
        for name in reference.names(kind):
            assert max(map(len, reference.plain(kind, name, 60).splitlines())) <= 60


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [("modl", "egnn", "did you mean 'model'"), ("model", "egn", "did you mean 'egnn'")],
)
def test_an_unknown_name_suggests_the_nearest(kind, name, words):
    with pytest.raises(BadInput, match=words):
        reference.plain(kind, name, 80)
