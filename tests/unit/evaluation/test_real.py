"""Cardiac function of real ACDC patients."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from places import REAL_DATA
from raw_cohorts import convert_to

from cmrslices.cohorts.convert import check_folder
from cmrslices.cohorts.regions import PAPER, assign_regions
from cmrslices.cohorts.tables import read_cases, write_splits
from cmrslices.evaluation.function import patient_function, regional_volumes, with_volumes
from cmrslices.evaluation.scores import read_scores, score_cohort

SOURCE_LABELS = {"LVEDV": 3, "LVESV": 3, "LV mass": 2, "RVEDV": 1, "RVESV": 1}
"""ACDC's label of each quantity."""


@pytest.fixture(scope="module")
def function(tmp_path_factory):
    """Function of every ACDC patient, with the reference as the prediction: patient and quantity to its row."""
    row = {"format": "acdc", "folder": str(REAL_DATA / "ACDC")}
    if check_folder("acdc", row):
        pytest.skip(f"the real data are absent: {check_folder('acdc', row)}")
    out = tmp_path_factory.mktemp("acdc")
    convert_to(out, row, "acdc", threads=2)
    assign_regions(out / "cases.csv", out / "labels", out / "slices.csv", PAPER, threads=2)
    cases = read_cases(out / "cases.csv")
    write_splits(cases.assign(split="test"), out / "splits.csv")
    labels = out / "labels"
    score_cohort(
        labels, labels, out / "slices.csv", out / "splits.csv", out / "scores.csv", "acdc", "reference", threads=2
    )
    slices = with_volumes(read_scores([out / "scores.csv"]), {"acdc": cases})
    return patient_function(regional_volumes(slices)).set_index(["patient", "quantity"])


def source_volume_ml(patient, phase, value):
    """Volume of a label in a file as it was downloaded: voxels times the volume of a voxel in its header."""
    folder = REAL_DATA / "ACDC/training" / patient
    info = dict(line.split(":") for line in (folder / "Info.cfg").read_text().splitlines() if ":" in line)
    image = nib.load(folder / f"{patient}_frame{int(info[phase]):02d}_gt.nii.gz")
    voxels = np.count_nonzero(np.asanyarray(image.dataobj) == value)
    return voxels * np.prod(image.header.get_zooms()[:3], dtype=float) / 1000


def test_reference_volumes_are_voxels_times_voxel_volume_to_a_hundredth_of_a_ml(function):
    patients = function.index.get_level_values("patient").unique()
    assert len(patients) == 100
    expected = {
        (patient, name): source_volume_ml(patient, "ES" if name.endswith("ESV") else "ED", value)
        * (1.05 if name == "LV mass" else 1)
        for patient in patients
        for name, value in SOURCE_LABELS.items()
    }
    found = function.loc[list(expected), "reference"]
    worst = (found - pd.Series(expected)).abs().max()
    print(f"largest difference over {len(expected)} volumes: {worst:.2g} ml")
    assert worst < 0.01


def test_a_prediction_equal_to_the_reference_has_its_function(function):
    assert function["reference"].notna().all()
    assert (function["reference"] == function["predicted"]).all()


def test_every_reference_ejection_fraction_lies_within_0_and_100(function):
    fractions = function.loc[(slice(None), ["LVEF", "RVEF"]), "reference"]
    assert len(fractions) == 200
    assert fractions.between(0, 100).all()
