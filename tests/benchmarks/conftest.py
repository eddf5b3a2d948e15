import pytest
import timing
import torch

COMPARISONS: list[timing.Comparison] = []
SHARES: dict[str, str] = {}


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def compare(benchmark):
    """compare(name, reference, ours): time two steps in turn and add a line to the table at the end."""

    def run(name, reference, ours, rounds=15, units=(1, 1)):
        comparison = timing.compare(benchmark, name, reference, ours, rounds, units)
        COMPARISONS.append(comparison)
        return comparison

    return run


@pytest.fixture
def show_shares():
    """show_shares(name, step): add the profile of a step to what is printed at the end."""

    def run(name, step):
        SHARES[name] = timing.shares(step)

    return run


def pytest_collection_modifyitems(items):
    for item in items:
        if "benchmarks" in item.path.parts:
            item.add_marker(pytest.mark.benchmark(timer=timing.cpu_seconds))


def pytest_terminal_summary(terminalreporter):
    if COMPARISONS:
        terminalreporter.section("ours against the plain way, in turn")
        terminalreporter.write_line(timing.table(COMPARISONS))
    for name, text in SHARES.items():
        terminalreporter.section(f"where the time goes: {name}")
        terminalreporter.write_line(text)
