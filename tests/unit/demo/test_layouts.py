import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from places import REAL_DATA

from cmrslices.demo.cohorts import CONTRACTIONS, make_demo_cohort
from cmrslices.demo.layouts import MNMS_CSV, SKEWED_EVERY, short_axis_affine, write_acdc, write_mnms, write_nifti
from cmrslices.demo.patients import make_patient
from cmrslices.labels import LABELS

REAL = REAL_DATA
INFO_KEYS = ["ED", "ES", "Group", "Height", "NbFrame", "Weight"]
MNMS_COLUMNS = [
    "Unnamed: 0", "External code", "VendorName", "Vendor", "Centre", "Pathology",
    "ED", "ES", "Age", "Sex", "Height", "Weight",
]  # fmt: skip


def patients_of(raw_format):
    contractions = CONTRACTIONS[raw_format]
    return [make_patient(raw_format, raw_format, index, seed=1, contractions=contractions) for index in range(2)]


def real(path):
    place = REAL / path
    if not place.exists():
        pytest.skip(f"real data are not here: {place}")
    return place


@pytest.fixture(scope="module")
def acdc(tmp_path_factory):
    folder, patients = tmp_path_factory.mktemp("acdc"), patients_of("acdc")
    write_acdc(patients, folder)
    return folder, patients


