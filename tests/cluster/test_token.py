"""Requests without the token are refused, at every door of a cluster that has one."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import pytest

TOKEN = "a" * 64
JOIN = """
import sys, ray
try:
    ray.init(address=sys.argv[1], log_to_driver=False, logging_level="CRITICAL")
except BaseException as error:
    print("refused", type(error).__name__, str(error)[:200])
else:
    print("joined")
"""


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def status(port, path, token=None, data=None):
    """HTTP status of a request to the dashboard; 0 if it does not answer yet."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data=data)
    if data:
        request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture(scope="module")
def head():
    """Ports of a head node with a token: of the cluster, its clients and its dashboard."""
    ports = free_ports(3)
    names = ("--port", "--ray-client-server-port", "--dashboard-port")
    flags = [word for pair in zip(names, map(str, ports), strict=True) for word in pair]
    with tempfile.TemporaryDirectory(
        prefix="tok", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        environment = {**os.environ, "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN}
        environment.pop("RAY_ADDRESS", None)
        ray = os.path.join(os.path.dirname(sys.executable), "ray")
        process = subprocess.Popen(
            [
                *(ray, "start", "--head", "--block", "--num-cpus=0", "--temp-dir", folder),
                *("--node-ip-address=127.0.0.1", "--dashboard-host=127.0.0.1", *flags),
            ],
            env=environment,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 120
            while status(ports[2], "/api/jobs/", TOKEN) != 200:
                assert time.monotonic() < deadline
                time.sleep(0.5)
            yield ports
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("token", [None, "b" * 64])
def test_dashboard_and_jobs_are_refused_without_the_token(head, token):
    """Whoever submits a job runs code as the user of the cluster."""
    job = json.dumps({"entrypoint": "true"}).encode()

    assert status(head[2], "/api/jobs/", token) in (401, 403)
    assert status(head[2], "/api/jobs/", token, job) in (401, 403)
    assert status(head[2], "/api/v0/nodes", token) in (401, 403)
    assert status(head[2], "/logs/", token) in (401, 403, 404)


@pytest.mark.slow
@pytest.mark.parametrize(("place", "scheme"), [(0, ""), (1, "ray://")])
def test_a_driver_or_client_without_the_token_cannot_join(head, place, scheme):
    """The port of the cluster and that of remote clients take the same token."""
    address = f"{scheme}127.0.0.1:{head[place]}"
    base = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    cases = {
        "wrong": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "b" * 64},
        "none": {"RAY_AUTH_MODE": "disabled"},
        "right": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN},
    }
    answers = {}
    for name, variables in cases.items():
        run = subprocess.Popen(
            [sys.executable, "-c", JOIN, address],
            env={**base, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            answers[name] = run.communicate(timeout=60)[0].strip()
        except subprocess.TimeoutExpired:
            run.kill()
            run.wait()
            answers[name] = "refused by silence"

    assert answers["right"].endswith("joined")
    assert "joined" not in answers["wrong"] + answers["none"]
