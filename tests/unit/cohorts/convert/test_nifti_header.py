"""A NIfTI header is read as SimpleITK reads it; where it contradicts itself, the file is refused."""

import gzip

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from raw_cohorts import BARE, SPACING_MM, convert_to, grey, heart, nifti_cohort, oblique

from cmrslices.cohorts.convert.nifti_header import has_lost_header, has_lost_spacing, read_grid
from cmrslices.runtime.errors import InputError

MILLIMETRE, METRE, MICRON = 2, 1, 3
PIXDIM, SCALING = 76, 112
"""Places in the header, in bytes."""


@pytest.fixture
def write(tmp_path):
    """Write an image whose header has these forms, each with its code, this pixdim and this unit."""

    def run(sform=None, qform=None, codes=(1, 1), pixdim=SPACING_MM, unit=MILLIMETRE, path=tmp_path / "a.nii.gz"):
        file = nib.Nifti1Image(grey(heart()), None)
        for form, affine, code in zip(("sform", "qform"), (sform, qform), codes, strict=True):
            if affine is not None:
                getattr(file.header, f"set_{form}")(affine, code=code)
        file.header["sform_code"] = 0 if sform is None else codes[0]
        file.header["qform_code"] = 0 if qform is None else codes[1]
        file.header["pixdim"][1:4] = pixdim
        file.header["xyzt_units"] = unit
        header = file.header.copy()
        nib.save(file, path)
        patch(path, 0, header.binaryblock[:108])
        patch(path, 252, header.binaryblock[252:328])
        return path

    return run


def patch(path, place, content):
    stored = bytearray(gzip.decompress(path.read_bytes()))
    stored[place : place + len(content)] = content
    path.write_bytes(gzip.compress(bytes(stored)))


def read(path):
    return read_grid(nib.load(path), path)


def assert_like_simpleitk(path):
    affine, _ = read(path)
    image = sitk.ReadImage(path, imageIO="NiftiImageIO")
    directions = np.reshape(image.GetDirection(), (3, 3))
    expected = np.diag([-1, -1, 1]) @ directions * image.GetSpacing()
    np.testing.assert_allclose(affine[:3, :3], expected, atol=1e-5)
    np.testing.assert_allclose(affine[:3, 3], np.array(image.GetOrigin()) * (-1, -1, 1), atol=1e-4)
    return affine


def in_unit(affine, mm):
    return np.diag([1 / mm, 1 / mm, 1 / mm, 1]) @ affine


@pytest.mark.parametrize(("unit", "mm"), [(METRE, 1000), (MILLIMETRE, 1), (MICRON, 0.001)])
@pytest.mark.parametrize("time", [0, 8, 16, 24], ids=["no time", "s", "ms", "us"])
def test_spacing_and_place_are_in_mm_whatever_the_unit(write, unit, mm, time):
    affine = in_unit(oblique(), mm)
    path = write(affine, affine, pixdim=np.divide(SPACING_MM, mm), unit=unit + time)
    np.testing.assert_allclose(assert_like_simpleitk(path), oblique(), atol=1e-5)


@pytest.mark.parametrize("unit", [0, 4, 7])
def test_a_unit_that_is_not_known_or_not_given_is_mm(write, unit):
    assert_like_simpleitk(write(oblique(), oblique(), unit=unit))


@pytest.mark.parametrize(("unit", "word"), [(METRE, "metre"), (MICRON, "micron")])
def test_a_unit_that_makes_a_heart_too_large_or_too_small_is_named(write, unit, word):
    with pytest.raises(InputError, match=rf"a\.nii\.gz: voxels of .* mm cannot be .*\(xyzt_units\) is {word}: correct"):
        read(write(oblique(), oblique(), unit=unit))


def test_spacing_in_microns_without_a_unit_is_named(write):
    affine = in_unit(oblique(), 0.001)
    with pytest.raises(InputError, match=r"voxels of 1500 x 1250 x 8000 mm .* is not given, so that it is millimetre"):
        read(write(affine, affine, pixdim=np.multiply(SPACING_MM, 1000), unit=0))


