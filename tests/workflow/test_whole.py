"""The whole workflow on the demo's raw data, at a tiny size."""

import gzip
import shutil

import pandas as pd
from workflow import DEMO, TINY, TWO_JOBS, Workflow

from cmrslices.cohorts.regions import labelled_areas


def test_all_tables_and_the_figure_are_made(finished):
    results = finished.folder / "results"
    for table in ("table1", "table2", "table3"):
        for ending in (".csv", ".md", ".tex", "_against_paper.csv", "_against_paper.md"):
            assert (results / "tables" / f"{table}{ending}").stat().st_size > 0
    for figure in ("figure2.pdf", "figure2.png", "figure2.csv", "confusion.png"):
        assert (results / "figures" / figure).stat().st_size > 0


def test_tables_cover_every_cohort_approach_label_and_region(finished):
    tables = finished.folder / "results/tables"
    assert len(pd.read_csv(tables / "table1.csv")) == 3 * 3 * 3
    assert len(pd.read_csv(tables / "table3.csv")) == 3 * 4 * 3 * 4
    assert set(pd.read_csv(tables / "table2.csv")["network"]) == {"shufflenet_v2_x1_0", "squeezenet1_0"}


def test_cardiac_function_covers_every_cohort_approach_and_quantity(finished):
    results = finished.folder / "results"
    tables = results / "tables"
    assert len(pd.read_csv(tables / "cardiac_function.csv")) == 3 * 5 * 9
    assert len(pd.read_csv(tables / "volume_errors.csv")) == 3 * 5 * 5 * 5
    patients = pd.read_csv(tables / "patients_function.csv", dtype=str)
    places = ["cohort", "approach", "quantity"]
    compared = pd.read_csv(tables / "function_changes.csv").query("question == 'error'")
    assert set(compared[places].itertuples(index=False)) == {
        *patients.dropna(subset=["reference", "predicted"])[places].itertuples(index=False)
    }
    tested = [pd.read_csv(file, dtype=str)["patient"].nunique() for file in (results / "scores/baseline").iterdir()]
    assert len(patients) == sum(tested) * 5 * 9
    for cohort in DEMO["patients"]:
        for ending in ("png", "pdf", "html"):
            assert (results / f"figures/bland_altman/{cohort}.{ending}").stat().st_size > 0


def test_the_table_of_boundaries_covers_every_cohort_label_region_and_approach(finished):
    tables = finished.folder / "results/tables"
    table = pd.read_csv(tables / "boundaries.csv")
    assert len(table) == len(table[["cohort", "label", "region", "approach"]].drop_duplicates()) == 3 * 3 * 4 * 5
    assert all((tables / f"boundaries{ending}").stat().st_size > 0 for ending in (".md", ".tex", ".html"))


def test_the_table_of_readings_has_five_ways_of_every_cohort(finished):
    tables = finished.folder / "results/tables"
    table = pd.read_csv(tables / "readings.csv")
    ways = table[["cohort", "reading", "networks", "group"]].drop_duplicates()
    assert len(table) == len(ways) == 3 * 5 * 3
    assert all((tables / f"readings{ending}").stat().st_size > 0 for ending in (".md", ".html"))


def test_a_new_row_reads_whole_stacks_and_is_answered_by_its_own_regions(finished, tmp_path):
    """The approach that reads slices keeps its answers."""
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    workflow = Workflow(tmp_path / "project", TINY, project=tmp_path / "project")
    results = tmp_path / "project/results"
    answers = results / "tables/answers.csv"
    before = pd.read_csv(answers)
    row = {"title": "Stack", "router": "classifier", "reading": "stack", "networks": "all"}
    models = {"base": "base", "middle": "middle", "apex": "apex", "non-cardiac": "baseline"}
    answer = workflow.run(*TWO_JOBS, "results/tables/answers.csv", approaches={"stack": {**row, "models": models}})
    assert answer.returncode == 0, answer.stderr[-5000:]
    found = pd.read_csv(answers).query("question == 'errors'")
    kept = found[found["approach"] == "classification"].reset_index(drop=True)
    own = before.query("question == 'errors'").reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, own)
    assert "stack" in set(found["approach"])
    for cohort in TINY["cohorts"]:
        regions = pd.read_csv(results / f"regions/stack_all/{cohort}.csv")
        runs = regions["region"].eq("non-cardiac").groupby(regions["case"])
        assert (runs.apply(lambda outside: (outside != outside.shift()).sum()) <= 3).all()
        routes = pd.read_csv(results / f"predictions/stack/{cohort}/routes.csv")
        both = routes.merge(regions, on=["case", "slice"], validate="one_to_one")
        assert len(both) == len(routes)
        assert (both["region"].map(models) == both["model"]).all()


