"""Real studies without labels: a Sunnybrook DICOM cine, and the frames of M&Ms and ACDC."""

import numpy as np
import pytest
from new_patients import convert_new
from places import REAL_DATA

from cmrslices.cohorts.tables import read_cases
from cmrslices.cohorts.unlabelled.layouts import check_folder
from cmrslices.cohorts.unlabelled.study import read_study

SUNNYBROOK = REAL_DATA / "SCD/SCD0000101"


def convert(tmp_path, **row):
    if fault := check_folder("new", row):
        pytest.skip(f"the real data are absent: {fault}")
    return read_cases(convert_new(tmp_path / "out", row) / "cases.csv")


def test_a_sunnybrook_study_is_12_slices_times_20_frames_base_first():
    if not SUNNYBROOK.is_dir():
        pytest.skip(f"the real data are absent: {SUNNYBROOK}")
    read = read_study(SUNNYBROOK)
    assert len(read.stacks) == 20
    assert {stack.image.shape[2] for stack in read.stacks.values()} == {12}
    assert read.about["stack"] == (
        "12 slices x 20 frames of 1 of 1 series, the only stack of cines near the short axis"
    )


def test_the_frames_of_mnms_are_reversed_by_their_headers(tmp_path):
    table = convert(tmp_path, format="mnms", folder=str(REAL_DATA / "MnMs"), frames="all")
    assert table.groupby("patient").size().tolist() == [2, 2, 2]
    assert table["flipped"].all()
    assert set(table["direction_from"]) == {"header"}


def test_the_listed_frames_of_acdc_keep_their_order_with_a_doubt(tmp_path):
    folder = REAL_DATA / "ACDC"
    if fault := check_folder("new", {"format": "acdc", "folder": str(folder)}):
        pytest.skip(f"the real data are absent: {fault}")
    (tmp_path / "raw/training").mkdir(parents=True)
    for patient in ("patient001", "patient002"):
        (tmp_path / "raw/training" / patient).symlink_to(folder / "training" / patient)
    table = convert(tmp_path, format="acdc", folder=str(tmp_path / "raw"), frames="listed")
    assert list(table["phase"]) == ["ED", "ES"] * 2
    assert not table["flipped"].any()
    assert table["repairs"].str.contains("direction-undecided").all()
    assert np.isfinite(table["spacing_z_mm"]).all()
