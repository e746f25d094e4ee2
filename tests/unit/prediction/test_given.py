"""Label maps that any segmenter has made become predictions, or all faults are told together."""

import nibabel as nib
import numpy as np
import pytest
from nnunetv2.evaluation.evaluate_predictions import compute_metrics
from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO
from raw_cohorts import convert_to, heart_of, mnms_cohort, nifti_cohort, oblique, save

from cmrslices.cohorts.splits import split_cohort
from cmrslices.evaluation.label_maps import read_label_maps
from cmrslices.evaluation.scores import count_pixels, score_slices
from cmrslices.labels import LABELS
from cmrslices.prediction.given import read_predictions
from cmrslices.runtime.errors import CollectedErrors, InputError

CASES = [f"demo_{patient}_{phase}" for patient in ("p1", "p2") for phase in ("ED", "ES")]


@pytest.fixture
def cohort(tmp_path):
    """A converted cohort of two patients, whose raw stacks run from base to apex."""
    nifti_cohort(tmp_path / "raw", affine=oblique())
    return converted(tmp_path, {"format": "nifti", "folder": str(tmp_path / "raw")})


def converted(tmp_path, row):
    out = convert_to(tmp_path / "cohort", row)
    split_cohort(out / "cases.csv", out / "splits.csv", sizes=None, seed=0)
    return out


def given(folder, names="{case}.nii.gz", change=lambda label: label, affine=None):
    """Write a label map for every case; the patients' references differ."""
    for case in CASES:
        patient, phase = case.split("_")[1:]
        label = change(heart_of(int(patient[1]) - 1))
        save(
            label,
            folder / names.format(case=case, patient=patient, phase=phase),
            oblique() if affine is None else affine,
        )
    return folder


def read(cohort, folder, **changes):
    made = cohort / "labels_made"
    arguments = {
        "names": "{case}.nii.gz",
        "label_map": LABELS,
        "approach": "ours",
        "cohort": "demo",
        "cases": cohort / "cases.csv",
        "splits": cohort / "splits.csv",
        "references": cohort / "labels",
        "labels": made,
        "threads": 1,
    }
    read_predictions(folder, **arguments | changes)
    return made


def faults_of(cohort, folder, **changes):
    with pytest.raises(CollectedErrors) as fault:
        read(cohort, folder, **changes)
    return fault.value.faults


def voxels(file):
    return np.asarray(nib.load(file).dataobj)


def test_label_maps_by_case_are_written_on_the_grid_of_the_reference(cohort, tmp_path):
    made = read(cohort, given(tmp_path / "given"))
    for case in CASES:
        prediction, reference = read_label_maps(case, made, cohort / "labels")  # which compares the grids
        assert (prediction.voxels == reference.voxels).all()


def test_label_maps_by_patient_and_phase_are_found_in_subfolders(cohort, tmp_path):
    names = "{patient}/{patient}_{phase}.nii.gz"
    made = read(cohort, given(tmp_path / "given", names), names=names)
    assert sorted(file.name for file in made.iterdir()) == [f"{case}.nii.gz" for case in CASES]


def test_label_maps_of_the_raw_grid_follow_the_images_whose_slices_were_reversed(tmp_path):
    mnms_cohort(tmp_path / "raw")
    cohort = converted(tmp_path, {"format": "mnms", "folder": str(tmp_path / "raw")})
    for number, patient in enumerate(("A1", "B2")):
        for phase in ("ED", "ES"):
            label = heart_of(number)[:, :, ::-1]
            save(label, tmp_path / f"given/{patient}_{phase}.nii.gz", oblique(base_first=False))
    made = read(cohort, tmp_path / "given", names="{patient}_{phase}.nii.gz")
    for file in made.iterdir():
        assert (voxels(file) == voxels(cohort / "labels" / file.name)).all()


