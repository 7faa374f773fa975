"""Work of each kind, which records the machine that does it."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import pyarrow as pa
import ray
from ray import tune
from ray.cluster_utils import Cluster

from idhray.stages.runtime.items import Item, Outcome
from idhray.stages.runtime.mapping import map_items
from idhray.stages.runtime.options import RunFlags
from idhray.stages.runtime.placement import placed
from idhray.stages.runtime.session import connect
from idhray.stages.runtime.single_worker import run_single_worker
from idhray.stages.runtime.training import run_workers
from idhray.stages.tuning.run import trial_resources

WORK = "from tests.stages.runtime.placed_work import main; main()"
MOST_S = 180


@dataclass(frozen=True)
class RecordedTask:
    """Folder for the record, and number of the item."""

    out: str
    number: int


def on_machines():
    """Do the work on a head and two machines, once for each group of machines; print the ends."""
    out, *groups = sys.argv[1:]
    small = {"object_store_memory": 100 << 20, "num_cpus": 2}
    head = {"num_cpus": 0, "object_store_memory": 100 << 20, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for group in ("spot", "other"):
            cluster.add_node(**small, labels={"group": group})
        ends = [
            subprocess.run(
                [sys.executable, "-c", WORK, cluster.address, f"{out}/{group}", f"group={group}"],
                capture_output=True,
                text=True,
                check=False,
                timeout=MOST_S,
            )
            for group in groups
        ]
    finally:
        for node in reversed(cluster.list_all_nodes()):
            cluster.remove_node(node, allow_graceful=False)
    print(
        json.dumps(
            [
                {"returncode": end.returncode, "stdout": end.stdout, "stderr": end.stderr}
                for end in ends
            ]
        )
    )


def main():
    """Do the work on the machines with the labels; print the group of each machine."""
    address, out, *labels = sys.argv[1:]
    os.makedirs(out)
    connect(address, RunFlags(node_labels=tuple(labels), room_timeout=0.0))
    items = [
        Item(name=str(number), settings_hash="", task=RecordedTask(out, number), size=1)
        for number in range(4)
    ]
    schema = pa.schema([("a", pa.int64())])
    map_items(items, mapped, out=f"{out}/table", schema=schema, cpus=0.5)
    config = {"kind": "single", "out": out}
    run_single_worker(loop, config, out=out, cpus=1, gpus=0)
    config = {"kind": "trained", "out": out}
    run_workers(loop, config, out=out, workers=2, gpus_per_worker=0, cpus_per_worker=1)
    tune.Tuner(
        tune.with_resources(trial, trial_resources(cpus=1, gpus=0)),
        param_space={"out": out, "number": tune.grid_search([0, 1, 2])},
        run_config=tune.RunConfig(storage_path=f"{out}/tune", verbose=0),
    ).fit()
    print(json.dumps({node["NodeID"]: node["Labels"].get("group", "") for node in ray.nodes()}))


def mapped(task):
    """Work on an item, which starts a task of its own."""
    record(task.out, "mapped", task.number)
    inner = ray.remote(num_cpus=0.2, **placed())(record)
    ray.get(inner.remote(task.out, "started-by-worker", task.number))
    return Outcome()


def loop(config):
    """Training loop of one worker."""
    context = ray.train.get_context()
    record(config["out"], config["kind"], context.get_world_rank())
    if config["kind"] == "trained":
        ray.train.report({})


def trial(config):
    """Trial of a search."""
    record(config["out"], "trial", config["number"])
    tune.report({"a": 1})


def record(out, kind, number):
    """Write the machine on which this runs."""
    with open(f"{out}/{kind}-{number}", "w") as file:
        file.write(ray.get_runtime_context().get_node_id())
