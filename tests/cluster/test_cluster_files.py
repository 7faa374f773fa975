"""Every file of `cluster/` fits the program that reads it."""

import gzip
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import jsonschema
import pytest
import ray
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.scripts.scripts import start

from idhray.cli import STAGES
from idhray.shell.flag_classes import presets_of
from tests.command_flags import flags_in_help

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
RAY_UP = sorted((CLUSTER / "ray-up").glob("*.yaml"))
COMMAND = re.compile(r"(?:^|[\s`])(?:idhray|(?:study|archive)\.sbatch|jobs/(\w+)\.py) (.+)")
CONSTRAINTS = (ROOT / "constraints.txt").read_text()


def closed(schema):
    """A schema of Kubernetes that also refuses names that it does not list."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("x-kubernetes-int-or-string"):
        return {"type": ["integer", "string"]}
    inner = {name: closed(value) for name, value in schema.items()}
    open_ended = "x-kubernetes-preserve-unknown-fields" in schema
    if "properties" in schema and "additionalProperties" not in schema and not open_ended:
        inner["additionalProperties"] = False
    return inner


def kuberay(kind):
    """Documents of one kind in the files of KubeRay, by file."""
    return {
        path.name: document
        for path in sorted((CLUSTER / "kuberay").glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document["kind"] == kind
    }


@pytest.fixture(scope="module")
def job_schema():
    recorded = json.loads(
        gzip.decompress((Path(__file__).parent / "rayjob_schema.json.gz").read_bytes())
    )
    schema = closed(recorded["schema"])
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


def test_kuberay_accepts_the_study(job_schema):
    """A misspelled key is ignored by Kubernetes: a study would run without its token."""
    (job,) = kuberay("RayJob").values()

    jsonschema.validate(job, job_schema)
    job["spec"]["rayClusterSpec"]["autoscalerOption"] = {}
    with pytest.raises(jsonschema.ValidationError, match="autoscalerOption"):
        jsonschema.validate(job, job_schema)


def test_the_cluster_that_stays_is_that_of_the_study_with_redis(job_schema):
    """Two copies of one thing drift apart."""
    (job,) = kuberay("RayJob").values()
    (cluster,) = kuberay("RayCluster").values()
    spec = dict(cluster["spec"])

    jsonschema.validate(spec, job_schema["properties"]["spec"]["properties"]["rayClusterSpec"])
    assert spec.pop("gcsFaultToleranceOptions")["redisAddress"] == "idhray-redis:6379"
    assert spec == job["spec"]["rayClusterSpec"]
    assert f"ray=={spec['rayVersion']}\n" in CONSTRAINTS


def test_pods_have_no_privileges_and_read_the_archive_only():
    """A hostile slide that takes over its worker finds nothing to write but the studies."""
    (job,) = kuberay("RayJob").values()
    spec = job["spec"]["rayClusterSpec"]
    assert spec["authOptions"]["mode"] == "token"
    assert spec["networkPolicy"]["mode"] == "DenyAllIngress"
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        pod = group["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert [
            each["readOnly"]
            for each in pod["containers"][0]["volumeMounts"]
            if each["name"] == "data"
        ] == [True]
        for container in pod["containers"]:
            assert not container["securityContext"]["allowPrivilegeEscalation"]
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {group["minReplicas"] for group in spec["workerGroupSpecs"]} == {0}


@pytest.mark.parametrize("path", RAY_UP, ids=lambda path: path.stem)
def test_ray_up_accepts_its_files(path):
    """`ray up` stops at the first unknown key, after machines may have been started."""
    config = yaml.safe_load(path.read_text())
    schema = json.loads((Path(ray.__file__).parent / "autoscaler/ray-schema.json").read_text())

    jsonschema.validate(config, schema)
    validate_config(prepare_config(config))


def test_the_slurm_script_is_bash_and_its_flags_are_flags_of_ray_start():
    """`ray symmetric-run` hands unknown flags to `ray start`, whose message it hides."""
    script = CLUSTER / "slurm" / "study.sbatch"
    subprocess.run(["bash", "-n", script], check=True)
    ray_flags = {name for option in start.params for name in option.opts}
    call = re.search(r"ray symmetric-run(.*?)-- idhray", script.read_text(), re.DOTALL)
    assert call is not None
    flags = set(re.findall(r"--[a-z-]+", call[1])) - {"--address", "--min-nodes"}

    assert flags
    assert flags <= ray_flags


def test_the_array_script_is_bash_and_gives_each_task_its_share():
    """A wrong share leaves inputs out, which only the last job would find."""
    script = CLUSTER / "slurm" / "archive.sbatch"
    subprocess.run(["bash", "-n", script], check=True)
    with tempfile.TemporaryDirectory() as folder:
        stand_in = Path(folder, "srun")
        stand_in.write_text('#!/bin/sh\necho "$@"\n')
        stand_in.chmod(0o755)
        shared = {"PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": f"test{os.getpid()}"}
        calls = {
            "share": {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "64"},
            "again": {
                **{"SLURM_ARRAY_TASK_ID": "7", "SLURM_ARRAY_TASK_COUNT": "1"},
                "IDHRAY_PARTS": "64",
            },
            "last": {"SLURM_ARRAY_TASK_ID": "1", "IDHRAY_FINISH": "1"},
        }
        words = ["bash", str(script), "tile-slides", "--out", "a b"]
        printed = {
            name: subprocess.check_output(words, env=shared | call, text=True)
            for name, call in calls.items()
        }

    assert printed == {
        "share": "idhray tile-slides --out a b --part 3/64\n",
        "again": "idhray tile-slides --out a b --part 7/64\n",
        "last": "idhray tile-slides --out a b\n",
    }


def test_skypilot_accepts_its_file():
    """A key that does not exist is refused there, after machines were searched for."""
    recorded = json.loads(
        gzip.decompress((Path(__file__).parent / "skypilot_schema.json.gz").read_bytes())
    )
    task = yaml.safe_load((CLUSTER / "skypilot" / "study.yaml").read_text())

    jsonschema.validate(task, recorded["task"])
    jsonschema.validate(task["resources"], recorded["resources"])
    with pytest.raises(jsonschema.ValidationError, match="use_spots"):
        jsonschema.validate({**task["resources"], "use_spots": True}, recorded["resources"])


def commands():
    """(file, words) of every idhray command in the files and pages of `cluster/`."""
    for path in sorted(CLUSTER.rglob("*")):
        if path.is_dir():
            continue
        text = re.sub(r"\\\n[#\s]*", " ", path.read_text())
        for line in text.splitlines():
            if match := re.search(
                r"(?:^|[\s`])(?:idhray|(?:study|archive)\.sbatch|jobs/(\w+)\.py) (.+)", line
            ):
                words = match[2].split("`")[0].split()
                name = match[1].replace("_", "-") if match[1] else words.pop(0)
                if name in STAGES:
                    yield path.relative_to(ROOT), name, words


def test_every_command_in_the_files_has_flags_that_exist():
    """A file that is copied to a cluster is not seen again until it fails there."""
    listed = list(commands())
    assert len(listed) >= 6
    for path, name, words in listed:
        preset = words[words.index("--preset") + 1] if "--preset" in words else None
        assert preset is None or preset in presets_of(name), path
        flags = {"--preset", *re.split(r"[\s,]+", " ".join(flags_in_help(name, preset)))}
        assert {word for word in words if word.startswith("--")} <= flags, path


def test_the_container_file_builds_from_what_is_there():
    """Stages follow their sources, files are sent to the builder, and no target runs as root."""
    lines = re.sub(r"\\\n", " ", (CLUSTER / "Dockerfile").read_text()).splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    sent = (CLUSTER / "Dockerfile.dockerignore").read_text().split()
    stages, users = {}, {}
    for word, rest in steps:
        assert word in {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "CMD"}
        if word == "FROM":
            source, _, name = rest.partition(" AS ")
            assert source in stages or source == "${PYTHON_IMAGE}"
            stages[name] = source
        elif word == "USER":
            users[name] = rest
        elif word == "COPY":
            names = rest.split()
            if names[0].startswith("--from="):
                assert names[0].removeprefix("--from=") in stages
                continue
            for each in names[:-1]:
                assert (ROOT / each).exists()
                assert f"!{each}" in sent
    assert users == {"cpu": "1000", "cuda": "1000"}
