"""NIfTI images of one patient as they are read, and what is wrong with them."""

import gzip

import numpy as np
import pytest
from new_patients import FRAMES, cine
from raw_cohorts import BARE, grey, heart, save

from cmrslices.cohorts.unlabelled.layouts import Image
from cmrslices.cohorts.unlabelled.stacks import read_images
from cmrslices.runtime.errors import CollectedErrors


def refused(*images):
    with pytest.raises(CollectedErrors) as fault:
        read_images(images)
    return fault.value.faults


def test_every_frame_of_a_cine_is_read(tmp_path):
    voxels = cine()
    stacks = read_images((Image(save(voxels, tmp_path / "cine.nii.gz")),)).stacks
    assert list(stacks) == [f"f{frame:02d}" for frame in range(FRAMES)]
    np.testing.assert_array_equal(stacks["f03"].image, voxels[..., 3])
    assert stacks["f03"].frame == 3
    np.testing.assert_allclose(stacks["f03"].affine, BARE)


def test_listed_frames_of_a_4d_file_are_read_by_their_index(tmp_path):
    voxels, path = cine(), tmp_path / "cine.nii.gz"
    save(voxels, path)
    stacks = read_images((Image(path, "ED", 0), Image(path, "ES", 2))).stacks
    np.testing.assert_array_equal(stacks["ES"].image, voxels[..., 2])
    assert stacks["ES"].frame == 2


def test_a_3d_file_of_a_phase_has_no_frame(tmp_path):
    stacks = read_images((Image(save(grey(heart()), tmp_path / "ed.nii.gz"), "ED"),)).stacks
    assert stacks["ED"].frame is None


def test_a_3d_file_where_a_cine_is_needed_is_a_fault(tmp_path):
    (fault,) = refused(Image(save(grey(heart()), tmp_path / "ed.nii.gz")))
    assert "3D, where a 4D stack" in fault


def test_a_4d_file_where_a_phase_is_needed_is_a_fault(tmp_path):
    (fault,) = refused(Image(save(cine(), tmp_path / "ed.nii.gz"), "ED"))
    assert fault.startswith("ED: ") and "4D, where a 3D stack" in fault


def test_a_single_slice_is_a_fault(tmp_path):
    (fault,) = refused(Image(save(cine()[:, :, :1], tmp_path / "cine.nii.gz")))
    assert "a single slice, where a 4D stack" in fault


def test_a_frame_without_content_is_named(tmp_path):
    voxels = cine()
    voxels[..., 4] = 7
    (fault,) = refused(Image(save(voxels, tmp_path / "cine.nii.gz")))
    assert fault.startswith("frame with index 4: ") and "constant" in fault


def test_a_frame_that_the_file_lacks_is_a_fault(tmp_path):
    (fault,) = refused(Image(save(cine(), tmp_path / "cine.nii.gz"), "ES", 30))
    assert f"no frame with index 30 among {FRAMES}" in fault


def test_missing_and_truncated_files_are_faults_of_their_phases(tmp_path):
    path = save(grey(heart()), tmp_path / "es.nii.gz")
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()))[:-40])
    missing, truncated = refused(Image(tmp_path / "ed.nii.gz", "ED"), Image(path, "ES"))
    assert missing.startswith("ED: ") and "the file is missing" in missing
    assert truncated.startswith("ES: ") and "truncated" in truncated


def test_an_array_whose_third_axis_is_not_that_of_the_slices_is_a_fault(tmp_path):
    (fault,) = refused(Image(save(np.moveaxis(cine(), 2, 0), tmp_path / "cine.nii.gz", np.diag([8.0, 1.5, 1.5, 1]))))
    assert "cannot be that of the slices" in fault
