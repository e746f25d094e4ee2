"""Cines of synthetic patients in the raw layouts, with ED and ES known."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from clinic import SPACING_MM, heart

from cmrslices.cohorts.unlabelled.layouts import find_patients
from cmrslices.cohorts.unlabelled.stacks import read_images
from cmrslices.cohorts.unlabelled.study import read_study
from cmrslices.demo import cines
from cmrslices.demo.patients import Patient


def small_cine(cohort, raw_format, number, seed):
    """A small patient: the images of frames are told apart by noise."""
    shares = (0.0, 1.0) if raw_format == "dicom" else cines.shares(number)
    noise = np.random.default_rng(number).integers(0, 50, (len(shares), *heart(9).shape))
    images = [(200 * heart(9 - 2 * share) + own).astype(np.int16) for share, own in zip(shares, noise, strict=True)]
    phases = {"ED": shares.index(0.0), "ES": shares.index(1.0)}
    return Patient("NOR", "GE", SPACING_MM, phases, images, {"ED": heart(9), "ES": heart(7)})


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Write three small patients of a format; return the patients as found, and phases.csv."""
    monkeypatch.setattr(cines, "make_cine", small_cine)

    def make(raw_format):
        folder = tmp_path / raw_format
        cines.make_demo_cines(folder, "clinic", raw_format, patients=3, seed=1, threads=1)
        cohort = {"format": raw_format, "folder": str(folder), "frames": "all"}
        return find_patients(cohort), pd.read_csv(folder / "phases.csv").set_index("patient")

    return make


@pytest.mark.parametrize("raw_format", ["acdc", "mnms", "nifti"])
def test_every_frame_is_written_and_phases_csv_says_ed_and_es(made, raw_format):
    patients, phases = made(raw_format)
    assert [patient.name for patient in patients] == list(phases.index)
    for number, patient in enumerate(patients):
        stacks = read_images(patient.images).stacks
        assert len(stacks) == len(cines.CONTRACTIONS)
        expected = small_cine("clinic", raw_format, number, 1).images[phases.loc[patient.name, "ES"]]
        found = stacks[f"f{phases.loc[patient.name, 'ES']:02d}"].image
        np.testing.assert_array_equal(found if raw_format == "acdc" else found[:, :, ::-1], expected)


def test_a_dicom_study_has_no_workspace_and_its_phases_are_known(made):
    patients, phases = made("dicom")
    for patient in patients:
        assert not list(patient.source.rglob("*.cvi42wsx"))
        assert len(read_study(patient.source).stacks) == 8
    assert phases["ED"].tolist() == [0, 7, 7]
    assert phases["ES"].tolist() == [3, 2, 2]


def test_recordings_do_not_all_begin_at_ed(made):
    _, phases = made("nifti")
    assert phases["ED"].tolist() == [0, 1, 2]


def test_no_label_is_written(made, tmp_path):
    for raw_format in ("acdc", "mnms", "nifti"):
        made(raw_format)
    assert not [path for path in tmp_path.rglob("*") if "_gt" in path.name or "label" in path.name]
    for path in tmp_path.rglob("*.nii.gz"):
        assert nib.load(path).ndim == 4
