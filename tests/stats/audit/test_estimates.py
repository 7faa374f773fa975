"""Park's multivariable betas one by one, and betas under the name of odds ratios."""

import pytest

from idhray.stats.audit.estimates import (
    AGREES_WITH_P,
    ON_ITS_SCALE,
    SYMMETRIC,
    against_p,
    asymmetric,
    other_scale,
)
from idhray.stats.audit.figures import ESTIMATE, holds_rule, outside

HEADER = "row,n,scale,estimate,low,high,p"
DIVIDED = "divided by sqrt(n)"


@pytest.mark.parametrize(
    ("line", "explained"),
    [
        pytest.param("118,beta,1.34,1.24,1.45,0.02", DIVIDED, id="model 1, frontal"),
        pytest.param("118,beta,0.25,0.09,0.41,0.77", DIVIDED, id="model 1, thalamus"),
        pytest.param("118,beta,1.91,1.77,2.05,0.017", DIVIDED, id="model 1, no necrosis"),
        pytest.param("118,beta,-1.50,-1.64,-1.36,0.05", DIVIDED, id="model 1, nodular"),
        pytest.param("118,beta,0.035,-0.135,0.205,0.97", DIVIDED, id="model 1, patch"),
        pytest.param("118,beta,-0.54,-0.646,-0.434,0.35", DIVIDED, id="model 1, edema"),
        pytest.param("118,beta,1.52,1.04,2.35,0.04", "no usual slip", id="model 2, frontal"),
        pytest.param("118,beta,3.33,2.89,3.77,0.77", "no usual slip", id="model 2, thalamus"),
        pytest.param("118,beta,-0.06,-0.24,0.12,0.95", DIVIDED, id="model 2, no necrosis"),
        pytest.param("118,beta,0.25,0.086,0.414,0.78", DIVIDED, id="model 2, nodular"),
        pytest.param("118,beta,3.46,3.26,3.66,0.002", DIVIDED, id="model 2, patch"),
        pytest.param("118,beta,-1.29,-1.5,-1.08,0.26", DIVIDED, id="model 2, edema"),
        pytest.param("156,beta,1.32,1.24,1.4,0.008", DIVIDED, id="model 3, frontal"),
        pytest.param("156,beta,0.78,0.64,0.91,0.36", DIVIDED, id="model 3, thalamus"),
        pytest.param("156,beta,1.97,1.87,2.07,0.002", DIVIDED, id="model 3, patch"),
        pytest.param("156,beta,-0.83,-0.91,-0.75,0.11", DIVIDED, id="model 3, edema"),
        pytest.param("118,odds ratio,3.82,3.44,4.24,0.02", DIVIDED, id="an odds ratio likewise"),
    ],
)
def test_intervals_of_park_2021_contradict_their_p(rows_of, line, explained):
    """14 of them are 1.96 * SE / sqrt(n) to each side, two fit nothing."""
    (row,) = rows_of(HEADER, f"A,{line}")
    (found,) = against_p(row)

    assert (found.rule, found.severity) == (AGREES_WITH_P, "contradiction")
    assert explained in found.fits


def test_the_finding_says_what_the_interval_would_mean(rows_of):
    """Taken literally, 1.34 (1.24 to 1.45) is P = 4e-138; P = .02 is 0.21 to 2.47."""
    (row,) = rows_of(HEADER, "A,118,beta,1.34,1.24,1.45,0.02")
    (found,) = against_p(row)

    assert "P = 4e-138, not 0.02" in found.reason
    assert "0.21 to 2.47 (odds ratio 3.82, 1.23 to 11.81)" in found.fits


def test_interval_and_p_of_different_methods_are_suspicious(rows_of):
    """1.1 to 3.6 excludes 1, and yet P is .08."""
    (row,) = rows_of(HEADER, "A,118,odds ratio,2.00,1.10,3.60,0.08")
    (found,) = against_p(row)

    assert found.severity == "suspicious"
    assert "excludes no effect" in found.reason


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        pytest.param("odds ratio,2.50,1.20,5.21,0.045", "suspicious", id="too large"),
        pytest.param("odds ratio,2.50,1.20,5.21,0.001", "suspicious", id="too small"),
        pytest.param("odds ratio,2.50,1.20,5.21,<0.001", "suspicious", id="too small by a sign"),
        pytest.param("odds ratio,2.50,1.20,5.21,0.014", None, id="sound"),
        pytest.param("odds ratio,2.50,1.20,5.21,0.03", None, id="no factor of 3"),
        pytest.param("odds ratio,2.5,1.2,5.2,0.04", None, id="rounding"),
        pytest.param("odds ratio,6.00,3.00,12.00,0.00001", "remark", id="tiny both"),
        pytest.param("beta,4.372,2.033,9.296,0.00003", "remark", id="a profile interval"),
        pytest.param("HR,1.80,0.80,4.05,0.003", "contradiction", id="a hazard ratio"),
        pytest.param("risk ratio,1.80,0.80,4.05,0.003", "contradiction", id="a relative risk"),
        pytest.param("HR,1.80,0.80,4.05,0.16", None, id="a sound hazard ratio"),
    ],
)
def test_p_values_apart_from_their_interval_are_told(rows_of, line, severity):
    """Less than a contradiction, more than rounding."""
    (row,) = rows_of(HEADER, f"A,118,{line}")
    found = [*against_p(row)]

    assert [one.severity for one in found] == ([severity] if severity else [])


