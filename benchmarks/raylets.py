"""A Ray cluster of several machines on this one: a head without CPUs, and workers that come and go.

Used by the benchmarks of clusters.
"""

import contextlib
import os
import secrets
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray.cluster_utils import Cluster
from ray.job_submission import JobStatus, JobSubmissionClient

STORE_BYTES = 200 << 20
STOP_WAIT_S = 30
START_S = 60
GCS_AWAY_S = 5
"""Time until a new GCS starts, as the container of a head needs some."""
REDIS_VARIABLE = "RAY_REDIS_ADDRESS"
ENDED = (JobStatus.STOPPED, JobStatus.FAILED, JobStatus.SUCCEEDED)


@dataclass(frozen=True)
class RedisServer:
    """A Redis server on loopback."""

    process: "subprocess.Popen[bytes]"
    address: str
    password: str


class Machines:
    """Raylets with processes, ports and a folder of their own."""

    def __init__(
        self, *, workers: int = 2, cpus: int = 1, jobs: bool = False, redis: bool = False
    ) -> None:
        """Start the head and the workers.

        Args:
            workers: Machines that work.
            cpus: CPUs of each, as Ray counts them.
            jobs: Start the server of jobs, too.
            redis: Keep the state of the GCS in a Redis server (Debian package redis-server).
        """
        self.folder = tempfile.mkdtemp(prefix="soak-", dir="/tmp")
        os.environ["RAY_TMPDIR"] = self.folder  # no other Ray of this machine learns of this one
        os.environ["RAY_JOB_STOP_WAIT_TIME_S"] = str(STOP_WAIT_S)
        self._worker: dict[str, Any] = {"num_cpus": cpus}
        head = {"num_cpus": 0, "object_store_memory": STORE_BYTES, "include_dashboard": jobs}
        if jobs:
            head |= {"dashboard_port": 0, "dashboard_host": "127.0.0.1"}
            head |= {"dashboard_agent_listen_port": free_port()}
        self.redis = start_redis(self.folder) if redis else None
        if self.redis:
            os.environ[REDIS_VARIABLE] = self.redis.address
            head["redis_password"] = self.redis.password
        try:
            self.cluster = Cluster(initialize_head=True, head_node_args=head)
        finally:
            os.environ.pop(REDIS_VARIABLE, None)
        self.workers = [self.cluster.add_node(**self._worker) for _ in range(workers)]

    def start(self, words: list[str]) -> subprocess.Popen[bytes]:
        """Start a command on the cluster."""
        with open(f"{self.folder}/command.log", "ab") as log:
            return subprocess.Popen(
                [*words, "--address", self.cluster.address],
                stdout=log,
                stderr=log,
                env={**os.environ, "RAY_ADDRESS": ""},
            )

    def replace_worker(self, number: int) -> None:
        """Kill a worker machine with all its processes, and add another one."""
        self.cluster.remove_node(self.workers[number], allow_graceful=False)
        self.workers[number] = self.cluster.add_node(**self._worker)

    def kill_gcs(self) -> None:
        """Kill the service that holds the state of the cluster, which is lost by it."""
        for each in self.cluster.head_node.all_processes["gcs_server"]:
            os.kill(each.process.pid, signal.SIGKILL)

    def restart_gcs(self) -> None:
        """Kill that service; a new one takes over its state from Redis at the same address."""
        head = self.cluster.head_node
        head.kill_gcs_server()
        time.sleep(GCS_AWAY_S)
        head.start_gcs_server()

    def client(self) -> JobSubmissionClient:
        """Client of the server of jobs."""
        return JobSubmissionClient(f"http://{self.cluster.webui_url}")

    def log(self) -> str:
        """Output of the commands."""
        return Path(self.folder, "command.log").read_text(errors="replace")

    def close(self) -> None:
        """End all processes of the cluster."""
        for node in reversed(self.cluster.list_all_nodes()):
            self.cluster.remove_node(node, allow_graceful=False)
        if self.redis:
            self.redis.process.kill()
            self.redis.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


class Job:
    """A submitted job, with the methods of a process."""

    def __init__(self, machines: Machines, words: list[str]) -> None:
        self.machines = machines
        self.client = machines.client()
        deadline = time.monotonic() + START_S
        while True:
            try:
                self.name = self.client.submit_job(entrypoint=shlex.join(words))
                break
            except RuntimeError:  # no agent is ready yet
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def poll(self) -> int | None:
        """0 if it succeeded, 1 if it ended otherwise, None while it runs."""
        status = self.client.get_job_status(self.name)
        return None if status not in ENDED else int(status != JobStatus.SUCCEEDED)

    def wait(self, seconds: float) -> int:
        """Wait for its end.

        Raises:
            subprocess.TimeoutExpired: it runs on.
        """
        deadline = time.monotonic() + seconds
        while (code := self.poll()) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(self.name, seconds)
            time.sleep(0.2)
        return code

    def stop(self) -> None:
        """Do what `ray job stop` does."""
        self.client.stop_job(self.name)

    def kill(self) -> None:
        """End it at once, as far as jobs can be."""
        self.stop()

    def log(self) -> str:
        """Output of the job."""
        return str(self.client.get_job_logs(self.name))


def idhray(*words: str) -> list[str]:
    """Words that start a command of this checkout."""
    return [sys.executable, "-m", "idhray", *words]


def start_redis(folder: str) -> RedisServer:
    """Start a Redis server that keeps its state in memory only, as `cluster/kuberay` does."""
    port, password = free_port(), secrets.token_hex(16)
    words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", folder]
    words += ["--requirepass", password, "--save", "", "--appendonly", "no"]
    with open(f"{folder}/redis.log", "wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log)
    deadline = time.monotonic() + START_S
    while True:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port)).close()
            return RedisServer(process, f"127.0.0.1:{port}", password)
        assert time.monotonic() < deadline, f"redis-server does not start, see {folder}/redis.log"
        time.sleep(0.1)


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
