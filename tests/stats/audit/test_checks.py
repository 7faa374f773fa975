"""The audit of both papers, of sound tables of simulated patients, and its printout."""

import csv
import io
import json

import numpy as np
import pytest

from idhray.errors import ConfigError
from idhray.stats.audit.checks import CHECKS, audit_file, audit_text
from idhray.stats.audit.contrasts import log_odds_ratio, profile_interval, standard_error, wald_p
from idhray.stats.audit.counts import p_values
from idhray.stats.audit.findings import each, finding, rows_text
from idhray.stats.audit.intervals import Z95
from idhray.stats.text import printed
from tests.stats.auc_intervals import auc_interval
from tests.stats.audit.conftest import PUBLISHED

THALAMUS = "Thalamus or brainstem, univariable"
EDEMA = "Edema-dominant surrounding high signal intensity, univariable"


def flagged(audit, name):
    """The names of the rows with a finding."""
    with (PUBLISHED / f"{name}.csv").open() as file:
        names = [row["row"] for row in csv.DictReader(file)]
    return [names[line - 2] for line in audit.lines()]


def test_table_1_of_park_2021(published_audit):
    """Two exchanged cells, and a P of .001 that is below it; 17 others are sound."""
    found = published_audit("park2021_table1")

    assert flagged(found, "park2021_table1") == [
        "Enhancement category, P*",
        "Enhancement category, P**",
        "Necrosis, P*",
    ]
    assert found.unchecked == (2, 3, 4)  # medians of ages: nothing to recompute them from


def test_table_2_of_park_2021(published_audit):
    """Univariable: thalamus, edema, and distinct margin of models 1 and 3. All multivariable."""
    found = published_audit("park2021_table2")
    names = flagged(found, "park2021_table2")
    univariable = [f"{what}, model {model}" for model in (1, 2, 3) for what in (THALAMUS, EDEMA)]

    assert sum("multivariable" in name for name in names) == 21
    assert [name for name in names if "univariable" in name] == [
        univariable[0],
        univariable[1],
        "Distinct, univariable, model 1",
        *univariable[2:],
        "Distinct, univariable, model 3",
    ]
    assert sum("divided by sqrt(n)" in one.fits for one in found.findings) == 15


def test_table_3_of_park_2021(published_audit):
    """All of reader 2, validation, and all of reader 2 with age; two methods of intervals."""
    found = published_audit("park2021_table3")

    assert flagged(found, "park2021_table3") == [
        *(f"model {model}, validation, reader 2" for model in (1, 2, 3)),
        *(f"model {model}, validation with age, reader 2" for model in (1, 2, 3)),
    ]
    assert [one.rule for one in found.findings if one.line is None] == [
        "AUC intervals are of one method"
    ]
    assert found.count("impossible") == 5


def test_text_of_park_2021(published_audit):
    """The four odds ratios of the abstract are betas."""
    found = published_audit("park2021_text")

    assert flagged(found, "park2021_text") == [
        "Frontal or insula, model 1 (abstract)",
        "Frontal or insula, model 2 (abstract)",
        "Distinct, model 1 (abstract)",
        "Distinct, model 2 (abstract)",
    ]


def test_tables_of_liu_2020(published_audit):
    """One area off the lattice, one sum; 25 other rows and all else are sound."""
    assert flagged(published_audit("liu2020_table123"), "liu2020_table123") == ["+4 K"]
    assert published_audit("liu2020_table123").findings[0].set == "test"
    assert flagged(published_audit("liu2020_table4"), "liu2020_table4") == [
        "Number of patients, < 55"
    ]
    assert published_audit("liu2020_text").findings == ()


def test_statuses_agree_with_those_of_r(published_audit, reference):
    """The cells of Table 1 that neither test gives are those flagged, found from R's P values."""
    cases = reference("published_park")["table1"]
    wrong = sum(
        all(case[f"status_{test}"] in ("no", None) for test in ("pearson", "yates", "fisher"))
        for case in cases
    )

    assert len(published_audit("park2021_table1").findings) == wrong == 3


