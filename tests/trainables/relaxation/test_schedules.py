import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.relaxation.schedules import FALLS, check_schedule, relaxed_steps, theta

SCHEDULES = sorted(FALLS)


@given(
    st.sampled_from(SCHEDULES), st.integers(1, 400), st.floats(0, 0.99), st.floats(0.1, 3), st.floats(0, 1)
)
def test_every_schedule_is_exactly_zero_before_the_strict_phase(schedule, steps, strict_phase, peak, warmup):
    relaxed = relaxed_steps(steps, strict_phase)
    values = [theta(schedule, step, relaxed, peak, warmup) for step in range(steps)]
    assert all(value == 0.0 for value in values[relaxed:])
    assert all(0 <= value <= peak * (1 + 1e-12) for value in values)
    if schedule != "constant" and relaxed:
        assert values[relaxed - 1] == 0.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_every_schedule_reaches_its_peak_and_falls_from_there(schedule):
    values = [theta(schedule, step, 101, peak=0.7) for step in range(101)]
    assert max(values) == pytest.approx(0.7)
    falling = values[values.index(max(values)) :]
    assert falling == sorted(falling, reverse=True)


def test_the_triangle_follows_the_paper():
    values = [theta("triangle", step, 101) for step in range(101)]
    assert values[:51] == pytest.approx([step / 50 for step in range(51)])
    assert values[50:] == pytest.approx([2 - step / 50 for step in range(50, 101)])


def test_the_constant_schedule_is_cut():
    assert [theta("constant", step, 4, peak=0.5) for step in range(6)] == [0.5, 0.5, 0.5, 0.5, 0.0, 0.0]


def test_warm_up_is_a_share_of_the_relaxed_steps():
    values = [theta("linear", step, 101, warmup=0.2) for step in range(101)]
    assert values[:21] == pytest.approx([step / 20 for step in range(21)])
    assert values[20:] == pytest.approx([1 - step / 80 for step in range(81)])


def ends_high(t):
    return 1 - 0.9 * t


def falls_fast(t):
    return (1 - t) ** 3


def test_a_schedule_that_would_not_end_at_zero_is_refused():
    with pytest.raises(ValueError, match=r"must end at exactly 0 .* ends at 0\.0999"):
        check_schedule(f"{__name__}:ends_high")


def test_a_users_own_schedule():
    name = check_schedule(f"{__name__}:falls_fast")
    assert theta(name, 50, 101) == pytest.approx(0.125)


def needs_two(t, steps):
    return 1 - t


def raises_at_first(t):
    return 1 / t - 1


def gives_nothing(t):
    return None


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("needs_two", "TypeError: .* missing 1 required"),
        ("raises_at_first", "ZeroDivisionError"),
        ("gives_nothing", "TypeError"),
        ("SCHEDULES", "TypeError: 'list' object is not callable"),
    ],
)
def test_a_schedule_that_cannot_be_called_is_refused_in_one_line(name, message):
    with pytest.raises(ValueError, match=f"{name} does not work as a schedule: {message}") as caught:
        check_schedule(f"{__name__}:{name}")
    assert "\n" not in str(caught.value)


def test_a_controller_is_not_a_schedule():
    with pytest.raises(ValueError, match=r"Stalling\(\) takes no arguments; name a function"):
        check_schedule("trainables.relaxation.controllers:Stalling")


@pytest.mark.parametrize(("name", "message"), [("triangel", "triangle"), ("no.such:thing", "imported")])
def test_an_unknown_schedule_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        check_schedule(name)
