"""What a report is made of: ledgers counted, pictures known by their bytes."""

import pytest

from idhray.errors import ConfigError
from idhray.report.content import MAX_REASONS, Picture, flow_of


def test_a_ledger_is_counted_and_its_failures_are_named():
    """Failed before skipped, by name; done inputs need no line."""
    flow = flow_of(
        "tile-slides",
        [
            {"input": "c.svs", "status": "skipped", "error": "no tissue"},
            {"input": "a.svs", "status": "done", "error": None},
            {"input": "b.svs", "status": "failed", "error": ""},
        ],
    )

    assert (flow.done, flow.skipped, flow.failed, flow.unlisted) == (1, 1, 1, 0)
    assert flow.reasons == [
        ("b.svs", "failed", "no reason given"),
        ("c.svs", "skipped", "no tissue"),
    ]


def test_what_a_long_list_leaves_out_is_counted():
    """Nothing is dropped silently."""
    rows = [{"input": f"{n}.svs", "status": "failed", "error": "x"} for n in range(MAX_REASONS + 7)]

    assert flow_of("step", rows).unlisted == 7


def test_remarks_on_finished_inputs_are_listed():
    """A slide whose resolution is contradicted was told in the log of a worker only."""
    rows = [
        {"input": "b", "status": "done", "error": "mpp of the file is 0.5 um, ..."},
        {"input": "a", "status": "done", "error": ""},
    ]

    assert flow_of("tile-slides", rows).remarks == [("b", "mpp of the file is 0.5 um, ...")]


def test_an_unknown_status_is_refused():
    """A fourth fate would be in no column."""
    with pytest.raises(ConfigError, match="'lost'"):
        flow_of("step", [{"input": "a", "status": "lost", "error": None}])


def test_a_picture_must_be_png_or_svg():
    """Anything else would be a broken image."""
    with pytest.raises(ConfigError, match="neither PNG nor SVG"):
        Picture(title="Figure 1", data=b"GIF89a", alt="")


def test_an_answer_is_one_of_three(content):
    """A fourth answer has no color and no meaning."""
    with pytest.raises(ConfigError, match="answer must be one of"):
        content(answer="maybe")
