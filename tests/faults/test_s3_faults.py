"""A run waits for a bucket that fails or is slow; one that stays unreachable ends it with one line."""

import random
import select
import socket
import socketserver
import threading
import time

import boto3
import pytest
from moto.server import ThreadedMotoServer
from real_run import RUN_SECONDS, assert_same_tables, undisturbed

import trainables.results.store
from study.execution.jobs import fetch
from trainables.results.store import PatientStore, Unavailable, open_store


class Proxy(socketserver.ThreadingTCPServer):
    """Passes requests on to a server; the next `requests` of them meet a fault: 500, 503, "slow" or "silent"."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, behind):
        super().__init__(("127.0.0.1", 0), Between)
        self.behind, self.fault, self.requests = behind, None, 0

    def break_down(self, fault, requests=10**9):
        self.fault, self.requests = fault, requests

    def next_fault(self):
        self.requests -= 1
        return self.fault if self.requests >= 0 else None


class Between(socketserver.BaseRequestHandler):
    def handle(self):
        with socket.create_connection(self.server.behind) as behind:
            while True:
                for ready in select.select([self.request, behind], [], [])[0]:
                    content = ready.recv(1 << 16)
                    if not content:
                        return
                    if ready is behind:
                        self.request.sendall(content)
                        continue
                    fault = self.server.next_fault()
                    if fault == "silent":
                        time.sleep(60)
                    if isinstance(fault, int):
                        self.request.sendall(f"HTTP/1.1 {fault} -\r\nContent-Length: 0\r\n\r\n".encode())
                        return
                    if fault == "slow":
                        time.sleep(0.5)
                    behind.sendall(content)


@pytest.fixture(scope="module")
def proxy():
    """A proxy in front of an S3 server with the bucket "faulty"; credentials are in the environment."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    with pytest.MonkeyPatch.context() as environment, Proxy(server.get_host_and_port()) as between:
        threading.Thread(target=between.serve_forever, daemon=True).start()
        host, port = between.server_address
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "key")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="faulty")
        yield between
        between.shutdown()
    server.stop()


@pytest.fixture
def store(proxy, monkeypatch):
    monkeypatch.setattr(trainables.results.store, "PAUSES", (0.1,))
    yield PatientStore(open_store("s3://faulty/results"))
    proxy.break_down(None)


@pytest.mark.parametrize("fault", [500, 503, "slow"])
def test_temporary_faults_are_waited_out(fault, proxy, store):
    for number in range(2):
        proxy.break_down(fault, requests=5)
        store.write(f"trials/{number}/record.json", b"content")
        proxy.break_down(fault, requests=5)
        assert store.read(f"trials/{number}/record.json") == b"content"
    assert store.names("trials") == ["0", "1"]


def test_lasting_errors_end_in_one_line(proxy, store, monkeypatch):
    monkeypatch.setattr(trainables.results.store, "PAUSES", ())  # pyarrow itself keeps trying for seconds
    store.write("file", b"old")
    proxy.break_down(500)
    for call in (lambda: store.write("file", b"new"), lambda: store.read("file")):
        with pytest.raises(Unavailable, match=r"^s3://faulty/results cannot be read or written \(.*\)$"):
            call()
    proxy.break_down(None)
    assert store.read("file") == b"old"


@pytest.mark.slow
def test_silence_ends_in_one_line(proxy, store, monkeypatch):
    monkeypatch.setattr(trainables.results.store, "PAUSES", ())  # pyarrow itself tries for a hundred seconds
    proxy.break_down("silent")
    with pytest.raises(Unavailable, match=r"^s3://faulty/results cannot be read or written \(.*Timeout.*\)$"):
        store.read("file")


@pytest.mark.slow
@pytest.mark.timeout(2 * RUN_SECONDS)
def test_a_real_run_on_a_bucket_that_breaks_down_again_and_again(proxy, real_run, tmp_path):
    bucket, moments, ended, broken = "s3://faulty/run", random.Random(0), threading.Event(), 0

    def break_down():
        nonlocal broken
        while not ended.wait(moments.uniform(0, 1)):
            proxy.break_down(moments.choice((500, 503, "slow")), requests=moments.randint(1, 12))
            broken += 1

    breaker = threading.Thread(target=break_down)
    run, code = real_run(), 1
    breaker.start()
    try:
        while code != 0:  # the driver is less patient than its workers, and accesses the bucket first
            run.start("--results", bucket)
            code = run.finish()
            (line,) = [line for line in run.output().splitlines() if line.startswith("study: ")] or [""]
            assert (code, line) == (0, "") or bucket in line, run.output()
            assert code in (0, 1, 2)
    finally:
        ended.set()
        breaker.join()
    assert broken > 10
    proxy.break_down(None)
    fetch(bucket, str(tmp_path / "fetched"))
    assert_same_tables(tmp_path / "fetched", undisturbed(tmp_path / "undisturbed"))