@pytest.mark.parametrize(("unit", "mm"), [(METRE, 1000), (MICRON, 0.001)])
@pytest.mark.parametrize("kinds", [("", "_label"), ("",), ("_label",)], ids=["both", "image", "label"])
def test_image_and_label_are_compared_and_written_in_mm(tmp_path, unit, mm, kinds):
    nifti_cohort(tmp_path / "raw", ["p1"], oblique())
    for kind in kinds:
        path = tmp_path / f"raw/p1_ED{kind}.nii.gz"
        file = nib.load(path)
        changed = nib.Nifti1Image(np.asanyarray(file.dataobj), in_unit(oblique(), mm))
        changed.header["xyzt_units"] = unit
        nib.save(changed, path)
    out = convert_to(tmp_path / "out", {"format": "nifti", "folder": str(tmp_path / "raw")})
    for name in ("images/demo_p1_ED_0000", "labels/demo_p1_ED"):
        written = sitk.ReadImage(out / f"{name}.nii.gz")
        np.testing.assert_allclose(written.GetSpacing(), SPACING_MM, rtol=1e-5)


@pytest.mark.parametrize("name", ["p1_ED", "p1_ED_label"])
def test_image_and_label_are_both_checked(tmp_path, name):
    nifti_cohort(tmp_path / "raw", ["p1"], oblique())
    path = tmp_path / f"raw/{name}.nii.gz"
    file = nib.load(path)
    file.set_qform(BARE, code=1)
    nib.save(file, path)
    with pytest.raises(InputError, match=rf"patient p1: ED: .*{name}\.nii\.gz: sform and qform disagree"):
        convert_to(tmp_path / "out", {"format": "nifti", "folder": str(tmp_path / "raw")})


@pytest.mark.parametrize(
    "forms",
    [(oblique(), oblique()), (oblique(), None), (None, oblique()), (None, None)],
    ids=["both", "s", "q", "none"],
)
@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (1, 2), (4, 1)])
def test_forms_that_agree_are_read_like_simpleitk(write, forms, codes):
    assert_like_simpleitk(write(*forms, codes=codes))


def test_acdcs_sform_of_scale_1_has_the_spacing_of_pixdim(write):
    path = write(np.diag([-1.0, -1.0, 1.0, 1.0]), codes=(2, 0))
    np.testing.assert_allclose(assert_like_simpleitk(path), BARE)


def moved(shift_mm):
    return oblique() + np.pad([[shift_mm]], ((0, 3), (3, 0)))


@pytest.mark.parametrize("codes", [(1, 1), (2, 1), (1, 2), (4, 1)])
@pytest.mark.parametrize(
    "sform",
    [BARE, oblique() @ np.diag([2, 2, 1, 1]), moved(5), moved(0.2), oblique(base_first=False)],
    ids=["directions", "spacing", "place", "pixel's part", "opposite"],
)
def test_sform_and_qform_that_disagree_are_named(write, sform, codes):
    with pytest.raises(InputError, match=r"a\.nii\.gz: sform and qform disagree: spacing .* and .*; correct the wrong"):
        read(write(sform, oblique(), codes=codes))


def test_both_spacings_and_the_distance_of_the_corners_are_named(write):
    forms = oblique() @ np.diag([2, 2, 1, 1]), oblique()
    with pytest.raises(InputError, match=r"spacing 3 x 2\.5 x 8 mm and 1\.5 x 1\.25 x 8 mm, corners up to 41\.9 mm"):
        read(write(*forms))


def test_a_form_without_a_code_does_not_count(write):
    affine, _ = read(write(oblique(), BARE, codes=(1, 0)))
    np.testing.assert_allclose(affine, oblique(), atol=1e-5)


@pytest.mark.parametrize("exponent", range(1, 7))
def test_rounding_of_a_quaternion_is_no_disagreement(write, exponent):
    tilt = 10.0**-exponent
    turned = np.eye(4)
    turned[1:3, 1:3] = [[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]]
    affine = turned @ BARE
    read(write(affine, affine))


@pytest.mark.parametrize("pixdim", [(1, 1, 1), (3, 3, 8)])
def test_pixdim_that_contradicts_the_sform_is_named(write, pixdim):
    with pytest.raises(InputError, match=r"sform and pixdim disagree: spacing 1\.5 x 1\.25 x 8 mm and . x . x . mm"):
        read(write(oblique(), codes=(1, 0), pixdim=pixdim))


def sheared(share):
    affine = oblique()
    affine[:3, 0] += share * affine[:3, 1] * SPACING_MM[0] / SPACING_MM[1]
    return affine


def columns(affine):
    return np.linalg.norm(affine[:3, :3], axis=0)


def test_a_small_shear_is_repaired(write):
    affine, repairs = read(write(sheared(0.05), codes=(1, 0), pixdim=columns(sheared(0.05))))
    assert repairs == ["directions-orthonormalised"]
    np.testing.assert_allclose(columns(affine), columns(sheared(0.05)), rtol=1e-6)


