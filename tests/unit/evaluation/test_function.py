"""Volumes, ejection fractions and LV mass of patients, from the areas of their slices."""

import numpy as np
import pandas as pd
import pytest

from cmrslices.evaluation.function import patient_function, regional_volumes, with_volumes
from cmrslices.evaluation.scores import read_scores
from cmrslices.labels import LABELS
from cmrslices.runtime.errors import InputError

REGIONS = ["base", "middle", "apex", "non-cardiac"]


def case_scores(patient, phase, reference, predicted=None, approach="baseline", cohort="acdc"):
    """Scores of a case: the areas of each label in mm², slice by slice from base to apex, then outside the heart."""
    predicted = {**reference, **(predicted or {})}
    rows = [
        {"slice": number, "region": REGIONS[number], "label": label}
        | {side: areas.get(label, [0] * 4)[number] for side, areas in (("reference_mm2", reference), ("p", predicted))}
        for number in range(4)
        for label in LABELS
    ]
    table = pd.DataFrame(rows).rename(columns={"p": "predicted_mm2"}).astype({"reference_mm2": float})
    case = f"{cohort}_{patient}_{phase}"
    return table.assign(cohort=cohort, approach=approach, case=case, patient=patient, phase=phase)


def cases_of(scores, spacing_mm=10.0):
    """cases.csv of all cases of the scores, with one distance for all of them, or one for each by its name."""
    table = scores[["case", "patient", "phase"]].drop_duplicates().assign(excluded=False)
    spacing = table["case"].map(spacing_mm) if isinstance(spacing_mm, dict) else spacing_mm
    return table.assign(spacing_z_mm=spacing)


def function_of(*cases, spacing_mm=10.0):
    """Quantity to its row, by patient: of cases of one cohort and approach."""
    scores = pd.concat(cases, ignore_index=True)
    volumes = regional_volumes(with_volumes(scores, {"acdc": cases_of(scores, spacing_mm)}))
    return patient_function(volumes).set_index(["patient", "quantity"])


# ---- Volumes by hand --------------------------------------------------------


def test_a_normal_heart_10_mm_between_slices():
    # LVBP at ED: 4000 + 5000 + 3000 mm² are 12,000 mm², times 10 mm is 120,000 mm³ = 120 ml; at ES 48 ml.
    # LVM at ED: 100 ml, times 1.05 g/ml. RVBP: 150 ml and 60 ml.
    ed = {"LVBP": [4000, 5000, 3000, 0], "LVM": [3500, 4000, 2500, 0], "RVBP": [7000, 6000, 2000, 0]}
    es = {"LVBP": [2000, 2000, 800, 0], "LVM": [4000, 4000, 3000, 0], "RVBP": [3000, 2500, 500, 0]}
    found = function_of(case_scores("1", "ED", ed), case_scores("1", "ES", es))["reference"].loc["1"].to_dict()
    expected = {"LVEDV": 120, "LVESV": 48, "LVSV": 72, "LVEF": 60, "LV mass": 105}
    expected |= {"RVEDV": 150, "RVESV": 60, "RVSV": 90, "RVEF": 60}
    assert found == pytest.approx(expected)


def test_a_predicted_heart_that_lost_its_base_at_ed():
    # Reference: 90 ml and 45 ml, EF 50 %. Prediction: the base of 30 ml is missed at ED: 60 ml and 45 ml, EF 25 %.
    ed, es = {"LVBP": [3000, 4000, 2000, 0]}, {"LVBP": [1500, 2000, 1000, 0]}
    found = function_of(case_scores("2", "ED", ed, {"LVBP": [0, 4000, 2000, 0]}), case_scores("2", "ES", es)).loc["2"]
    assert found.loc["LVEF", ["reference", "predicted"]].tolist() == pytest.approx([50, 25])
    assert found.loc["LVSV", ["reference", "predicted"]].tolist() == pytest.approx([45, 15])