def test_a_p_apart_is_told_with_what_the_interval_means(rows_of):
    """.014 by Wald; and an interval of another level is recognized."""
    one, other = rows_of(
        HEADER, "A,118,odds ratio,2.50,1.20,5.21,0.045", "B,118,beta,1.00,0.000,2.000,0.010"
    )
    (first,), (second,) = against_p(one), against_p(other)

    assert first.reason == "by Wald the interval means P = 0.014, not 0.045"
    assert "different methods" in first.fits
    assert "it is a 99% interval" in second.fits


@pytest.mark.parametrize(
    ("line", "fits"),
    [
        pytest.param(
            "156,beta,1.13,-0.52,0.78,0.08", "centered on 0.13", id="model 3, no necrosis"
        ),
        pytest.param("156,beta,-0.58,0.66,-0.49,0.27", DIVIDED, id="model 3, nodular: lost minus"),
        pytest.param("156,beta,0.20,0.50,-0.10,0.2", "ends exchanged", id="exchanged ends"),
        pytest.param(
            "156,odds ratio,0.20,0.50,0.90,0.2", "centered on 0.70", id="below an interval"
        ),
    ],
)
def test_an_interval_holds_its_estimate(rows_of, line, fits):
    """Park 2021, table 2, and two that are made up."""
    (row,) = rows_of(HEADER, f"A,{line}")
    (found,) = outside(ESTIMATE, row)

    assert (found.rule, found.severity) == (holds_rule(ESTIMATE), "impossible")
    assert fits in found.fits
    assert [*against_p(row), *asymmetric(row)] == []


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        pytest.param("beta,1.52,1.04,2.35,0.04", "suspicious", id="Park 2021, model 2, frontal"),
        pytest.param("beta,2.05,0.28,5.00,0.06", "remark", id="a profile-likelihood interval"),
        pytest.param("beta,2.05,0.28,5.00,", "suspicious", id="without P it is too long"),
        pytest.param("beta,2.00,0.20,3.00,", "suspicious", id="longer towards zero"),
        pytest.param("beta,0.78,0.64,0.91,", None, id="rounding"),
        pytest.param("odds ratio,3.62,1.51,8.67,", None, id="symmetric in the logarithm"),
        pytest.param("odds ratio,3.62,2.70,8.67,", "suspicious", id="symmetric nowhere"),
    ],
)
def test_an_interval_is_symmetric_on_its_scale(rows_of, line, severity):
    """With an allowance for likelihoods that lean away from zero."""
    (row,) = rows_of(HEADER, f"A,118,{line}")
    found = [*asymmetric(row)]

    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(one.rule == SYMMETRIC for one in found)


SCALE_HEADER = "row,source,group,scale,estimate,low,high,p"


@pytest.mark.parametrize(
    ("line", "severity"),
    [
        pytest.param("odds ratio,1.34,0.21,2.47,0.02", "contradiction", id="beta, P agrees"),
        pytest.param("odds ratio,3.00,2.00,4.00,", "suspicious", id="symmetric about itself"),
        pytest.param("odds ratio,3.62,1.51,8.67,0.004", None, id="a sound odds ratio"),
        pytest.param("odds ratio,1.10,1.05,1.15,<0.001", None, id="narrow: either"),
        pytest.param("HR,3.00,2.00,4.00,", "suspicious", id="a hazard ratio likewise"),
        pytest.param("RR,3.62,1.51,8.67,0.004", None, id="a sound relative risk"),
        pytest.param("beta,20.0,5.0,80.0,0.00002", "contradiction", id="odds ratio as beta"),
        pytest.param("beta,3.62,1.51,8.67,", "suspicious", id="the same without P"),
        pytest.param("beta,1.29,0.41,2.16,0.004", None, id="a sound beta"),
        pytest.param("beta,4.31,3.40,5.43,", None, id="profile interval, symmetric by chance"),
        pytest.param("kappa,0.67,0.50,0.70,", None, id="another scale"),
    ],
)
def test_an_interval_tells_its_scale(rows_of, line, severity):
    """By its symmetry, and by P."""
    (row,) = rows_of(SCALE_HEADER, f"A,,,{line}")
    found = [*other_scale(row)]

    assert [one.severity for one in found] == ([severity] if severity else [])
    assert all(one.rule == ON_ITS_SCALE for one in found)