def diagnostic_lines(rng):
    """Rows of one classifier study, its intervals by one method, its digits rounded or cut."""
    m, w = rng.integers(6, 80, 2)
    labels = np.r_[np.ones(m, int), np.zeros(w, int)]
    method = rng.choice(["delong", "exact binomial", "hanley-mcneil"])
    for i in range(5):
        scores = np.round(rng.normal(size=m + w) + labels * rng.uniform(0.3, 2), 1)
        called = scores >= rng.choice(scores)
        tp, tn = int(called[labels == 1].sum()), int((~called[labels == 0]).sum())
        area = auc_interval(labels, scores, method)
        numbers = [
            tp / m,
            tn / w,
            (tp + tn) / (m + w),
            area.auc,
            max(area.ci_low, 0),
            min(area.ci_high, 1),
        ]
        texts = ",".join(printed(float(number)) for number in numbers)
        yield f"C{i},test,{m + w},{m},{w},{texts},{tp + tn}/{m + w},,,,,,"


def regression_lines(rng):
    """Rows of 2 x 2 contrasts with Wald intervals, and of tests of larger tables."""
    empty = "," * 11
    for i in range(5):
        counts = tuple(map(tuple, rng.integers(2, 60, (2, 2)).tolist()))
        beta, se = log_odds_ratio(counts), standard_error(counts)
        ends = (beta - Z95 * se, beta + Z95 * se) if i % 2 else profile_interval(counts)
        scale, values = "beta", (beta, *ends)
        if rng.random() < 0.5:
            scale, values = "odds ratio", tuple(np.exp(values))
        estimate, low, high = (f"{value:.2f}" for value in values)
        p = wald_p(counts)
        p_text = "<0.001" if p < 0.001 else printed(p)
        text = "; ".join(f"{w}/{m}" for w, m in counts)
        yield f"E{i}{empty},{estimate},{scale},{low},{high},{p_text},{text if i < 3 else ''}"
        larger = tuple(map(tuple, rng.integers(1, 20, (3, 2)).tolist()))
        p = p_values(larger)[str(rng.choice(["Pearson", "Fisher"]))]
        text = "; ".join(f"{w}/{m}" for w, m in larger)
        yield f"T{i}{empty},,,,,{'<0.001' if p < 0.001 else printed(p)},{text}"


@pytest.mark.parametrize("seed", range(12))
def test_sound_tables_are_silent(audit_of, seed):
    """A false alarm is an accusation: 15 rows each, of patients that exist."""
    rng = np.random.default_rng(seed)
    header = (
        "row,set,n,n_mutant,n_wildtype,sensitivity,specificity,accuracy,auc,auc_low,auc_high,"
        "accuracy_count,estimate,scale,low,high,p,counts"
    )
    found = audit_of(header, *diagnostic_lines(rng), *regression_lines(rng))

    assert [(one.printed, one.reason) for one in found.findings] == []
    assert found.unchecked == ()


def test_a_hazard_ratio_is_not_computed_from_counts(audit_of):
    """Its interval and P are judged, its counts are not: 2.00 is no odds ratio of them."""
    found = audit_of(
        "row,group,n,estimate,scale,low,high,p,counts",
        "A,g,86,2.00,hazard ratio,1.10,3.64,0.023,4/20; 44/18",
        "B,g,86,1.80,HR,1.60,2.02,<0.001,",
    )
    coverage = {one.rule: one for one in found.coverage}

    assert found.findings == ()
    assert coverage["interval agrees with P"].checked == 2
    assert coverage["estimate follows from its counts"].checked == 0


def test_silence_is_no_approval(audit_of):
    """What could not be asked, and where nothing could be compared, is counted."""
    found = audit_of("row,auc,estimate,p", "A,0.823,,", "B,,1.29,0.004", "C,,,0.04", "D,,,")
    coverage = {one.rule: one for one in found.coverage}

    assert found.findings == ()
    assert coverage["AUC is k/2 of the pairs"].checked == 0
    assert coverage["AUC is k/2 of the pairs"].lacking == {"n_mutant, n_wildtype": 1}
    assert coverage["interval agrees with P"].lacking == {"low, high, scale": 1}
    assert coverage["P follows from its counts"].lacking == {"counts": 1}
    assert found.unchecked == (2, 3, 4, 5)


