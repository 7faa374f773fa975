"""Slips behind Park's univariable betas, and made-up ones."""

import pytest

from idhray.stats.audit.slips import counts_text, on_scale, slip

HEADER = "row,n,scale,estimate,p,counts"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        pytest.param(
            "118,beta,-0.91,0.04,45/9; 35/29",
            "with both wildtype counts exchanged (35/9; 45/29) it is -0.919",
            id="Park 2021, model 1, edema",
        ),
        pytest.param(
            "118,beta,2.94,<0.001,4/20; 76/18",
            "with 1 mutant in the other level (4/19; 76/19) it is 2.944",
            id="Park 2021, model 1, distinct",
        ),
        pytest.param(
            "118,beta,-1.29,0.004,29/25; 42/10",
            "with level and reference exchanged it is -1.287",
            id="a lost or wrong sign",
        ),
        pytest.param(
            "118,odds ratio,0.28,0.004,29/25; 42/10",
            "with level and reference exchanged it is 0.276",
            id="the same as odds ratio",
        ),
        pytest.param("118,beta,-3.56,0.001,45/6; 35/32", "", id="Park 2021, model 2, edema"),
        pytest.param("156,beta,3.47,<0.001,4/47; 76/29", "", id="Park 2021, model 3, distinct"),
        pytest.param(
            "118,beta,-1.29,0.2,29/25; 42/10",
            "with level and reference exchanged it is -1.287, but then P is 0.0039",
            id="and P is wrong too",
        ),
    ],
)
def test_the_slip_gives_the_printed_estimate(rows_of, line, said):
    """Counts are those of table 1; what fits by moving many patients is no explanation."""
    rows = rows_of(HEADER, f"A,{line}")

    assert slip(rows[0], rows) == said


def test_park_2021_took_frontal_as_reference_of_the_thalamus(rows_of):
    """The table says Other; 0.95 (P .18) is frontal against thalamus."""
    rows = rows_of(
        HEADER,
        "frontal,118,beta,1.29,0.004,29/25; 42/10",
        "thalamus,118,beta,0.95,0.18,9/3; 42/10",
        "thalamus of others,156,beta,0.95,0.18,9/3; 42/10",
    )

    assert slip(rows[1], rows) == "for the level of row 2 against this one it is 0.950"
    assert slip(rows[2], rows) == ""


def test_texts():
    """As in the file; an odds ratio is the exponential of its beta."""
    assert counts_text(((4, 20), (76, 18))) == "4/20; 76/18"
    assert on_scale(0.0, "odds ratio") == 1
    assert on_scale(0.5, "beta") == 0.5
