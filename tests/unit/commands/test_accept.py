"""Results are kept although their code changed: what can be accepted, and what is recorded."""

import base64
import json

import pytest
import yaml
from places import ROOT

from cmrslices.commands.accept import accept, recorded_output
from cmrslices.commands.snakemake_call import read_call
from cmrslices.runtime.accepted_code import read_accepted
from cmrslices.runtime.code_digest import LIBRARY, code_digest
from cmrslices.runtime.errors import InputError

OLD, OLDER = "0201e5da0589dcd8", "11aa11aa11aa11aa"
BECAUSE = ["--because", "only a name changed"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Working directory of a run, with a function that records an output as Snakemake does."""
    monkeypatch.chdir(ROOT)

    def record(rule, output, digest, ended_s=1.0, exists=True):
        name = base64.urlsafe_b64encode(output.encode()).decode()
        file = tmp_path / ".snakemake/metadata" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {"rule": rule, "params": [f"'{digest}'", "2022", "{'sampling': 'uniform'}"], "endtime": ended_s}
        file.write_text(json.dumps(content))
        if exists:
            (tmp_path / output).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / output).touch()

    return tmp_path, record


def call(folder):
    return ["--", "--directory", str(folder)]


def current(rule):
    return code_digest(LIBRARY / f"{rule}.py")


def test_rules_whose_code_changed_are_listed_with_their_results(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLD)
    record("score", "results/scores/b.csv", OLD)
    record("table1", "results/tables/table1.csv", current("table1"))
    told = accept(call(folder))
    assert "score: 2 files" in told
    assert "table1" not in told


def test_accepted_code_is_recorded_with_its_reason_and_both_digests(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLD)
    assert "score: 1 file kept" in accept([*BECAUSE, "score", *call(folder)])
    (row,) = read_accepted(folder / "results/accepted_code.yaml")
    assert (row["rule"], row["made_by"], row["accepted"]) == ("score", OLD, current("score"))
    assert (row["results"], row["because"]) == (1, "only a name changed")


def test_what_was_accepted_is_no_longer_listed(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLD)
    accept([*BECAUSE, "all", *call(folder)])
    assert "Nothing to accept" in accept(call(folder))


def test_the_record_of_a_finished_run_says_what_was_accepted(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLD)
    (folder / "results/provenance.yaml").write_text(yaml.safe_dump({"commit": "1f", "configuration": {"seed": 1}}))
    accept([*BECAUSE, "score", *call(folder)])
    content = yaml.safe_load((folder / "results/provenance.yaml").read_text())
    assert list(content) == ["commit", "accepted_code", "configuration"]
    assert content["accepted_code"] == read_accepted(folder / "results/accepted_code.yaml")


def test_results_of_still_other_code_are_not_accepted_with_the_newest_ones(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLDER, ended_s=1.0)
    record("score", "results/scores/b.csv", OLD, ended_s=2.0)
    assert "1 file made by still other code will be made again" in accept([*BECAUSE, "score", *call(folder)])
    assert read_accepted(folder / "results/accepted_code.yaml")[0]["made_by"] == OLD


def test_an_output_that_is_gone_has_no_result_to_keep(run):
    folder, record = run
    record("table1", "results/tables/table1.csv", current("table1"))
    record("score", "results/scores/a.csv", OLD, exists=False)
    assert "Nothing to accept" in accept(call(folder))


def test_a_rule_without_changed_code_is_a_fault_that_names_those_that_have(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLD)
    with pytest.raises(InputError, match="table9: no finished results of other code; rules that have: score"):
        accept([*BECAUSE, "table9", *call(folder)])


def test_without_a_reason_nothing_is_accepted(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLD)
    with pytest.raises(InputError, match="--because: say why"):
        accept(["score", *call(folder)])
    assert not (folder / "results/accepted_code.yaml").exists()


def test_a_folder_without_records_is_a_fault_that_names_it(run):
    folder, _ = run
    with pytest.raises(InputError, match=r"metadata: Snakemake recorded no results of results there"):
        accept(call(folder))


def test_a_half_written_record_is_passed_over(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLD)
    (file,) = (folder / ".snakemake/metadata").iterdir()
    file.with_name(base64.urlsafe_b64encode(b"results/scores/b.csv").decode()).write_text('{"rule": "sco')
    (folder / "results/scores/b.csv").touch()
    assert "score: 1 file" in accept(call(folder))


def test_the_name_of_a_long_output_is_put_together_again(run):
    folder, record = run
    record("score", "results/scores/a.csv", OLD)
    long = "results/" + "x" * 300
    text = base64.urlsafe_b64encode(long.encode()).decode()
    assert str(recorded_output(type(folder)(f"@{text[:254]}", text[254:]))) == long


def test_the_call_decides_which_results_are_meant(run):
    folder, record = run
    record("score", "elsewhere/scores/a.csv", OLD)
    arguments = [*call(folder), "--config", "results=elsewhere"]
    assert read_call(arguments[1:]).settings.results == "elsewhere"
    assert "score: 1 file" in accept(arguments)