def test_a_large_shear_is_named(write):
    path = write(sheared(0.2), codes=(1, 0), pixdim=columns(sheared(0.2)))
    with pytest.raises(RuntimeError, match="orthonormal"):
        sitk.ReadImage(path)
    with pytest.raises(InputError, match=r"axes are up to 11 degrees off right angles \(a sheared sform\)"):
        read(path)


def test_negative_pixdim_is_named(write):
    path = write(oblique(), oblique())
    patch(path, PIXDIM + 4, np.float32(-1.5).tobytes())
    with pytest.raises(InputError, match="not finite and positive"):
        read(path)


@pytest.mark.parametrize(("place", "name"), [(252, "qform_code"), (254, "sform_code")])
def test_an_unknown_code_of_a_form_is_named(write, place, name):
    path = write(oblique(), oblique())
    patch(path, place, np.int16(17).tobytes())
    with pytest.raises(InputError, match=rf"its header is damaged \({name} is 17\)"):
        read(path)


@pytest.mark.parametrize("slope", [0, np.nan, np.inf])
def test_an_intercept_without_slope_is_named(write, slope):
    path = write(oblique(), oblique())
    patch(path, SCALING, np.array([slope, 5], np.float32).tobytes())
    with pytest.raises(InputError, match=r"the header adds 5 to all values \(scl_inter\), but has no slope"):
        read(path)


@pytest.mark.parametrize("scaling", [(1, 0), (0, 0), (np.nan, np.nan), (0, np.nan), (2, 5)])
def test_other_scaling_passes(write, scaling):
    path = write(oblique(), oblique())
    patch(path, SCALING, np.array(scaling, np.float32).tobytes())
    read(path)


@pytest.mark.parametrize(
    ("place", "content", "reason"),
    [
        (SCALING, np.array([2, np.nan], np.float32).tobytes(), "Valid slope but invalid intercept nan"),
        (70, np.int16(5).tobytes(), "data code 5 not recognized"),
        (108, np.float32(16).tobytes(), "vox offset 16 too low"),
    ],
)
@pytest.mark.parametrize("name", ["p1_ED", "p1_ED_label"])
def test_a_header_that_nibabel_refuses_is_named(tmp_path, place, content, reason, name):
    nifti_cohort(tmp_path / "raw", ["p1"])
    patch(tmp_path / f"raw/{name}.nii.gz", place, content)
    with pytest.raises(InputError, match=rf"{name}\.nii\.gz: its header is damaged \({reason}.*\); export it again"):
        convert_to(tmp_path / "out", {"format": "nifti", "folder": str(tmp_path / "raw")})


def test_every_changed_byte_of_a_header_is_read_or_named(tmp_path):
    """Whatever stands in a header, the file is read with SimpleITK's spacing or named, without another error."""
    path = tmp_path / "a.nii"
    file = nib.Nifti1Image(grey(heart()), oblique())
    file.set_qform(oblique(), code=1)
    nib.save(file, path)
    whole = path.read_bytes()
    refused = (InputError, nib.spatialimages.HeaderDataError, nib.filebasedimages.ImageFileError)
    for place in [*range(76, 92), *range(123, 124), *range(252, 328)]:
        for bits in (0x01, 0x10, 0x80):
            changed = bytearray(whole)
            changed[place] ^= bits
            path.write_bytes(changed)
            try:
                affine, _ = read(path)
            except refused:
                continue
            np.testing.assert_allclose(columns(affine), sitk.ReadImage(path).GetSpacing(), rtol=1e-3)


LOST = {
    "identity": np.eye(4),
    "identity of SimpleITK": np.diag([-1.0, -1.0, 1.0, 1.0]),
    "spacing alone": np.diag([*SPACING_MM, 1.0]),
}


@pytest.mark.parametrize("affine", LOST.values(), ids=LOST)
def test_a_header_is_lost_beside_one_with_directions_and_place(affine):
    assert has_lost_header(affine, oblique())
    assert not has_lost_header(oblique(), affine)


def test_a_spacing_is_lost_even_beside_a_header_without_directions():
    assert has_lost_spacing(np.eye(4), BARE)
    assert not has_lost_spacing(BARE, np.eye(4))
    assert not has_lost_spacing(BARE, oblique())


@pytest.mark.parametrize("affine", LOST.values(), ids=LOST)
def test_two_headers_without_geometry_are_not_lost(affine):
    assert not has_lost_header(affine, affine)