def test_values_are_mapped_and_whole_decimals_are_read(cohort, tmp_path):
    other = np.array([0, 3, 2, 1])
    folder = given(tmp_path / "given", change=lambda label: other[label].astype(np.float32))
    made = read(cohort, folder, label_map={"LVBP": 3, "LVM": 2, "RVBP": 1})
    assert (voxels(made / f"{CASES[0]}.nii.gz") == heart_of(0)).all()


def test_what_was_understood_is_told_with_its_number_of_cases(cohort, tmp_path, capsys):
    folder = given(tmp_path / "given", change=lambda label: label[..., None])
    save(np.zeros_like(heart_of(0)), folder / f"{CASES[3]}.nii.gz", oblique())
    read(cohort, folder)
    told = capsys.readouterr().out
    assert "further-axis-removed: 3 cases" in told
    assert "WARNING: equal to the reference in every voxel: 3 cases" in told
    assert "WARNING: empty: 1 cases" in told


def test_all_faults_of_all_cases_are_told_together(cohort, tmp_path):
    folder = given(tmp_path / "given")
    (folder / f"{CASES[0]}.nii.gz").unlink()
    save(heart_of(0)[:, :, :5], folder / f"{CASES[1]}.nii.gz", oblique())
    save(heart_of(1) + 7, folder / f"{CASES[2]}.nii.gz", oblique())
    save(heart_of(1)[::-1], folder / f"{CASES[3]}.nii.gz", oblique())
    faults = faults_of(cohort, folder)
    place = "approach ours, cohort demo, case"
    assert [fault.split(": ")[0] for fault in faults] == [f"{place} {case}" for case in CASES]
    for fault, words in zip(
        faults, ("there is no file", "24 x 20 x 5", "unknown label values 7, 8", "mirrored"), strict=True
    ):
        assert words in fault


def test_exchanged_label_values_are_a_fault_that_names_the_roles(cohort, tmp_path):
    faults = faults_of(cohort, given(tmp_path / "given", change=lambda label: np.array([0, 3, 2, 1], np.uint8)[label]))
    assert len(faults) == len(CASES)
    assert "with its LVBP as RVBP, its RVBP as LVBP" in faults[0]
    assert "label_map of the approach" in faults[0]


def test_names_that_fit_no_file_are_one_fault_with_what_the_folder_holds(cohort, tmp_path):
    folder = given(tmp_path / "given", "{patient}_{phase}.nii.gz")
    with pytest.raises(
        InputError,
        match=rf"no case has a file named {{case}}\.nii\.gz, such as .*{CASES[0]}.*"
        r"holds p1_ED\.nii\.gz, p1_ES\.nii\.gz, p2_ED\.nii\.gz, \.\.\.; correct `names`",
    ):
        read(cohort, folder)


def test_the_dsc_of_a_case_is_that_of_nnunets_metric_on_the_given_file(cohort, tmp_path):
    draw = np.random.default_rng(0)
    folder = given(tmp_path / "given", change=lambda label: np.where(draw.random(label.shape) < 0.8, label, 0))
    made = read(cohort, folder)
    for case in CASES:
        prediction, reference = read_label_maps(case, made, cohort / "labels")
        pixels = count_pixels(prediction.voxels, reference.voxels)
        slices = score_slices(pixels, np.ones(len(pixels))).assign(
            both=lambda table: table["dsc"].fillna(0) * (table["reference_mm2"] + table["predicted_mm2"])
        )
        sums = slices.groupby("label")[["both", "reference_mm2", "predicted_mm2"]].sum()
        dsc = sums["both"] / (sums["reference_mm2"] + sums["predicted_mm2"])
        files = (str(place / f"{case}.nii.gz") for place in (cohort / "labels", folder))
        metrics = compute_metrics(*files, SimpleITKIO(), list(LABELS.values()))["metrics"]
        for label, value in LABELS.items():
            assert dsc[label] == pytest.approx(metrics[value]["Dice"], abs=1e-6)
