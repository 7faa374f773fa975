"""Hours and bytes of an experiment before it runs, by rates measured on this machine."""

import time

import numpy as np
import torch
from torch.nn import functional as F

from idhray.classify.backbones import build_network, network_input
from idhray.classify.settings import CHANNELS, ClassifierSettings
from idhray.experiment.arms import GENERATED, parse_arm
from idhray.experiment.settings import KeepModels
from idhray.experiment.trials import Trial, planned_trials
from idhray.stages.experiment.kept_models import fresh_pairs, models_line
from idhray.stages.experiment.plan import TrialPlan

STEPS = 3
"""Steps that are timed, after one that is not."""


def dry_run_text(plan: TrialPlan, cpus_per_trial: int, keep: KeepModels) -> str:
    """Trainings, generators, hours and bytes of an experiment, as lines for a terminal.

    Args:
        plan: Plan of the experiment.
        cpus_per_trial: CPUs of each training, as many threads as the timed steps use.
        keep: Trainings whose models are kept.
    """
    protocol, settings = plan.protocol, plan.settings.classifier
    repeats = range(1, protocol.repeats + 1)
    trials = planned_trials(
        plan.folds.numbers(),
        repeats,
        tuple(protocol.arms),
        plan.settings.classifiers,
        plan.settings.networks,
    )
    networks = [trial for trial in trials if trial.classifier == "network"]
    steps = sum(steps_of(trial, plan) for trial in networks)
    generators = {folder for pair in plan.generators.values() for folder in pair}
    lines = [
        f"{len(plan.folds.numbers())} folds x {protocol.repeats} repeats x {len(protocol.arms)} "
        f"arms: {len(trials)} trainings",
        f"arms: {', '.join(protocol.arms)}",
        *(f"left out: {arm}: {reason}" for arm, reason in protocol.absent.items()),
        f"generators: {len(generators)} ({plan.settings.protocol.generators})",
    ]
    if networks:
        lines.append(network_line(settings, steps, len(networks), cpus_per_trial))
    fresh = fresh_pairs(plan.folds.numbers(), plan.settings, protocol.repeats)
    lines.append(models_line(trials, keep, protocol.primary, plan.settings, fresh))
    lines.append(f"images in memory: {image_bytes(plan) / 1e9:.2f} GB for each machine")
    return "\n".join(lines)


def network_line(settings: ClassifierSettings, steps: int, trainings: int, cpus: int) -> str:
    """Steps and hours of all trainings of a network, by the measured seconds of a step."""
    seconds, device = seconds_of_step(settings, cpus)
    hours = steps * seconds / 3600
    return (
        f"network: {steps:,} steps of {settings.batch_size} images; {seconds:.3f} s a step on "
        f"one {device} here: {hours:.1f} hours, {hours / trainings:.2f} a training"
    )


def steps_of(trial: Trial, plan: TrialPlan) -> int:
    """Optimizer steps of one training of the network."""
    settings, arm = plan.settings.classifier, parse_arm(trial.arm)
    shown = plan.fold_images[trial.fold].n_real
    if plan.settings.protocol.budget == "epochs":
        shown += arm.count
    return shown // settings.batch_size * settings.epochs


def image_bytes(plan: TrialPlan) -> int:
    """Bytes of all decoded images: real, classic and synthetic ones."""
    settings = plan.settings.classifier
    arms = [parse_arm(name) for name in plan.protocol.arms]
    real = len(plan.images.labels) * (2 if any(arm.kind == "classic" for arm in arms) else 1)
    largest = max((arm.count for arm in arms if arm.kind in GENERATED), default=0)
    pairs = len(set(plan.generators.values()))
    return (real + pairs * largest) * settings.image_px**2 * CHANNELS[settings.channels]


def seconds_of_step(settings: ClassifierSettings, cpus: int) -> tuple[float, str]:
    """Seconds of one optimizer step on random images, and the device that took them."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    threads = torch.get_num_threads()
    torch.set_num_threads(cpus)
    try:
        network = build_network(settings, 0).to(device).train()
        optimizer = torch.optim.Adam(network.parameters())
        channels = CHANNELS[settings.channels]
        shape = (settings.batch_size, settings.image_px, settings.image_px)
        pixels = np.zeros(shape if channels == 1 else (*shape, channels), np.uint8)
        batch = network_input(pixels).to(device)
        labels = torch.zeros(settings.batch_size, dtype=torch.long, device=device)
        start = 0.0
        for step in range(STEPS + 1):
            if step == 1:
                start = time.perf_counter()
            optimizer.zero_grad()
            F.cross_entropy(network(batch), labels).backward()
            optimizer.step()
        if device == "cuda":
            torch.cuda.synchronize()
        return (time.perf_counter() - start) / STEPS, "GPU" if device == "cuda" else "CPU core"
    finally:
        torch.set_num_threads(threads)
