"""NIfTI files are read as SimpleITK reads them, and never half."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from damage import DAMAGES as DAMAGED
from raw_cohorts import BARE, SPACING_MM, oblique

from cmrslices.runtime.errors import InputError
from cmrslices.runtime.nifti import DAMAGES, check_volume, open_image, pack, read_volume

AFFINES = {"bare": BARE, "oblique": oblique(), "shifted": np.diag([1.5, 1.25, 8, 1]) + 20 * np.eye(4, k=3)}


def voxels_of(dtype):
    return np.arange(5 * 4 * 3).reshape(5, 4, 3).astype(dtype)


def by_nibabel(path, voxels, affine, forms=("sform", "qform")):
    """Write with the affine in these forms of the header alone."""
    file = nib.Nifti1Image(voxels, affine)
    file.header.set_sform(affine, code=1 if "sform" in forms else 0)
    file.header.set_qform(affine, code=1 if "qform" in forms else 0)
    nib.save(file, path)


def by_simpleitk(path, voxels, affine):
    image = sitk.GetImageFromArray(voxels.T)
    lps = np.diag([-1, -1, 1, 1]) @ affine
    image.SetSpacing(SPACING_MM)
    image.SetOrigin(lps[:3, 3])
    image.SetDirection((lps[:3, :3] / SPACING_MM).ravel())
    sitk.WriteImage(image, path)


def assert_like_simpleitk(path):
    """Compare with SimpleITK's reading; directions to the precision of the header, which has 32 bits."""
    volume, image = read_volume(path), sitk.ReadImage(path, imageIO="NiftiImageIO")
    expected = sitk.GetArrayFromImage(image)
    assert volume.voxels.dtype == expected.dtype
    np.testing.assert_array_equal(volume.voxels, expected)
    assert tuple(volume.spacing_mm) == image.GetSpacing()
    np.testing.assert_allclose(volume.origin_mm, image.GetOrigin(), rtol=0, atol=1e-6)
    np.testing.assert_allclose(volume.direction.ravel(), image.GetDirection(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_voxels_of_any_type_are_those_that_simpleitk_reads(tmp_path, dtype):
    by_nibabel(tmp_path / "a.nii.gz", voxels_of(dtype), oblique())
    assert_like_simpleitk(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("affine", AFFINES.values(), ids=AFFINES)
@pytest.mark.parametrize("write", [by_nibabel, by_simpleitk])
def test_the_grid_is_the_one_that_simpleitk_reads(tmp_path, write, affine):
    write(tmp_path / "a.nii.gz", voxels_of(np.int16), affine)
    assert_like_simpleitk(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("form", ["sform", "qform"])
def test_the_grid_may_be_in_one_form_of_the_header_alone(tmp_path, form):
    by_nibabel(tmp_path / "a.nii.gz", voxels_of(np.int16), oblique(), [form])
    assert_like_simpleitk(tmp_path / "a.nii.gz")


@pytest.mark.parametrize(("unit", "mm"), [("meter", 1000), ("mm", 1), ("micron", 0.001), ("unknown", 1)])
def test_the_grid_is_in_mm_whatever_the_unit(tmp_path, unit, mm):
    file = nib.Nifti1Image(voxels_of(np.int16), np.diag([1 / mm, 1 / mm, 1 / mm, 1]) @ oblique())
    file.set_qform(file.affine, code=1)
    file.set_sform(file.affine, code=1)
    file.header.set_xyzt_units(unit)
    nib.save(file, tmp_path / "a.nii.gz")
    assert_like_simpleitk(tmp_path / "a.nii.gz")
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii.gz").spacing_mm, SPACING_MM, rtol=1e-6)


def test_scaled_values_are_those_that_simpleitk_reads(tmp_path):
    file = nib.Nifti1Image(voxels_of(np.float64) / 4, BARE)
    file.set_data_dtype(np.int16)
    nib.save(file, tmp_path / "a.nii.gz")
    expected = sitk.GetArrayFromImage(sitk.ReadImage(tmp_path / "a.nii.gz"))
    np.testing.assert_allclose(read_volume(tmp_path / "a.nii.gz").voxels, expected)


def test_voxels_are_slices_rows_and_columns(tmp_path):
    by_nibabel(tmp_path / "a.nii.gz", voxels_of(np.uint8), BARE)
    volume = read_volume(tmp_path / "a.nii.gz")
    assert volume.voxels.shape == (3, 4, 5)
    assert volume.spacing_mm.tolist() == list(SPACING_MM)


@pytest.fixture
def file(tmp_path):
    by_nibabel(tmp_path / "a.nii.gz", voxels_of(np.uint8), BARE)
    return tmp_path / "a.nii.gz"


@pytest.mark.parametrize("refuse", [read_volume, check_volume])
@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_named_with_a_remedy(file, damage, refuse):
    damage(file)
    with pytest.raises(InputError, match=r"a\.nii\.gz: cannot be read \(.*\); delete the folder of its cohort and run"):
        refuse(file)


@pytest.mark.parametrize("damage", DAMAGED)
def test_simpleitk_alone_does_not_notice_a_damage_to_a_larger_file(file, damage):
    noise = np.random.default_rng(0).integers(1, 255, (256, 216, 10), dtype=np.uint8)
    by_nibabel(file, noise, BARE)
    damage(file)
    assert (sitk.GetArrayFromImage(sitk.ReadImage(file)) != noise.T).any()
    with pytest.raises(InputError, match="cannot be read"):
        read_volume(file)


def test_every_length_of_a_truncated_file_is_noticed(file):
    whole = file.read_bytes()
    for length in range(len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(InputError, match="cannot be read"):
            read_volume(file)


def test_a_whole_stream_of_too_few_voxels_is_noticed(file):
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes())[:-1]))
    with pytest.raises(InputError, match=r"a\.nii\.gz: cannot be read \(Expected 60 bytes, got 59"):
        read_volume(file)


# Without a time in the file, tests that are collected by two processes have the same names.
@pytest.mark.parametrize(
    "content", [b"no image", gzip.compress(b"no image", mtime=0), gzip.compress(bytes(500), mtime=0)]
)
def test_what_is_no_nifti_is_named(file, content):
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.nii\.gz: cannot be read"):
        read_volume(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"a\.nii\.gz: cannot be read \(.*No such file"):
        read_volume(tmp_path / "a.nii.gz")


def test_an_image_over_time_is_refused(tmp_path):
    by_nibabel(tmp_path / "a.nii.gz", np.zeros((5, 4, 3, 2), np.uint8), BARE)
    with pytest.raises(InputError, match="4D, where 3D is needed"):
        read_volume(tmp_path / "a.nii.gz")


def test_too_little_memory_is_no_fault_of_the_file(file, monkeypatch):
    def fail(_):
        raise MemoryError

    monkeypatch.setattr("cmrslices.runtime.nifti.igzip.decompress", fail)
    with pytest.raises(MemoryError):
        read_volume(file)


def test_an_image_of_another_tool_has_the_content_of_its_file(file):
    image, expected = open_image(file), nib.load(file)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), np.asanyarray(expected.dataobj))
    assert image.header == expected.header


@pytest.mark.parametrize("suffix", [".img", ".img.gz"])
def test_an_analyze_image_has_the_content_of_its_two_files(tmp_path, suffix):
    voxels = np.arange(60, dtype=np.int16).reshape(5, 4, 3)
    path = tmp_path / f"a{suffix}"
    nib.save(nib.AnalyzeImage(voxels, np.eye(4)), path)
    np.testing.assert_array_equal(np.asanyarray(open_image(path).dataobj), voxels)


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_gzipped_image_of_another_tool_does_not_open(file, damage):
    damage(file)
    with pytest.raises(DAMAGES):
        open_image(file)


def test_a_packed_image_is_what_nibabel_saves(tmp_path):
    image = nib.Nifti1Image(np.arange(60, dtype=np.int16).reshape(5, 4, 3), np.diag([1.5, 1.5, 8.0, 1.0]))
    nib.save(image, tmp_path / "a.nii.gz")
    assert gzip.decompress(pack(image)) == gzip.decompress((tmp_path / "a.nii.gz").read_bytes())


def test_the_same_image_is_packed_to_the_same_bytes():
    image = nib.Nifti1Image(np.zeros((5, 4, 3), np.int16), np.eye(4))
    assert pack(image) == pack(image)
