"""Volumes and function of new patients, from label maps to tables."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from raw_cohorts import SPACING_MM, heart, oblique

from cmrslices.cohorts.regions import PAPER
from cmrslices.cohorts.tables import CASES, read_cases, write_cases
from cmrslices.evaluation import function as of_references
from cmrslices.labels import LABELS
from cmrslices.patients.function import case_rows, measure_function, patient_rows
from cmrslices.patients.volumes import slice_volumes
from cmrslices.runtime.errors import InputError

CURVE = (1.0, 0.8, 0.5, 0.6, 0.8, 0.9)
"""Share of the LVBP in each frame."""


def table(*cases):
    """Rows of cases.csv of cases that are named patient_phase; a phase such as f03 is a frame."""
    rows = []
    for case in cases:
        patient, phase = case.split("_")
        frame = int(phase[1:]) if phase.startswith("f") else None
        rows.append({"case": f"new_{case}", "patient": patient, "phase": phase, "frame": frame, "excluded": False})
    return pd.DataFrame(rows).assign(spacing_z_mm=8.0).astype({"frame": "Int64"})


def volumes(lvbp, lvm=100.0, rvbp=150.0, slices=5):
    """Volumes (slices, labels) of a case whose labels are spread evenly over its slices."""
    return np.tile([lvbp / slices, lvm / slices, rvbp / slices], (slices, 1))


def function_of(cases, measured):
    return patient_rows(case_rows(cases, measured, PAPER)).set_index("patient")


def cine_of(name, largest_ml=100.0, **others):
    cases = table(*[f"{name}_f{frame:02d}" for frame in range(len(CURVE))])
    return cases, [volumes(share * largest_ml, **others) for share in CURVE]


# Function


def test_a_cine_gives_its_largest_and_smallest_volume_and_what_follows_from_them():
    found = function_of(*cine_of("p1")).loc["p1"]
    assert (found["ED"], found["ES"], found["frames"], found["phases_from"]) == ("f00", "f02", 6, "found")
    values = found[["LVEDV_ml", "LVESV_ml", "LVSV_ml", "LVEF_percent", "LV_mass_g"]].astype(float).tolist()
    assert values == pytest.approx([100, 50, 50, 50, 105])


def test_the_rv_is_measured_at_the_phases_of_the_lv():
    cases, measured = cine_of("p1")
    for share, own in zip(CURVE, measured, strict=True):
        own[:, 2] *= share
    found = function_of(cases, measured).loc["p1"]
    assert [found["RVEDV_ml"], found["RVESV_ml"], found["RVEF_percent"]] == pytest.approx([150, 75, 50])


def test_ed_and_es_are_searched_in_the_middle_but_measured_in_full():
    cases, measured = cine_of("p1")
    measured[0][0, 0] = 120  # the base of ED
    measured[4][0, 0] = 900  # the base of another frame
    found = function_of(cases, measured).loc["p1"]
    assert (found["ED"], found["LVEDV_ml"]) == ("f00", pytest.approx(200))


def test_given_phases_are_taken_as_given():
    found = function_of(table("p1_ED", "p1_ES"), [volumes(60), volumes(80)]).loc["p1"]
    assert (found["ED"], found["ES"], found["phases_from"]) == ("ED", "ES", "given")
    assert found["LVEF_percent"] == pytest.approx(-100 / 3)
    assert found["note"] == "LVSV: ES larger than ED; LVEF: ES larger than ED"


def test_the_choice_is_recorded_with_the_second_best_frame():
    found = function_of(*cine_of("p1")).loc["p1"]
    assert (found["ED_next"], found["ES_next"]) == ("f04", "f04")
    # Smoothed, the three middle slices of five hold 55.5 ml at ED and 46.5 ml in frame 4.
    assert found["ED_lead_ml"] == pytest.approx(0.6 * (92.5 - 77.5))


def test_a_patient_without_lv_has_empty_cells_and_a_reason():
    found = function_of(table("p1_f00", "p1_f01"), [volumes(0), volumes(0)]).loc["p1"]
    assert (found["ED"], found["ES"]) == ("", "")
    assert np.isnan(found["LVEF_percent"])
    assert found["note"].startswith("no frame has LVBP in the middle slices; no ED")


def test_every_patient_has_a_row_and_frames_of_two_patients_do_not_mix():
    one, of_one = cine_of("p1")
    two, of_two = cine_of("p2", largest_ml=200.0)
    found = function_of(pd.concat([one, two], ignore_index=True), [*of_one, *of_two])
    assert found["LVEDV_ml"].to_dict() == pytest.approx({"p1": 100, "p2": 200})


# Files


@pytest.fixture
def segmented(tmp_path):
    """Label maps of three frames of a patient, the second with half of the cavity and fewer slices; and cases.csv."""
    cases = table("p1_f00", "p1_f01", "p1_f02")
    write_cases(cases.reindex(columns=list(CASES)).assign(excluded=False), tmp_path / "cases.csv")
    (tmp_path / "labels").mkdir()
    for case, empty in zip(cases["case"], [(0,), (0, 1, 6, 7), (0, 7)], strict=True):
        label = heart(empty)
        if case.endswith("f01"):
            label[14:][label[14:] == LABELS["LVBP"]] = LABELS["LVM"]
        nib.save(nib.Nifti1Image(label, oblique()), tmp_path / f"labels/{case}.nii.gz")
    return tmp_path


def measure(folder, threads=1):
    files = {name: folder / f"{name}.csv" for name in ("function", "volumes")}
    figure = [folder / f"curves.{ending}" for ending in ("png", "pdf", "html")]
    measure_function(
        *("new", "baseline", "New, baseline", folder / "cases.csv", folder / "labels", PAPER, threads),
        **files,
        figure=figure,
    )
    return pd.read_csv(files["function"]), pd.read_csv(files["volumes"]), figure


def test_the_files_name_cohort_approach_and_patient(segmented):
    function, by_case, figure = measure(segmented)
    assert function.loc[0, ["cohort", "approach", "patient", "ED", "ES"]].tolist() == [
        *("new", "baseline", "p1", "f00", "f01")
    ]
    assert list(by_case["case"]) == ["new_p1_f00", "new_p1_f01", "new_p1_f02"]
    assert all(path.stat().st_size > 1000 for path in figure)


def test_the_volume_of_a_label_map_is_that_of_its_voxels(segmented):
    _, by_case, _ = measure(segmented)
    voxels = np.asanyarray(nib.load(segmented / "labels/new_p1_f00.nii.gz").dataobj)
    expected = [(voxels == value).sum() * np.prod(SPACING_MM) / 1000 for value in LABELS.values()]
    assert by_case.loc[0, ["LVBP_ml", "LVM_ml", "RVBP_ml"]].tolist() == pytest.approx(expected, rel=1e-5)


def test_function_equals_what_cohorts_with_labels_get_from_the_same_label_maps(segmented):
    function, _, _ = measure(segmented)
    cases = read_cases(segmented / "cases.csv").iloc[:2].assign(phase=["ED", "ES"])
    parts = []
    for row, own in zip(cases.itertuples(), slice_volumes(cases, segmented / "labels", 1), strict=True):
        areas = pd.DataFrame(own * 1000 / row.spacing_z_mm, columns=list(LABELS)).melt(
            var_name="label", value_name="predicted_mm2", ignore_index=False
        )
        about = {"case": row.case, "patient": row.patient, "phase": row.phase, "region": "middle"}
        parts.append(areas.assign(reference_mm2=1.0, slice=areas.index, cohort="new", approach="baseline", **about))
    scored = of_references.with_volumes(pd.concat(parts, ignore_index=True), {"new": cases})
    expected = of_references.patient_function(of_references.regional_volumes(scored))["predicted"]
    columns = [name for name in function if name.endswith(("_ml", "_percent", "_g")) and "lead" not in name]
    assert function.loc[0, columns].astype(float).tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_a_missing_label_map_is_named(segmented):
    (segmented / "labels/new_p1_f01.nii.gz").unlink()
    with pytest.raises(InputError, match=r"new_p1_f01\.nii\.gz"):
        measure(segmented)


def test_a_distance_of_slices_that_is_not_above_0_is_named(segmented):
    cases = read_cases(segmented / "cases.csv").assign(spacing_z_mm=0.0)
    with pytest.raises(InputError, match="new_p1_f00: the distance of its slices"):
        slice_volumes(cases, segmented / "labels", 1)
