"""Modules in the folder sent with a job, which come first on the import path of its processes."""

import pytest
from tests_support import study as command

import study.execution.jobs  # noqa: F401  (modules that submit has imported must not be hidden)
from study.execution.hidden import ROOT, hidden, refuse_hidden
from trainables.errors import BadInput


def put(folder, *files):
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("")


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("study.py", "study"),
        ("analysis.py", "analysis"),
        ("trainables.py", "trainables"),
        ("study/__init__.py", "study"),
        ("analysis/__init__.py", "analysis"),
        ("torch.py", "torch"),
        ("random.py", "random"),
        ("ray/__init__.py", "ray"),
    ],
)
def test_a_module_that_would_hide_one_of_a_run_is_refused(tmp_path, file, name):
    put(tmp_path, file)
    with pytest.raises(BadInput, match=f"its {file} would hide the module `{name}`"):
        refuse_hidden(tmp_path)


@pytest.mark.parametrize(
    "file",
    ["analysis/notes.txt", "study/small.yaml", "mynet.py", "study.yaml", "trainables.txt", "a/study.py"],
)
def test_files_that_hide_nothing(tmp_path, file):
    put(tmp_path, file)
    assert list(hidden(tmp_path)) == []


def test_a_module_of_the_folder_itself_hides_nothing(tmp_path, monkeypatch):
    put(tmp_path, "net_of_this_folder.py")
    monkeypatch.syspath_prepend(tmp_path)
    __import__("net_of_this_folder")
    refuse_hidden(tmp_path)


def test_a_module_of_another_user_folder_may_have_any_name(tmp_path, monkeypatch):
    put(tmp_path, "there/net_of_that_folder.py", "here/net_of_that_folder.py")
    monkeypatch.syspath_prepend(tmp_path / "there")
    __import__("net_of_that_folder")
    refuse_hidden(tmp_path / "here")


def test_an_environment_within_the_folder_is_no_excuse(tmp_path, monkeypatch):
    packages = tmp_path / ".venv" / "site-packages"
    put(packages, "installed_there.py")
    put(tmp_path, "installed_there.py")
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr("study.execution.hidden.INSTALLED", [packages])
    __import__("installed_there")
    with pytest.raises(BadInput, match="would hide the module `installed_there`"):
        refuse_hidden(tmp_path)


def test_the_project_itself_may_be_sent():
    refuse_hidden(ROOT)


def test_submit_refuses_hidden_modules_before_anything_is_sent(tmp_path, monkeypatch):
    put(tmp_path, "analysis.py")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    finished = command("submit", "nbody-quick", "--address", "http://127.0.0.1:1", "--results", "r/s")
    assert finished.returncode == 2
    assert len(finished.stderr.splitlines()) == 1
    assert "its analysis.py would hide the module `analysis`" in finished.stderr
    assert sorted(tmp_path.rglob("*")) == before