@pytest.fixture(scope="module")
def mnms(tmp_path_factory):
    folder, patients = tmp_path_factory.mktemp("mnms"), patients_of("mnms")
    write_mnms(patients * (SKEWED_EVERY // 2), folder)
    return folder, patients


@pytest.fixture(scope="module")
def nifti(tmp_path_factory):
    folder, patients = tmp_path_factory.mktemp("nifti"), patients_of("nifti")
    write_nifti(patients, folder)
    return folder, patients


def acdc_info(folder):
    return dict(line.split(": ") for line in (folder / "Info.cfg").read_text().splitlines())


def volume(path):
    return np.asarray(nib.load(path).dataobj)


def test_acdc_info_names_both_frames_counted_from_one(acdc):
    folder = acdc[0] / "training/patient001"
    info = acdc_info(folder)
    assert list(info) == INFO_KEYS
    for phase in ("ED", "ES"):
        assert 1 <= int(info[phase]) <= int(info["NbFrame"])
        assert (folder / f"patient001_frame{int(info[phase]):02d}_gt.nii.gz").is_file()


def test_acdc_labels_are_rv_1_myocardium_2_lv_3(acdc):
    folder, patients = acdc
    written = volume(folder / "training/patient002/patient002_frame01_gt.nii.gz")
    for name, value in {"RVBP": 1, "LVM": 2, "LVBP": 3}.items():
        assert np.array_equal(written == value, patients[1].labels["ED"] == LABELS[name])


def test_acdc_sform_is_a_bare_diagonal_and_the_zooms_are_right(acdc):
    folder, patients = acdc
    header = nib.load(folder / "training/patient001/patient001_frame01.nii.gz").header
    assert np.array_equal(header.get_sform(), np.diag([-1, -1, 1, 1]))
    assert header.get_zooms() == pytest.approx(patients[0].spacing_mm)
    assert header.get_data_dtype() == np.int16


def test_acdc_layout_is_that_of_the_real_download(acdc):
    patient = real("ACDC/training/patient001")
    ours = acdc[0] / "training/patient001"
    assert list(acdc_info(patient)) == list(acdc_info(ours))
    theirs = nib.load(next(patient.glob("*_frame01.nii.gz"))).header
    mine = nib.load(ours / "patient001_frame01.nii.gz").header
    for field in ("qform_code", "sform_code", "datatype", "xyzt_units", "srow_x", "srow_y", "srow_z", "quatern_d"):
        assert np.array_equal(theirs[field], mine[field]), field


def test_mnms_csv_has_the_columns_of_the_real_one(mnms):
    assert pd.read_csv(mnms[0] / MNMS_CSV).columns.tolist() == MNMS_COLUMNS
    assert pd.read_csv(real("MnMs") / MNMS_CSV).columns.tolist() == MNMS_COLUMNS


def test_mnms_labels_only_the_frames_that_the_csv_counts_from_zero(mnms):
    folder, patients = mnms
    row = pd.read_csv(folder / MNMS_CSV).iloc[0]
    code = row["External code"]
    written = volume(folder / f"Testing/{code}/{code}_sa_gt.nii.gz")
    assert written.dtype == np.float64
    assert np.flatnonzero(written.any(axis=(0, 1, 2))).tolist() == sorted([row["ED"], row["ES"]])
    for phase in ("ED", "ES"):
        assert np.array_equal(written[:, :, ::-1, row[phase]], patients[0].labels[phase])


def test_mnms_slices_run_from_apex_to_base_and_the_header_says_so(mnms):
    folder, patients = mnms
    code = pd.read_csv(folder / MNMS_CSV)["External code"][0]
    picture = nib.load(folder / f"Testing/{code}/{code}_sa.nii.gz")
    right, anterior, superior = picture.affine[:3, 2]
    assert (right > 0, anterior < 0, superior > 0) == (True, True, True)
    assert np.array_equal(np.asarray(picture.dataobj)[:, :, -1, 1], patients[0].images[1][:, :, 0])


def test_some_mnms_headers_are_not_orthonormal(mnms):
    codes = pd.read_csv(mnms[0] / MNMS_CSV)["External code"]
    files = [str(mnms[0] / f"Testing/{code}/{code}_sa.nii.gz") for code in codes]
    sitk.ReadImage(files[0])
    with pytest.raises(RuntimeError, match="orthonormal"):
        sitk.ReadImage(files[SKEWED_EVERY - 1])
    nib.load(files[SKEWED_EVERY - 1]).get_fdata()


def test_nifti_csv_lists_both_phases_of_every_patient(nifti):
    folder, patients = nifti
    listed = pd.read_csv(folder / "cohort.csv")
    assert listed.columns.tolist() == ["patient", "phase", "image", "label"]
    assert listed.groupby("patient")["phase"].agg(list).tolist() == [["ED", "ES"]] * len(patients)
    for _, row in listed.iterrows():
        assert nib.load(folder / row["image"]).shape == nib.load(folder / row["label"]).shape


def test_nifti_stacks_run_from_apex_to_base(nifti):
    folder, patients = nifti
    row = pd.read_csv(folder / "cohort.csv").iloc[1]
    assert np.array_equal(volume(folder / row["label"])[:, :, ::-1], patients[0].labels["ES"])


def test_short_axis_directions_are_orthogonal_and_right_handed():
    affine = short_axis_affine((1.5, 1.5, 9.0))[:3, :3]
    assert np.linalg.norm(affine, axis=0) == pytest.approx([1.5, 1.5, 9.0])
    assert np.linalg.det(affine) == pytest.approx(1.5 * 1.5 * 9.0)


def test_a_cohort_does_not_depend_on_the_number_of_threads(tmp_path):
    for threads in (1, 2):
        make_demo_cohort(tmp_path / str(threads), "acdc", "acdc", patients=2, seed=4, threads=threads)
    files = sorted(path.relative_to(tmp_path / "1") for path in (tmp_path / "1").rglob("*.nii.gz"))
    assert len(files) == 8
    for file in files:
        assert np.array_equal(volume(tmp_path / "1" / file), volume(tmp_path / "2" / file))


def test_an_interrupted_cohort_leaves_no_folder(tmp_path, monkeypatch):
    def interrupted(patients, folder):
        (folder / "half").mkdir()
        raise KeyboardInterrupt

    monkeypatch.setitem(make_demo_cohort.__globals__["WRITERS"], "acdc", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_demo_cohort(tmp_path / "acdc", "acdc", "acdc", patients=1, seed=4, threads=1)
    assert not (tmp_path / "acdc").exists()
