import json

from trainables.results.alarms import alarms
from trainables.results.record import Record


def record(name, method="strict", error=1e-15, kinds=None, sources=None, **options):
    return Record(
        id=name,
        spec={"model": {"name": "mine:Net"}, "method": {"name": method, **options}},
        outcome="learned",
        equivariance_error=error,
        equivariance_errors=kinds or {},
        sources=sources or {},
    )


def test_a_strict_network_that_is_not_equivariant_is_named_with_error_and_kind():
    kinds = {"rotation": 0.02, "inversion": 0.3, "permutation": 1e-15, "translation": None}
    (line,) = alarms([record("a"), record("b", "relaxed", 0.3, kinds), record("c", error=0.1)])
    assert line.startswith("ALARM: the strict network 'mine:Net' is not equivariant: error 3.0e-01 under")
    assert "inversion (3.0e-01), rotation (2.0e-02) (trial b)" in line
    assert "permutation" not in line


def test_an_older_record_without_kinds_raises_an_alarm_too():
    (line,) = alarms([record("a", error=1e-3)])
    assert "error 1.0e-03 (trial a)" in line


def test_no_alarm_if_equivariance_is_not_required_or_not_known():
    assert not alarms(
        [
            record("a", "unconstrained", 0.5),
            record("b", "ace", 0.5, form="elastic"),
            record("c", error=None),
            record("d", error=1e-11),
        ]
    )
    assert len(alarms([record("b", "ace", 0.5, form="equality")])) == 1


def test_two_versions_of_a_source_are_named_with_their_trials():
    made = [{"module mine": "aaa", "data x.xyz": "111"}, {"module mine": "bbb", "data x.xyz": "111"}, {}]
    (line,) = alarms([record(str(at), sources=sources) for at, sources in enumerate(made)])
    assert line.startswith("module mine: the trials were made with 2 versions of it (1 with aaa, 1 with bbb)")


def test_alarms_are_plain_text():
    assert json.dumps(alarms([record("a", error=1.0)])).count("\\n") == 0
