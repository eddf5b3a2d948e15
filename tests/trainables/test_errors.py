"""One line for one mistake, whatever the user wrote."""

import pytest

from trainables.errors import BadInput


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("failure.\n: unknown key", r"failure.\n: unknown key"),
        ("name: '\u2028' and \x1b[31m", r"name: '\u2028' and \x1b[31m"),
        ("é, 原子 and 'quotes' stay", "é, 原子 and 'quotes' stay"),
    ],
)
def test_a_message_is_one_printable_line(message, line):
    assert str(BadInput(message)) == line
