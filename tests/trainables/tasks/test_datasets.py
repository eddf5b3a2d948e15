"""Downloads: https only, hash checked, whole or not at all, and one clear line without a network."""

import hashlib
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from trainables.errors import BadInput
from trainables.tasks import datasets
from trainables.tasks.datasets import BY_HAND, DATASETS, Dataset, Source, fetch, sha256

BOTNET = Path(__file__).parents[4] / "shared" / "data" / "botnet"
CONTENT = b"3\nProperties=species:S:1:pos:R:3\n"


@pytest.fixture
def toy(monkeypatch) -> Source:
    """A data set of one small file."""
    source = Source("toys/toy.xyz", "https://example.org/toy.xyz", hashlib.sha256(CONTENT).hexdigest())
    monkeypatch.setitem(datasets.DATASETS, "toy", Dataset((source,), "MIT", "nobody"))
    return source


class Server:
    """A downloader that gives the same content for every address and records the requested addresses."""

    def __init__(self, content: bytes = CONTENT) -> None:
        self.content, self.asked = content, []

    def __call__(self, url, output_file, pooch) -> None:
        self.asked.append(url)
        Path(output_file).write_bytes(self.content)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_is_fetched_once(toy, tmp_path):
    server = Server()
    assert fetch("toy", tmp_path, download=server) == [tmp_path / "toys" / "toy.xyz"]
    assert fetch("toy", tmp_path, download=server) == [tmp_path / "toys" / "toy.xyz"]
    assert (tmp_path / "toys" / "toy.xyz").read_bytes() == CONTENT
    assert server.asked == [toy.url]


def test_a_changed_file_is_fetched_again(toy, tmp_path):
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "toy.xyz").write_bytes(b"cut sho")
    fetch("toy", tmp_path, download=Server())
    assert (tmp_path / "toys" / "toy.xyz").read_bytes() == CONTENT


def test_a_wrong_hash_leaves_nothing_behind(toy, tmp_path):
    with pytest.raises(
        BadInput, match=r"cannot fetch https://example\.org/toy\.xyz.*place the file at .*toy\.xyz"
    ):
        fetch("toy", tmp_path, download=Server(b"something else"))
    assert files_in(tmp_path) == []


def test_no_network_gives_one_clear_line(toy, tmp_path):
    def offline(url, output_file, pooch):
        raise requests.exceptions.ConnectionError("no route to host\nand more")

    with pytest.raises(BadInput, match="no route to host; try again, or place the file at") as caught:
        fetch("toy", tmp_path, download=offline)
    assert "\n" not in str(caught.value)
    assert files_in(tmp_path) == []


def test_plain_http_is_refused(toy, tmp_path, monkeypatch):
    source = replace(toy, url="http://example.org/toy.xyz")
    monkeypatch.setitem(datasets.DATASETS, "toy", Dataset((source,), "MIT", "nobody"))
    server = Server()
    with pytest.raises(BadInput, match="https"):
        fetch("toy", tmp_path, download=server)
    assert server.asked == []


def test_unknown_names_and_files_that_must_be_placed_by_hand(tmp_path):
    with pytest.raises(BadInput, match="unknown data set 'etanol'; did you mean 'ethanol'"):
        fetch("etanol", tmp_path)
    for name, (place, origin) in BY_HAND.items():
        with pytest.raises(BadInput) as caught:
            fetch(name, tmp_path)
        assert str(tmp_path / place) in str(caught.value)
        assert origin in str(caught.value)


def test_every_public_file_has_its_place_its_https_address_and_its_hash():
    sources = [source for dataset in DATASETS.values() for source in dataset.sources]
    assert len({source.path for source in sources}) == len(sources)
    for source in sources:
        assert source.url.startswith("https://")
        assert len(bytes.fromhex(source.sha256)) == 32
        assert not Path(source.path).is_absolute()
        assert ".." not in Path(source.path).parts


@pytest.mark.skipif(not BOTNET.exists(), reason="the public files are not on this machine")
def test_the_hashes_are_those_of_the_public_files(tmp_path):
    shutil.copytree(BOTNET, tmp_path / "botnet")
    offline = Server(b"never asked for")
    for name in ("ethanol", "acetylacetone"):
        for path, source in zip(fetch(name, tmp_path, download=offline), DATASETS[name].sources, strict=True):
            assert sha256(path) == source.sha256
    assert offline.asked == []


def test_the_table_loads_neither_torch_nor_ray():
    code = "import sys, trainables.tasks.datasets; print({'torch', 'ray', 'ase', 'pooch'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
