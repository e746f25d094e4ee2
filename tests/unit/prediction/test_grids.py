"""Label maps of other tools are brought onto the image's grid by their headers."""

import nibabel as nib
import numpy as np
import pytest
from raw_cohorts import BARE, SHAPE, heart, oblique, save

from cmrslices.cohorts.convert.geometry import reverse_slices
from cmrslices.prediction.grids import LabelMap, on_grid, read_label_map
from cmrslices.runtime.errors import InputError

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def placed(voxels, affine, grid, shape=SHAPE, path="given.nii.gz"):
    """A label map with a header, on a grid."""
    return on_grid(LabelMap(voxels, affine, ()), grid, shape, path)


def read_after(tmp_path, voxels, affine, change=lambda file: None):
    file = nib.Nifti1Image(voxels, affine)
    change(file)
    nib.save(file, tmp_path / "given.nii.gz")
    return read_label_map(tmp_path / "given.nii.gz")


def test_a_label_map_on_the_grid_is_kept_without_a_note():
    given = placed(heart(), oblique(), oblique())
    assert (given.voxels == heart()).all()
    assert given.notes == ()


def test_a_label_map_on_the_raw_grid_is_reversed_like_the_image():
    raw = oblique(base_first=False)
    grid = reverse_slices(heart(), raw)[1]
    given = placed(heart()[:, :, ::-1], raw, grid)
    assert (given.voxels == heart()).all()
    assert given.notes == ("slices-reversed",)


@pytest.mark.parametrize("axes", ["RAS", "LPS", "SAR", "PIL"])
@pytest.mark.parametrize("grid", [BARE, oblique()], ids=["bare", "oblique"])
def test_axes_in_another_order_are_put_back(axes, grid):
    image = nib.Nifti1Image(heart(), grid)
    to = nib.orientations.ornt_transform(nib.io_orientation(grid), nib.orientations.axcodes2ornt(axes))
    other = image.as_reoriented(to)
    given = placed(np.asarray(other.dataobj), other.affine, grid)
    assert (given.voxels == heart()).all()


def test_the_signs_of_another_reader_are_understood_with_a_note():
    given = placed(heart(), LPS @ oblique(), oblique())
    assert (given.voxels == heart()).all()
    assert given.notes == ("signs-of-LPS",)


def test_a_header_that_lost_only_its_spacing_is_understood_with_a_note():
    affine = oblique()
    affine[:3, :3] /= np.linalg.norm(affine[:3, :3], axis=0)
    bare = np.diag([-1.0, -1.0, 1.0, 1.0])
    assert placed(heart(), bare, BARE).notes == ("spacing-of-the-image",)
    assert (placed(heart(), bare, BARE).voxels == heart()).all()


def test_a_header_that_lost_all_geometry_is_a_fault_and_not_guessed():
    with pytest.raises(InputError, match=r"given\.nii\.gz: its header was lost, .*copy the image's geometry"):
        placed(heart(), np.eye(4), oblique())


def test_other_voxels_are_a_fault_with_both_sizes():
    with pytest.raises(InputError, match=r"24 x 20 x 7 voxels, but the image has 24 x 20 x 8; resample"):
        placed(heart()[:, :, :7], oblique(), oblique())


def test_another_place_is_a_fault_with_the_distance_in_pixels():
    moved = oblique()
    moved[:3, 3] += 3 * moved[:3, 0]
    with pytest.raises(InputError, match=r"up to 3 pixels off the image's; resample"):
        placed(heart(), moved, oblique())


def test_exchanged_axes_without_a_header_that_tells_are_a_fault():
    with pytest.raises(InputError, match=r"20 x 24 x 8 voxels, but the image has 24 x 20 x 8, and the header does not"):
        placed(heart().transpose(1, 0, 2), oblique(), oblique())


@pytest.mark.parametrize(("code", "other"), [("sform", 0), ("sform", 2), ("qform", 0), ("qform", 3)])
def test_a_missing_or_other_form_is_read(tmp_path, code, other):
    def change(file):
        file.header.set_sform(oblique(), code=1)
        file.header.set_qform(oblique(), code=1)
        file.header[f"{code}_code"] = other

    given = read_after(tmp_path, heart(), oblique(), change)
    assert np.allclose(given.affine, oblique(), atol=1e-3)
    assert given.notes == ()


def test_a_fourth_axis_of_length_1_is_removed_with_a_note(tmp_path):
    given = read_after(tmp_path, heart()[..., None], oblique())
    assert given.voxels.shape == SHAPE
    assert given.notes == ("further-axis-removed",)


def test_several_frames_are_a_fault(tmp_path):
    with pytest.raises(InputError, match=r"24 x 20 x 8 x 2 voxels; write one label map"):
        read_after(tmp_path, np.stack([heart()] * 2, axis=3), oblique())


def test_decimals_are_read_with_a_note(tmp_path):
    assert read_after(tmp_path, heart().astype(np.float32), oblique()).notes == ("labels-as-decimals",)


def test_a_damaged_file_is_named_with_what_to_do(tmp_path):
    file = save(heart(), tmp_path / "given.nii.gz")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"given\.nii\.gz: damaged, .*; write it again"):
        read_label_map(file)
