"""The script for the first minutes on a GPU, without one: it must not fail when there is one."""

import json

import pytest

from benchmarks import gpu_first_contact as contact
from benchmarks.gpu_first_contact import PARTS, Options, main, run_parts


def test_a_part_that_fails_costs_its_own_line_only(tmp_path, monkeypatch):
    """Each line is written at once; what the budget does not cover is named."""
    written = []

    def of_process(name, options, seconds):
        results = tmp_path / "results.jsonl"
        written.append(results.read_text().count("\n") if results.exists() else 0)
        return {"error": "CUDA error"} if name == "a" else {"seconds": seconds}

    monkeypatch.setattr(contact, "_of_process", of_process)
    monkeypatch.setattr(contact.time, "perf_counter", lambda: [0, 0, 400, 475][len(written) + 1])
    lines = run_parts(Options(out=tmp_path), ["a", "b", "c"])

    assert written == [0, 1]
    assert lines[:2] == [{"part": "a", "error": "CUDA error"}, {"part": "b", "seconds": 80.0}]
    assert lines[2]["skipped"] == "5 s of the budget are left"
    assert [json.loads(x) for x in (tmp_path / "results.jsonl").read_text().splitlines()] == lines


def test_parts_that_need_most_come_last_and_unknown_ones_are_refused(capsys):
    """Equality decides whether speed counts; the peer is optional."""
    names = list(PARTS)

    assert names[0].startswith("equal")
    assert names[-1] == "peer"
    with pytest.raises(SystemExit):
        main(["--out", "x", "--parts", "speed"])
    assert "no such part: speed" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["speed pggan eager", "depthwise", "peer"])
def test_quick_parts_run_without_a_gpu(tmp_path, name):
    """The same code as on a GPU, but for its device and sizes."""
    result = PARTS[name](Options(out=tmp_path, device="cpu", tiny=True))

    assert json.loads(json.dumps(result)) == result
    assert "error" not in result


@pytest.mark.slow
def test_all_parts_run_without_a_gpu(tmp_path):
    """Compilers, kills and two workers included, each in its own process."""
    limits = ["--budget-s", "3000", "--part-s", "900"]
    main(["--out", str(tmp_path), "--device", "cpu", "--tiny", *limits])
    lines = [json.loads(line) for line in (tmp_path / "results.jsonl").read_text().splitlines()]

    assert [line["part"] for line in lines] == list(PARTS)
    assert [line for line in lines if "error" in line] == []
    assert all(line["equal"] for line in lines if "equal" in line)
    assert all(line["bit_equal"] for line in lines if "bit_equal" in line)