def test_the_table_of_reliability_has_every_network_the_mean_and_the_rule_without_an_image(finished):
    results = finished.folder / "results"
    table = pd.read_csv(results / "tables/reliability.csv")
    assert table["network"].tolist() == ["shufflenet_v2_x1_0", "squeezenet1_0", "all", "none"]
    for file in ("tables/reliability.md", "tables/reliability.html", "figures/reliability.png"):
        assert (results / file).stat().st_size > 0


def test_a_new_row_is_routed_by_a_models_extent_and_stands_in_the_table_of_readings(finished, tmp_path):
    shutil.copytree(finished.folder, tmp_path / "project", symlinks=True)
    workflow = Workflow(tmp_path / "project", TINY, project=tmp_path / "project")
    results = tmp_path / "project/results"
    models = {"base": "base", "middle": "middle", "apex": "apex", "non-cardiac": "baseline"}
    row = {"title": "Extent", "router": "extent", "extent_of": "baseline", "models": models}
    rows = {"extent": row, "both": {**row, "title": "Both", "probabilities": True}}
    targets = [f"results/predictions/{name}/acdc/routes.csv" for name in rows]
    answer = workflow.run(*TWO_JOBS, *targets, "results/tables/readings.csv", approaches=rows)
    assert answer.returncode == 0, answer.stderr[-5000:]
    table = pd.read_csv(results / "tables/readings.csv", keep_default_na=False)
    assert len(table) == 3 * 8 * 3
    assert set(table.query("reading == 'extent of baseline'")["networks"]) == {"none", "selected", "all"}
    found = pd.read_csv(results / "extents/baseline/acdc.csv")
    predicted = sorted((results / "predictions/baseline/acdc/labels").glob("*.nii.gz"))
    assert predicted
    for file in predicted:
        own = found[found["case"] == file.name.split(".")[0]]
        assert own["found"].tolist() == labelled_areas(file).any(axis=1).tolist()
    for name, folder in {"extent": "extent/baseline", "both": "extent_selected/baseline"}.items():
        regions = pd.read_csv(results / f"regions/{folder}/acdc.csv")
        routes = pd.read_csv(results / f"predictions/{name}/acdc/routes.csv")
        both = routes.merge(regions, on=["case", "slice"], validate="one_to_one")
        assert len(both) == len(routes)
        assert (both["region"].map(models) == both["model"]).all()
    assert {file.suffix for file in (results / "extents").rglob("*") if file.is_file()} == {".csv"}


def test_every_label_that_the_scores_find_has_a_boundary(finished):
    results = finished.folder / "results"
    for file in sorted((results / "scores").glob("*/*.csv")):
        scores = pd.read_csv(file).query("reference_mm2 > 0 or predicted_mm2 > 0")
        boundaries = pd.read_csv(results / "boundaries" / file.relative_to(results / "scores"))
        key = ["case", "slice", "label"]
        assert boundaries[key].to_records(index=False).tolist() == scores[key].to_records(index=False).tolist()
        found = {(True, True): "both", (True, False): "missed", (False, True): "invented"}
        expected = [
            found[areas] for areas in zip(scores["reference_mm2"] > 0, scores["predicted_mm2"] > 0, strict=True)
        ]
        assert boundaries["found"].tolist() == expected


def test_every_approach_is_scored_on_the_same_slices(finished):
    files = sorted((finished.folder / "results/scores").glob("*/nhs.csv"))
    assert len(files) == 5
    keys = [
        pd.read_csv(file).query("dsc.notna()")[["case", "slice", "label"]].to_records(index=False).tolist()
        for file in files
    ]
    assert all(key == keys[0] for key in keys)


def test_a_finished_run_has_nothing_to_do(finished):
    assert finished.planned() == {}


def test_the_number_of_jobs_does_not_depend_on_the_number_of_patients(tmp_path):
    few, many = ({**DEMO, "patients": {"nhs": count, "mnms": count, "acdc": count}} for count in (4, 4684))
    assert Workflow(tmp_path, TINY).planned(demo=few) == Workflow(tmp_path, TINY).planned(demo=many)


def test_a_fault_in_one_patient_names_the_patient_and_leaves_no_output(finished, tmp_path):
    shutil.copytree(finished.folder / "raw/acdc", tmp_path / "raw/acdc")
    image = sorted((tmp_path / "raw/acdc/training").glob("*/*_gt.nii.gz"))[0]
    whole = gzip.decompress(image.read_bytes())
    image.write_bytes(gzip.compress(whole)[:-200])
    broken = Workflow(tmp_path, TINY)
    answer = broken.run(
        "--cores", "1", "results/cohorts/acdc/cases.csv", cohorts={"nhs": None, "mnms": None}, training_cohort="acdc"
    )
    assert answer.returncode != 0
    assert f"patient {image.parent.name}" in answer.stderr
    assert "truncated" in answer.stderr or "not a readable" in answer.stderr or "gzip" in answer.stderr
    assert [
        name for name in ("images", "labels", "cases.csv") if (tmp_path / "results/cohorts/acdc" / name).exists()
    ] == []
