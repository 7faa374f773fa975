"""Hours, storage and money of a study on a cluster."""

import pytest

from idhray.errors import ConfigError
from idhray.planning.cluster_cost import (
    ClusterRates,
    Prices,
    Workload,
    cluster_costs,
    cost_figures,
    cost_text,
)


def test_figures_are_products_of_work_rates_and_prices():
    """Worked out by hand: 1000 slides of 2 gigapixels at 3.6 CPU-s, 4 generators of 1000 kimg."""
    work = Workload(slides=1000, gigapixels=2, generators=4, kimg=1000, trainings=10)
    rates = ClusterRates(
        tile_cpu_s=3.6, tile_gb=0.05, kimg_gpu_s=36, training_gpu_s=360, cpu_share=0.5
    )
    prices = Prices(cpu_hour=0.05, gpu_hour=2, gb_month=0.02, months=3)
    costs = cluster_costs(work, rates)
    figures = cost_figures(costs, prices)

    assert [cost.step for cost in costs] == ["tile-slides", "train-gan", "sweep"]
    assert figures["cpu_hours"] == pytest.approx(4)
    assert figures["gpu_hours"] == pytest.approx(40 + 1)
    assert figures["gb"] == pytest.approx(100 + 4 * 0.5)
    assert figures["price"] == pytest.approx(4 * 0.05 + 41 * 2 + 102 * 0.02 * 3)
    text = cost_text(costs, prices, cpus=16, gpus=8)
    assert "price: 88.32 USD (cpu 0.20, gpu 82.00, storage 6.12)" in text
    assert "on 8 GPUs: 5.1 hours of GPU work" in text


def test_a_rate_that_nobody_measured_is_no_zero():
    """A sum that silently leaves out the GPUs would be believed."""
    costs = cluster_costs(Workload(slides=1, generators=1, kimg=1), ClusterRates())
    text = cost_text(costs, Prices(), cpus=0, gpus=0)

    assert "not counted, as no rate was given: GPU hours of train-gan" in text
    assert " ?" in text
    assert "price" not in text


@pytest.mark.parametrize(
    ("work", "rates", "message"),
    [
        ({}, {}, "no work"),
        ({"slides": -1}, {}, "--slides must be 0 or more"),
        ({"slides": 1}, {"cpu_share": 0}, "above 0 and at most 1"),
    ],
)
def test_nonsense_is_refused(work, rates, message):
    """Negative work would lower the price."""
    with pytest.raises(ConfigError, match=message):
        cluster_costs(Workload(**work), ClusterRates(**rates))