def test_a_small_heart_with_slices_of_8_mm_at_ed_and_9_mm_at_es():
    # 8000 mm² times 8 mm is 64 ml, 4000 mm² times 9 mm is 36 ml; EF = 28 / 64 = 43.75 %.
    ed, es = {"LVBP": [3000, 3000, 2000, 0]}, {"LVBP": [2000, 1000, 1000, 0]}
    spacing = {"acdc_3_ED": 8.0, "acdc_3_ES": 9.0}
    found = function_of(case_scores("3", "ED", ed), case_scores("3", "ES", es), spacing_mm=spacing)["reference"].loc[
        "3"
    ]
    assert [found[name] for name in ("LVEDV", "LVESV", "LVEF")] == pytest.approx([64, 36, 43.75])


def test_what_is_predicted_outside_the_heart_counts():
    ed = {"LVBP": [3000, 3000, 2000, 0]}
    found = function_of(case_scores("1", "ED", ed, {"LVBP": [3000, 3000, 2000, 500]})).loc["1"]
    assert found.loc["LVEDV", ["reference", "predicted"]].tolist() == pytest.approx([80, 85])


def test_a_slice_without_the_label_inside_the_heart_adds_nothing():
    ed = {"LVBP": [0, 3000, 2000, 0], "LVM": [1000, 1000, 1000, 0]}
    assert function_of(case_scores("1", "ED", ed))["reference"]["1", "LVEDV"] == pytest.approx(50)


# ---- What is undefined or doubtful ------------------------------------------

FULL, HALF = {"LVBP": [3000, 3000, 2000, 0], "RVBP": [3000, 3000, 2000, 0]}, {"LVBP": [1000, 2000, 1000, 0]}


def test_a_patient_with_ed_only_is_listed_with_empty_stroke_volume_and_ef():
    found = function_of(case_scores("1", "ED", FULL)).loc["1"]
    assert len(found) == 9
    assert found.loc["LVEDV", "reference"] == pytest.approx(80)
    empty = found.loc[["LVESV", "LVSV", "LVEF", "RVESV", "RVSV", "RVEF"]]
    assert empty[["reference", "predicted"]].isna().all(axis=None)
    assert set(empty["note"]) == {"no ES"}


def test_a_patient_with_es_only_has_no_mass():
    found = function_of(case_scores("1", "ES", FULL)).loc["1"]
    assert np.isnan(found.loc["LV mass", "reference"])
    assert found.loc["LV mass", "note"] == "no ED"
    assert found.loc["LVESV", "reference"] == pytest.approx(80)


def test_an_ef_without_end_diastolic_volume_is_empty_and_said_to_be_so():
    found = function_of(case_scores("1", "ED", FULL, {"LVBP": [0, 0, 0, 0]}), case_scores("1", "ES", HALF)).loc["1"]
    assert np.isnan(found.loc["LVEF", "predicted"])
    assert found.loc["LVEF", "reference"] == pytest.approx(50)
    assert found.loc["LVEF", "note"] == "EDV is 0"
    assert found.loc["LVSV", "predicted"] == pytest.approx(-40)


def test_an_es_larger_than_ed_is_kept_and_said_to_be_so():
    found = function_of(case_scores("1", "ED", HALF), case_scores("1", "ES", FULL)).loc["1"]
    assert found.loc["LVEF", "reference"] == pytest.approx(-100)
    assert found.loc["LVEF", "note"] == found.loc["LVSV", "note"] == "ES larger than ED"
    assert found.loc["LVEDV", "note"] == ""


def test_patients_called_na_and_null_keep_their_names_and_their_order(tmp_path):
    names = ["null", "NA", "0010", "1e5"]
    scores = pd.concat([case_scores(name, "ED", FULL) for name in names]).assign(position=0.5, dsc=1.0)
    scores.to_csv(tmp_path / "scores.csv", index=False)
    read = read_scores([tmp_path / "scores.csv"])
    found = patient_function(regional_volumes(with_volumes(read, {"acdc": cases_of(read)})))
    assert found["patient"].unique().tolist() == names


