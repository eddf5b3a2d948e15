"""The closing text of a run."""

from analysis.report import write_report
from analysis.terminal import closing


def test_the_finding_and_a_table_fit_80_characters(no_figures, study):
    long = "an-arm-with-quite-a-long-name"
    arms = {
        "strict": {"name": "strict"},
        long: {"name": "ace"},
        **{f"a{n}": {"name": "relaxed", "n": n} for n in range(4)},
    }
    folder = study(arms=arms, seeds=2, rates=[1e-3, 1e-2], crashed=5)
    summary = write_report([folder], folder)
    lines = closing(summary).splitlines()
    assert max(map(len, lines)) <= 80
    text = "\n".join(lines)
    assert summary["headlines"]["nbody · egnn"].split(";")[0] in " ".join(text.split())
    assert text.count("*") == len(arms) + 1  # each arm's chosen rate, and the legend
    assert "! 5 of 24 trials crashed" in text


def test_nothing_to_tell(tmp_path):
    assert "no trials" in closing(write_report([tmp_path], tmp_path))
