"""Which objective takes the same StyleGAN2 further in the same CPU time, on real images?

    python -m benchmarks.gan_objectives --data FOLDER --out FOLDER [--images he --seconds 120]

(a) logistic: what `stylegan2_run` trains by: non-saturating logistic loss, lazy R1, path lengths,
style mixing. (b) relativistic: pairs of a real and a generated image are compared, with penalties
of the score's slope at real (R1) and at generated (R2) images in every step, and nothing else; the
objective of R3GAN (Huang et al. 2024, arXiv:2501.05441), on our networks, not on theirs.

Networks, first weights, real images and their order, batch, rate of learning and EMA are the same,
those of `demo-mri` at 32 px. All candidates are trained in one process on one thread, some CPU
seconds each in turn, so that they meet the same machine; measuring them is not counted. With the
first seed each objective tries all its gammas and keeps the one with the lower KID over the second
half of the time; the other seeds try that one only.

FOLDER/mri_slices is as `mri_stylegan2` takes it, FOLDER/he_patches as `he_patches` does (there a
source tile is split like a patient). Half of the patients are trained on. Fidelity is by features
of a seeded random network, against the training patients and against the others, beside the floor
of real halves split by patient. One line of JSON a run; OUT gets the same lines (results.jsonl) and
samples of each run as a picture.
"""

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
import tyro
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmarks.mri_stylegan2 import read_slices, sheet
from idhray.chance import generator
from idhray.fidelity.channels import MRI_CHANNELS, RGB_CHANNELS
from idhray.fidelity.evaluation import compare
from idhray.fidelity.features import random_features
from idhray.fidelity.reference import Reference, reference_of
from idhray.fidelity.settings import PRESETS as FIDELITY
from idhray.gan.engine import descend, only
from idhray.gan.losses import score_gap
from idhray.gan.run import Losses
from idhray.gan.sample import generate, generator_of, image_grid
from idhray.gan.stylegan2.config import PRESETS as STYLEGAN2
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.phases import Latents
from idhray.gan.stylegan2.run import W_AVERAGE_DECAY, StyleGan2Run
from idhray.gan.trainer import new_run
from idhray.images import encode, resize

Objective = Literal["logistic", "relativistic"]
SIDE_PX = 32
SHOWN = 36
COUNT = 400
TURN_SECONDS = 3.0
METRICS = ("fid", "kid", "precision", "recall", "coverage")


@dataclass(kw_only=True)
class RelativisticRun(StyleGan2Run):
    """Trained by pairs, with R1 and R2 in every step; settings without lazy terms and mixing.

    Source: Huang et al. 2024 (arXiv:2501.05441), section 2, with f(t) = -log(1 + exp(-t)).
    """

    gamma: float
    """Weight of R1 and of R2, both halved."""

    def _generator_step(self) -> Losses:
        """A generated image is to score higher than the real one that it is paired with."""
        size = self.settings.batch_size
        latents = self._latents("gan generator", size)
        with only(self.generator, self.discriminator):
            with torch.no_grad():
                real_scores = self.discriminator(self._next_reals())
            fakes, w = self._fakes(latents)
            loss = F.softplus(real_scores - self.discriminator(fakes)).mean()
            found = descend(self.g_optimizer, iter([loss]), self.worker)
        self.generator.w_average.lerp_(w.detach().mean(dim=0), 1 - W_AVERAGE_DECAY)
        return {"g_loss": found}

    def _discriminator_step(self, reals: Tensor) -> Losses:
        """A real image is to score higher; both penalties share the pass of the loss."""
        latents = self._latents("gan discriminator", self.settings.batch_size)
        with torch.no_grad():
            fakes, _ = self._fakes(latents)
        with only(self.discriminator, self.generator):
            # The groups of the minibatch std lie within either half, so the slopes do, too.
            both = torch.cat([reals, fakes]).requires_grad_()
            scores = self.discriminator(both)
            real_scores, fake_scores = scores.chunk(2)
            (slope,) = torch.autograd.grad(scores.sum(), both, create_graph=True)
            r1, r2 = slope.square().sum(dim=(1, 2, 3)).chunk(2)
            loss = (F.softplus(fake_scores - real_scores) + self.gamma / 2 * (r1 + r2)).mean()
            found = descend(self.d_optimizer, iter([loss]), self.worker)
        gap = score_gap(real_scores.detach(), fake_scores.detach())
        return {"d_loss": found, "score_gap": gap, "r1": r1.detach().mean()}

    def _fakes(self, latents: Latents) -> tuple[Tensor, Tensor]:
        """(N, C, S, S) images of the first latents, and (N, Z) their w."""
        w = self.generator.mapping(latents.pairs[0])
        styles = w[:, None].expand(-1, self.generator.layers, -1)
        return self.generator.synthesis(styles, latents.noise), w