def test_rows_follow_cohort_and_approach_in_reporting_order(tmp_path):
    parts = [
        case_scores("1", "ED", FULL, approach=approach, cohort=cohort)
        for cohort in ("acdc", "mnms")
        for approach in ("baseline", "other")
    ]
    pd.concat(parts).assign(position=0.5, dsc=1.0).to_csv(tmp_path / "scores.csv", index=False)
    read = read_scores([tmp_path / "scores.csv"], ["mnms", "acdc"], ["other", "baseline"])
    listed = {name: cases_of(read[read["cohort"] == name]) for name in ("mnms", "acdc")}
    found = patient_function(regional_volumes(with_volumes(read, listed)))
    order = found[["cohort", "approach"]].astype(str).drop_duplicates().to_numpy().tolist()
    assert order == [["mnms", "other"], ["mnms", "baseline"], ["acdc", "other"], ["acdc", "baseline"]]


# ---- Bad input --------------------------------------------------------------


@pytest.mark.parametrize(("spacing_mm", "found"), [(np.nan, "missing"), (0.0, "0"), (-8.0, "-8"), (np.inf, "inf")])
def test_a_slice_distance_that_is_missing_or_not_above_0_is_named_with_cohort_case_and_remedy(spacing_mm, found):
    scores = pd.concat([case_scores("1", "ED", FULL), case_scores("2", "ED", FULL)])
    cases = cases_of(scores, {"acdc_1_ED": 10.0, "acdc_2_ED": spacing_mm})
    message = rf"cohort acdc: acdc_2_ED: .*spacing_z_mm.* is {found}; .*cohorts\.acdc\.exclude"
    with pytest.raises(InputError, match=message):
        with_volumes(scores, {"acdc": cases})


def test_a_slice_distance_of_a_case_that_is_not_scored_does_not_matter():
    scores = case_scores("1", "ED", FULL)
    others = pd.DataFrame(
        {"case": ["", "", "acdc_9_ED"], "excluded": [True, True, False], "spacing_z_mm": [np.nan] * 3}
    )
    cases = pd.concat([cases_of(scores), others], ignore_index=True)
    assert with_volumes(scores, {"acdc": cases})["reference_ml"].sum() == pytest.approx(160)


def test_cases_without_the_column_of_slice_distances_are_named():
    scores = case_scores("1", "ED", FULL)
    with pytest.raises(InputError, match=r"cohort acdc: cases\.csv has no column spacing_z_mm"):
        with_volumes(scores, {"acdc": cases_of(scores).drop(columns="spacing_z_mm")})


def test_a_scored_case_that_cases_csv_lacks_is_named():
    scores = case_scores("1", "ED", FULL)
    with pytest.raises(InputError, match=r"cohort acdc: acdc_1_ED has scores, but no row in cases\.csv; run"):
        with_volumes(scores, {"acdc": cases_of(scores).iloc[:0]})


@pytest.mark.parametrize("kept", [[], ["ED"]])
def test_an_approach_without_a_case_of_the_others_is_named_with_the_case_and_the_remedy(kept):
    ours = pd.concat([case_scores("1", phase, FULL) for phase in ("ED", "ES")])
    others = [case_scores("1", phase, FULL, approach="sampling_low") for phase in kept]
    scores = pd.concat([ours, *others], ignore_index=True)
    scores["approach"] = pd.Categorical(scores["approach"], ["baseline", "sampling_low"])
    message = (
        r"sampling_low lacks slices of \d cases .*acdc_1_E[DS]; delete scores/sampling_low/acdc\.csv and run again"
    )
    with pytest.raises(InputError, match=message):
        with_volumes(scores, {"acdc": cases_of(ours)})
