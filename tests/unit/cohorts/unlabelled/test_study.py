"""DICOM studies without a workspace, read as the stacks of every frame."""

import numpy as np
import pytest
from clinic import GE, PHILIPS_ENHANCED, SHAPE, write_clinic
from dicom_files import image, place, save, uid

from cmrslices.cohorts.convert.cvi42 import study as contoured
from cmrslices.cohorts.convert.raw import RawPatient
from cmrslices.cohorts.unlabelled.study import read_study
from cmrslices.runtime.errors import InputError


@pytest.mark.parametrize(
    ("number", "again"),
    [(1, [3]), (GE, [1]), (PHILIPS_ENHANCED, [])],  # GE: also slice 0, which has no contour
    ids=["Siemens", "GE", "Philips enhanced"],
)
def test_an_exam_gives_the_cine_on_which_its_contours_would_lie(tmp_path, number, again):
    """Of slices that were recorded again, contours name one; without contours, the latest is taken, and it is said."""
    folder = write_clinic(tmp_path, [number]) / f"P{number:04d}"
    expected = contoured.read_dicom_stacks(RawPatient("P", folder)).stacks
    for workspace in folder.glob("*.cvi42wsx"):
        workspace.unlink()
    found = read_study(folder)
    assert len(found.stacks) == 8
    for stack in expected.values():
        own = found.stacks[f"f{stack.frame:02d}"]
        others = [index for index in range(SHAPE[2]) if (own.image[..., index] != stack.image[..., index]).any()]
        assert others == again
        np.testing.assert_allclose(own.affine, stack.affine)
    assert ("repeated" in found.about["stack"]) == bool(again)


def test_the_scanner_and_the_choice_are_said_without_header_text(tmp_path):
    folder = write_clinic(tmp_path, [1]) / "P0001"
    about = read_study(folder).about
    assert about["vendor"] == "Siemens"
    assert about["stack"].startswith("8 slices x 8 frames of ")


def test_a_study_without_a_cine_is_refused_without_the_patients_name(tmp_path):
    for index in range(4):
        still = image(f"lge {index}", ImagePositionPatient=place(index), SeriesInstanceUID=uid("lge"))
        save(still, tmp_path / f"{index}.dcm")
    with pytest.raises(InputError, match="no short-axis cine") as fault:
        read_study(tmp_path)
    assert "Secret" not in str(fault.value)