@dataclass(frozen=True, kw_only=True)
class RealImages:
    """Real images of patients that the GAN sees, and of others."""

    name: str
    shown: NDArray[np.uint8]
    seen: Reference
    unseen: Reference


@dataclass(kw_only=True)
class Candidate:
    """A training and what it has cost and reached."""

    objective: Objective
    gamma: float
    run: StyleGan2Run
    cpu_seconds: float = 0.0
    curve: list[dict[str, Any]] = field(default_factory=list)
    gaps: list[Tensor] = field(default_factory=list)

    def advance(self, until: float) -> None:
        """Train until that many CPU seconds, of this training, are spent."""
        while self.cpu_seconds < until:
            began = time.process_time()
            found = self.run.step()
            self.cpu_seconds += time.process_time() - began
            self.gaps.append(found["score_gap"])

    def measure(self, real: RealImages) -> None:
        """One more point of the curve."""
        made = generate(generator_of(self.run), self.run.seed, range(COUNT))
        self.curve.append(
            {"cpu_seconds": round(self.cpu_seconds), "kimg": self.run.images_shown / 1000}
            | {"seen": figures(compare(made, real.seen))}
            | {"unseen": figures(compare(made, real.unseen))}
        )

    @property
    def kid(self) -> float:
        """Against the patients trained on, mean of the second half of the curve."""
        late = self.curve[len(self.curve) // 2 :]
        return float(np.mean([point["seen"]["kid"][0] for point in late]))


def main(
    data: Path,
    out: Path,
    *,
    images: Literal["mri", "he"] = "mri",
    seconds: float = 240.0,
    points: int = 4,
    seeds: tuple[int, ...] = (0, 1),
    logistic: tuple[float, ...] = (1.0, 4.0),
    relativistic: tuple[float, ...] = (0.5, 4.0),
) -> None:
    """Train every candidate for equal CPU time and print what came of each.

    Args:
        data: Folder that holds mri_slices or he_patches.
        out: Folder for lines and pictures.
        images: Which of the two.
        seconds: CPU seconds of each training.
        points: Points of each curve of fidelity.
        seeds: Of first weights and all that is drawn; the first chooses the gammas.
        logistic: Gammas of R1. 1 trained real slices at 64 px here, 4 is that of demo-mri.
        relativistic: Gammas of R1 and R2.
    """
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    real = mri_images(data) if images == "mri" else he_images(data)
    (out / f"{real.name}-real.png").write_bytes(
        encode(picture(real, real.shown[:: len(real.shown) // SHOWN][:SHOWN]))
    )
    gammas: dict[Objective, Sequence[float]] = {
        "logistic": logistic,
        "relativistic": relativistic,
    }
    for seed in seeds:
        candidates = [
            Candidate(objective=kind, gamma=gamma, run=new_candidate(kind, gamma, real, seed))
            for kind, tried in gammas.items()
            for gamma in tried
        ]
        for until, due in turns(seconds, points):
            for candidate in candidates:
                candidate.advance(until)
                if due:
                    candidate.measure(real)
                    said = candidate.curve[-1]
                    print("#", candidate.objective, candidate.gamma, said, flush=True)
        for candidate in candidates:
            tell(candidate, real, out)
        for kind in gammas:
            own = [candidate for candidate in candidates if candidate.objective == kind]
            gammas[kind] = [min(own, key=lambda candidate: candidate.kid).gamma]


def turns(seconds: float, points: int) -> Iterator[tuple[float, bool]]:
    """Until when each training goes next, and whether fidelity is due then."""
    per_point = max(1, round(seconds / points / TURN_SECONDS))
    for turn in range(1, points * per_point + 1):
        yield seconds * turn / (points * per_point), turn % per_point == 0


def new_candidate(kind: Objective, gamma: float, real: RealImages, seed: int) -> StyleGan2Run:
    """A training of that objective."""
    settings = dataclasses.replace(
        STYLEGAN2["demo-mri"],
        resolution_px=SIDE_PX,
        r1_gamma=gamma,
        symmetry="mirror" if real.name == "mri" else "dihedral",
    )
    if kind == "logistic":
        return started(settings, real, seed)
    plain = dataclasses.replace(settings, r1_gamma=0.0, path_length_weight=0.0, style_mixing=0.0)
    run = started(plain, real, seed)
    given = {f.name: getattr(run, f.name) for f in dataclasses.fields(run) if f.init}
    return RelativisticRun(**given, gamma=gamma)


def started(settings: StyleGan2Settings, real: RealImages, seed: int) -> StyleGan2Run:
    """A new run; who the patients are matters to checkpoints only."""
    run = new_run(real.shown, settings, seed=seed, idh="mutant", patients=(real.name,))
    assert isinstance(run, StyleGan2Run)
    return run


def mri_images(data: Path) -> RealImages:
    """Slices of FOLDER/mri_slices with contrast."""
    index = pd.read_csv(data / "mri_slices" / "index.csv").sort_values("image", ignore_index=True)
    index = index[index["has_post"]]
    slices = read_slices(data / "mri_slices", index["image"], SIDE_PX)
    return halved("mri", slices, index["patient"].to_numpy(), MRI_CHANNELS)


def he_images(data: Path) -> RealImages:
    """Patches of FOLDER/he_patches, both classes."""
    groups = pd.read_csv(data / "he_patches" / "groups.csv").sort_values("file")
    patches = [
        resize(np.asarray(Image.open(data / "he_patches" / name).convert("RGB")), SIDE_PX)
        for name in groups["file"]
    ]
    return halved("he", np.stack(patches), groups["source_tile"].to_numpy(), RGB_CHANNELS)


def halved(
    name: str, images: NDArray[np.uint8], patients: NDArray[Any], channels: Sequence[str]
) -> RealImages:
    """Half of the patients for training; both halves as references."""
    names = generator(0, "halves").permutation(np.unique(patients.astype(str)))
    shown = np.isin(patients.astype(str), names[::2])
    seen, unseen = (
        reference_of(
            images[part],
            tuple(patients[part]),
            random_features(),
            FIDELITY["standard"],
            reference=said,
            n_generated=COUNT,
            channels=channels,
        )
        for part, said in ((shown, "training patients"), (~shown, "other patients"))
    )
    return RealImages(name=name, shown=images[shown], seen=seen, unseen=unseen)


def figures(found: Any) -> dict[str, list[float]]:
    """Of all channels together: value, floor."""
    channel = found.figures[-1].channel
    return {
        metric: [float(f"{number:.3g}") for number in (one.value, one.floor)]
        for metric in METRICS
        for one in (found.figure(metric, channel),)
    }


def tell(candidate: Candidate, real: RealImages, out: Path) -> None:
    """Print a finished training's line; keep it, and samples."""
    run = candidate.run
    name = f"{real.name}-{candidate.objective}-{candidate.gamma:g}-seed{run.seed}"
    made = generate(generator_of(run), run.seed, range(SHOWN))
    (out / f"{name}.png").write_bytes(encode(picture(real, made)))
    line = {
        "images": real.name,
        "objective": candidate.objective,
        "gamma": candidate.gamma,
        "seed": run.seed,
        "cpu_seconds": round(candidate.cpu_seconds),
        "kimg": run.images_shown / 1000,
        "cpu_ms_per_image": round(1000 * candidate.cpu_seconds / run.images_shown, 2),
        "late_score_gap": round(float(torch.stack(candidate.gaps[-500:]).mean()), 3),
        "late_kid": float(f"{candidate.kid:.3g}"),
        "value_and_floor": candidate.curve[-1],
        "kid_over_time": [point["seen"]["kid"][0] for point in candidate.curve],
        "fid_over_time": [point["seen"]["fid"][0] for point in candidate.curve],
        "n": [real.seen.n, real.unseen.n],
    }
    with (out / "results.jsonl").open("a") as lines:
        lines.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def picture(real: RealImages, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """MRI as pairs of channels in gray, patches in color; enlarged."""
    if real.name == "mri":
        return sheet(images)
    return image_grid(images, columns=9).repeat(3, axis=0).repeat(3, axis=1)


if __name__ == "__main__":
    tyro.cli(main)