def test_every_rule_has_its_own_name():
    """The coverage is read by name."""
    names = [check.rule for check in CHECKS]

    assert len(names) == len(set(names))


def test_huge_and_empty_classes_do_not_stop_an_audit(audit_of):
    """A billion patients, none at all, and all figures at their limits."""
    found = audit_of(
        "row,n,n_mutant,n_wildtype,sensitivity,specificity,accuracy,auc,auc_low,auc_high",
        "A,1000000000,500000000,500000000,.722,.813,.768,.823,.823,.823",
        "B,0,0,0,.722,.813,.768,.823,.81,.84",
        "C,2,1,1,1,1,1,1,1,1",
    )

    assert 2 not in found.lines()
    assert 3 in found.lines()
    assert 4 not in found.lines()


LINES = (
    "row,set,source,n_mutant,n_wildtype,auc,kappa",
    "+4 K,test,Table 2,18,16,0.893,",
    '"Base, again",test,Table 2,18,16,0.920,',
    "no sizes,test,Table 2,,,0.9,",
)


def test_the_text_says_what_was_found_checked_and_left_out(audit_of):
    """A reader must not take silence for approval."""
    text = audit_text(audit_of(*LINES), "liu.csv")

    assert text.startswith(
        "liu.csv: 3 rows, 1 finding in 1 row, 0 remarks\nnotice: 1 unknown column"
    )
    assert "IMPOSSIBLE (1): no data give this" in text
    assert "row 2, +4 K (test, Table 2): AUC is k/2 of the pairs" in text
    assert "      printed  AUC 0.893 of 18 mutants and 16 wildtypes" in text
    assert "      fits     257/288 is 0.892" in text
    assert "CHECKED\n  figures lie in their range: 3 rows\n" in text
    assert "  AUC is k/2 of the pairs: 1 row without n_mutant, n_wildtype" in text
    assert "NOT ASKED" in text
    assert "NOTHING TO COMPARE in row 4" in text
    assert max(map(len, text.splitlines())) <= 110


def test_the_files_hold_every_finding(audit_of):
    """CSV for spreadsheets, JSON with the coverage; names with commas survive."""
    audit = audit_of(*LINES, '"A, B",test,Table 2,18,16,1.2,')
    rows = [*csv.DictReader(io.StringIO(audit_file(audit, "liu.csv", "out.csv").decode()))]
    content = json.loads(audit_file(audit, "liu.csv", "out.json"))

    assert [row["row"] for row in rows] == ["+4 K", "A, B"]
    assert rows[0]["severity"] == "impossible"
    assert content["table"] == "liu.csv"
    assert [one["line"] for one in content["findings"]] == [2, 5]
    assert content["nothing_to_compare"] == [4]
    assert any(one["rule"] == "AUC is k/2 of the pairs" for one in content["checked"])


def test_another_ending_is_refused(audit_of):
    """Rather than a CSV under another name."""
    with pytest.raises(ConfigError, match="findings are written"):
        audit_file(audit_of(*LINES), "liu.csv", "out.xlsx")


def test_rows_are_cited_in_ranges():
    """The header is row 1."""
    assert rows_text([2]) == "row 2"
    assert rows_text([2, 4, 5, 6, 9]) == "rows 2, 4 to 6, 9"


def test_a_finding_carries_its_row(rows_of):
    """And a rule about single rows is applied to each."""
    rows = rows_of("row,set,source,n", "A,test,Table 2,", "B,test,Table 3,")
    find = each(lambda row: [finding(row, "rule", "remark", printed="1", reason="2")])
    found = [*find(rows, rows)]

    assert [(one.line, one.row, one.set, one.source) for one in found] == [
        (2, "A", "test", "Table 2"),
        (3, "B", "test", "Table 3"),
    ]
