"""The converters on real ACDC and M&Ms data."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from places import REAL_DATA
from raw_cohorts import convert_to

from cmrslices.cohorts.convert import check_folder
from cmrslices.cohorts.convert.geometry import reverse_slices
from cmrslices.cohorts.convert.orientation import decide_direction, label_vote
from cmrslices.cohorts.regions import PAPER, assign_regions

DATA = REAL_DATA


def convert(cohort, format, folder, out):
    row = {"format": format, "folder": str(DATA / folder)}
    if check_folder(cohort, row):
        pytest.skip(f"the real data are absent: {check_folder(cohort, row)}")
    convert_to(out, row, cohort, threads=2)
    assign_regions(out / "cases.csv", out / "labels", out / "slices.csv", PAPER, threads=2)
    return out


@pytest.fixture(scope="module")
def acdc(tmp_path_factory):
    return convert("acdc", "acdc", "ACDC", tmp_path_factory.mktemp("acdc"))


@pytest.fixture(scope="module")
def mnms(tmp_path_factory):
    return convert("mnms", "mnms", "MnMs", tmp_path_factory.mktemp("mnms"))


def test_acdc_has_its_known_number_of_slices_in_each_region(acdc):
    counts = pd.read_csv(acdc / "slices.csv")["region"].value_counts().to_dict()
    assert counts == {"base": 381, "middle": 1079, "apex": 381, "non-cardiac": 61}


def test_acdc_slice_0_is_basal_in_all_stacks(acdc):
    cases = pd.read_csv(acdc / "cases.csv")
    assert len(cases) == 200
    assert not cases["excluded"].any()
    assert not cases["flipped"].any()
    assert set(cases["direction_from"]) == {"labels"}


def test_acdc_turned_over_is_recognised_in_every_patient(acdc):
    for patient, cases in pd.read_csv(acdc / "cases.csv").groupby("patient")["case"]:
        files = [nib.load(acdc / f"labels/{case}.nii.gz") for case in cases]
        turned = [reverse_slices(np.asanyarray(file.dataobj), file.affine) for file in files]
        direction = decide_direction([affine for _, affine in turned], [label for label, _ in turned])
        assert direction.flipped, patient
        assert direction.note == "", patient


def test_acdc_spacing_is_that_of_the_source_header(acdc):
    cases = pd.read_csv(acdc / "cases.csv")
    for patient, case in cases[cases["phase"] == "ED"].set_index("patient")["case"].items():
        source = nib.load(min((DATA / f"ACDC/training/{patient}").glob("*_frame??.nii.gz")))
        written = nib.load(acdc / f"images/{case}_0000.nii.gz")
        np.testing.assert_allclose(written.header.get_zooms(), source.header.get_zooms()[:3], rtol=1e-5)
        np.testing.assert_allclose(nib.affines.voxel_sizes(written.affine), source.header.get_zooms()[:3], rtol=1e-5)


def test_mnms_comes_out_base_first_by_its_header_and_its_labels(mnms):
    cases = pd.read_csv(mnms / "cases.csv", keep_default_na=False)
    assert len(cases) == 6
    assert cases["flipped"].all()
    assert set(cases["direction_from"]) == {"header"}
    assert set(cases["repairs"]) == {""}
    for case in cases["case"]:
        assert label_vote(np.asanyarray(nib.load(mnms / f"labels/{case}.nii.gz").dataobj)) > 0


@pytest.mark.parametrize("cohort", ["acdc", "mnms"])
def test_simpleitk_reads_every_output_on_one_grid(cohort, request):
    out = request.getfixturevalue(cohort)
    for path in (out / "labels").iterdir():
        label = sitk.ReadImage(path)
        image = sitk.ReadImage(out / "images" / path.name.replace(".nii.gz", "_0000.nii.gz"))
        assert label.IsSameImageGeometryAs(image)
        assert label.GetPixelID() == sitk.sitkUInt8
