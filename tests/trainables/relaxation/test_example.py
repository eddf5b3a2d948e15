import textwrap

import torch

import trainables.relaxation


def test_the_example_in_the_docstring_runs_as_written(capsys):
    state = torch.get_rng_state()
    page = trainables.relaxation.__doc__
    script = textwrap.dedent(page[page.index("    import torch\n") :])
    exec(compile(script, "example", "exec"), {})
    torch.set_rng_state(state)
    loss, error = (float(part.split()[-1]) for part in capsys.readouterr().out.splitlines()[-1].split(","))
    assert loss < 0.1
    assert error < 1e-5
