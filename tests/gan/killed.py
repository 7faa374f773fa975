"""Kill a training at random moments; each time a whole checkpoint must be there. Prints JSON.

python -m tests.gan.killed FOLDER ARCHITECTURE KILLS [compiled]

ARCHITECTURE is a name in SETTINGS; those that end in -both have one network for both classes.

With `compiled`, phases are traced and run by torch.compile's plain backend, which needs no minutes.

The process only forks: children train, and children look at what the killed ones left. `lost`
are the images that each killed one had shown since the checkpoint that it left.
"""

import dataclasses
import functools
import json
import multiprocessing
import os
import random
import shutil
import signal
import sys
import time

import torch

from idhray.gan.checkpoint import checkpoint_files, restore
from idhray.gan.config import is_conditional
from idhray.gan.engine import Engine
from idhray.gan.sample import load_generator
from idhray.gan.snapshots import newest_snapshot, publish_snapshot
from idhray.gan.trainer import train
from tests.gan.made_up import DIFFUSION, PGGAN, STYLEGAN2, all_values, ignore, start

COMPILED = sys.argv[4:] == ["compiled"]
LONGER = {"total_kimg": 0.4, "checkpoint_kimg": 0.04, "sample_kimg": 0.4}
SETTINGS = {
    "pggan": dataclasses.replace(PGGAN, stabilise_kimg=0.12, fade_kimg=0.12, **LONGER),
    "stylegan2": dataclasses.replace(STYLEGAN2, **LONGER),
    "diffusion": dataclasses.replace(DIFFUSION, **LONGER),
    "stylegan2-both": dataclasses.replace(STYLEGAN2, conditional=True, **LONGER),
    "diffusion-both": dataclasses.replace(DIFFUSION, conditional=True, **LONGER),
}


def go_on(folder, settings, shown):
    """Train to the end from the newest snapshot; write how far it is into the array `shown`."""
    run = start(settings, engine=Engine(compile=COMPILED))
    if last := newest_snapshot(folder):
        restore(run, last)

    def save(run, report):
        if report.checkpoint_due:
            publish_snapshot(checkpoint_files(run), folder, run.images_shown)

    def step():
        found = kind_step()
        shown[0] = run.images_shown
        return found

    kind_step, run.step = run.step, step
    shown[0] = run.images_shown
    train(run, save)


def readable(folder, settings, shown):
    """Put what the newest checkpoint has been shown into `shown`; an error if it is not whole."""
    last = newest_snapshot(folder)
    if last is not None:
        load_generator(last, idh="mutant" if is_conditional(settings) else None)
        restore(start(settings), last)
    shown[1] = int(os.path.basename(last)) if last else 0


def equal(folder, settings):
    """Exit code 1 where the killed training ended with the weights of an unbroken one."""
    run, unbroken = start(settings), start(settings, engine=Engine(compile=COMPILED))
    restore(run, newest_snapshot(folder))
    train(unbroken, ignore)
    if COMPILED and (not unbroken.engine.phases.compiled or unbroken.engine.uncompiled):
        return 2
    return int(torch.equal(all_values(run), all_values(unbroken)))


def forked(work, seconds=None):
    """Exit code of `work` in a child; None if it was killed after so many seconds."""
    child = os.fork()
    if not child:
        code = 255
        try:
            code = work() or 0
        finally:
            os._exit(code)
    if seconds is None:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return None if code == -signal.SIGKILL else code


def main(folder, architecture, kills):
    """Kill so often, then finish and compare."""
    torch.set_num_threads(1)
    if COMPILED:
        torch.compile = functools.partial(torch.compile, backend="eager")
    settings, chance = SETTINGS[architecture], random.Random(0)
    shown = multiprocessing.RawArray("q", 2)
    start(settings)  # what torch imports only now, no child need import
    begun = time.perf_counter()
    forked(lambda: go_on(f"{folder}/timed", settings, shown))
    whole = time.perf_counter() - begun
    lost, broken, here = [], 0, f"{folder}/killed"
    while len(lost) < kills:
        shown[0] = 0
        struck = forked(lambda: go_on(here, settings, shown), whole * chance.random())
        broken += forked(lambda: readable(here, settings, shown)) != 0
        if struck is None:
            lost.append(max(shown[0] - shown[1], 0))  # killed before it went on: 0
        if shown[1] == settings.total_kimg * 1000:  # it came to its end: again from the start
            shutil.rmtree(here)
    ended = forked(lambda: go_on(here, settings, shown))
    same = forked(lambda: equal(here, settings))
    said = {"whole_s": round(whole, 2), "lost": lost, "unreadable": broken, "ended": ended}
    print(json.dumps({**said, "equal": same}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
