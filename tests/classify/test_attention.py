"""Gated attention pooling equals a plain torch loop, and tells what it looks at."""

import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from idhray.classify.attention import (
    MilSettings,
    fit_attention,
    initial_head,
    patient_probability,
)
from idhray.classify.bags import Bags, sampled_bags
from idhray.classify.frozen import fit_frozen
from idhray.classify.trial_models import MODEL_KINDS, head_tensors
from idhray.errors import ConfigError, TableError, TrainingError
from tests.classify.made_up import view_of

SETTINGS = MilSettings(
    embedding=8, attention=5, dropout=0.0, slots=6, bags_per_step=4, epochs=5, learning_rate=0.01
)
PATIENTS = np.repeat([f"P{n:02d}" for n in range(12)], 4)
LABELS = np.repeat(np.arange(12) % 2, 4).astype(np.int8)


def cohort(n_added=8, shift=1.0):
    """One image of each mutant tells the class; added images carry a mark of their own."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(48, 7)).astype(np.float32)
    real[::4, 0] += 4 * shift * LABELS[::4]
    added = rng.normal(size=(n_added, 7)).astype(np.float32)
    told = np.tile(np.array([0, 1], np.int8), n_added // 2)
    return Bags(PATIENTS, LABELS, told, (24, 24), seed=3), real, added


def validation(shift=1.0):
    rng = np.random.default_rng(1)
    features = rng.normal(size=(10, 4, 7)).astype(np.float32)
    features[:, 0, 0] += 4 * shift * (np.arange(10) % 2)
    return [(number % 2, features[number]) for number in range(10)]


def plain_loop(bags, real, added):
    """The same training with the operations written out, from the same first weights."""
    first = initial_head(real, SETTINGS, bags.seed).state_dict()
    weights = {
        name: value.clone().requires_grad_()
        for name, value in first.items()
        if name not in ("mean", "scale")
    }
    mean, deviation = real.mean(axis=0), real.std(axis=0)
    optimizer = torch.optim.AdamW(
        weights.values(), lr=SETTINGS.learning_rate, weight_decay=SETTINGS.weight_decay
    )
    steps = sampled_bags(bags, bags_per_epoch=12, bags_per_step=4, slots=6)
    for step in itertools.chain(*itertools.islice(steps, SETTINGS.epochs)):
        loss = torch.zeros(())
        for label, images, of_added in zip(step.labels, step.images, step.added, strict=True):
            rows = [added[i] if a else real[i] for i, a in zip(images, of_added, strict=True)]
            x = torch.tensor((np.stack(rows) - mean) / deviation)
            h = F.relu(x @ weights["embed.weight"].T + weights["embed.bias"])
            v = torch.tanh(h @ weights["tangent.weight"].T + weights["tangent.bias"])
            u = torch.sigmoid(h @ weights["gate.weight"].T + weights["gate.bias"])
            scores = (v * u) @ weights["score.weight"].T
            a = torch.exp(scores) / torch.exp(scores).sum()
            z = (a * h).sum(dim=0)
            p = torch.sigmoid(z @ weights["classify.weight"][0] + weights["classify.bias"][0])
            loss = loss - torch.log(p if label else 1 - p) / len(step.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return weights


def test_training_equals_a_plain_loop():
    """Independent of masks, batches and the fused loss."""
    bags, real, added = cohort()
    falling = validation()  # the last epoch has the least loss here
    fitted = fit_attention(bags, real, added, falling, SETTINGS, bags_per_epoch=12)
    expected = plain_loop(bags, real, added)

    assert fitted.epoch == SETTINGS.epochs
    assert fitted.steps == 3 * SETTINGS.epochs
    for name, value in fitted.head.named_parameters():
        assert torch.allclose(value, expected[name], atol=2e-5), name


def test_attention_finds_the_image_that_tells_the_class():
    """A mean over all images would see a quarter of it."""
    bags, real, added = cohort(n_added=0, shift=2.0)
    longer = MilSettings(
        embedding=16, attention=8, dropout=0.0, slots=4, epochs=60, learning_rate=0.01
    )
    fitted = fit_attention(bags, real, added, validation(2.0), longer, bags_per_epoch=12)
    of_mutant = torch.tensor(validation(2.0)[1][1])[None]

    assert fitted.val_auc == 1
    assert int(fitted.head(of_mutant)[1].argmax()) == 0
    assert (fitted.attention_added, fitted.slots_added) == (None, None)


def test_the_attention_on_added_images_is_their_share_while_all_scores_are_equal():
    """Uniform attention has the mass of the slots; trained attention may differ from it."""
    bags, real, added = cohort()
    still = MilSettings(
        embedding=4, attention=4, dropout=0.0, slots=16, epochs=1, learning_rate=1e-9
    )
    fitted = fit_attention(bags, real, added, validation(), still, bags_per_epoch=12)
    with torch.no_grad():
        fitted.head.score.weight.zero_()

    assert fitted.slots_added == pytest.approx(4 / 28, abs=0.06)
    assert fitted.attention_added == pytest.approx(fitted.slots_added, abs=0.05)


def test_a_prediction_does_not_depend_on_the_order_of_the_images():
    """A bag is a set."""
    bags, real, added = cohort()
    head = fit_attention(bags, real, added, validation(), SETTINGS, bags_per_epoch=12).head
    images = validation()[3][1]

    assert patient_probability(head, images) == pytest.approx(
        patient_probability(head, images[::-1].copy()), abs=1e-6
    )


def test_trainings_that_can_only_fail_are_refused():
    """One class, a rate that explodes, and widths of nothing."""
    bags, real, added = cohort()
    single = Bags(PATIENTS[:4], LABELS[:4], bags.added_labels, (24, 24), seed=3)
    broken = [(label, np.full_like(features, np.nan)) for label, features in validation()]

    with pytest.raises(TableError, match="training patients of both classes"):
        fit_attention(single, real[:4], added, validation(), SETTINGS, bags_per_epoch=12)
    with pytest.raises(TrainingError, match=r"epoch 1: val_loss is nan; lower mil\.learning_rate"):
        fit_attention(bags, real, added, broken, SETTINGS, bags_per_epoch=12)
    with pytest.raises(ConfigError, match=r"mil\.slots must be 1 or more, got 0"):
        MilSettings(slots=0)


def test_a_kept_head_scores_patients_as_when_it_was_trained():
    """Every image of a patient has the score of its bag, so that their mean is the patient's."""
    bags, real, added = cohort()
    head = fit_attention(bags, real, added, validation(), SETTINGS, bags_per_epoch=12).head
    pixels = np.zeros((48, 1, 1), np.uint8)
    rows = view_of(pixels, LABELS, PATIENTS)
    scores = MODEL_KINDS["abmil"].scorer(None, dict(head.state_dict()))
    p = scores(rows, lambda: real, "cpu")
    order = np.random.default_rng(0).permutation(48)

    assert p[:4] == pytest.approx([patient_probability(head, real[:4])] * 4)
    assert scores(rows.take(order), lambda: real[order], "cpu") == pytest.approx(p[order], abs=1e-6)


def test_a_kept_mean_head_scores_the_mean_of_a_patient():
    """As in the trial that kept it."""
    _, real, _ = cohort()
    head = fit_frozen(real, LABELS, weights=np.ones(48), penalty=1.0)
    rows = view_of(np.zeros((48, 1, 1), np.uint8), LABELS, PATIENTS)
    p = MODEL_KINDS["mean-pool"].scorer(None, head_tensors(head))(rows, lambda: real, "cpu")

    assert p[:4] == pytest.approx(
        np.repeat(head.mutant_probabilities(real[:4].mean(axis=0, keepdims=True)), 4)
    )
