"""Labels that contradict the anatomy, phases that contradict each other, and stacks whose axes are exchanged."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from raw_cohorts import LVBP, LVM, RVBP, convert_to, grey, heart, heart_of, nifti_cohort, save, write_csv

from cmrslices.cohorts.convert.anatomy import enclosed_share
from cmrslices.runtime.errors import InputError

PATIENTS = ("p1", "p2", "p3")


@pytest.fixture
def raw(tmp_path):
    nifti_cohort(tmp_path / "raw", PATIENTS)
    return tmp_path / "raw"


@pytest.fixture
def convert(tmp_path, raw):
    (tmp_path / "out").mkdir()

    def run(**cohort):
        convert_to(tmp_path / "out", {"format": "nifti", "folder": str(raw), **cohort})
        return pd.read_csv(tmp_path / "out/cases.csv", keep_default_na=False).set_index("case")

    return run


def relabel(raw, change, patients=PATIENTS, phases=("ED", "ES")):
    for patient in patients:
        for phase in phases:
            save(change(heart_of(PATIENTS.index(patient))), raw / f"{patient}_{phase}_label.nii.gz")


def smaller(label):
    """A heart whose LVBP has lost the right half."""
    x = np.arange(label.shape[0])[:, None, None]
    return np.where((label == LVBP) & (x > 14), LVM, label).astype(np.uint8)


def test_a_heart_has_no_finding(convert):
    assert set(convert()["repairs"]) == {""}


def test_labels_in_another_order_name_the_map_that_fits(convert, raw):
    relabel(raw, lambda label: np.choose(label, [0, 3, 2, 1]).astype(np.uint8))
    with pytest.raises(InputError, match=r"in 6 of 6 cases, .* label_map { LVBP: 3, LVM: 2, RVBP: 1 }: set it"):
        convert()


def test_labels_that_are_shifted_against_each_other_are_a_fault_of_the_cohort(convert, raw):
    def shifted(label):
        others = np.where(label == LVBP, 0, label)
        return np.where(np.roll(label, 5, axis=1) == LVBP, LVBP, others).astype(np.uint8)

    relabel(raw, shifted)
    with pytest.raises(InputError, match="no order of the label values fits; labels may be mirrored or shifted"):
        convert()


def test_a_single_odd_case_is_a_finding(convert, raw):
    relabel(raw, lambda label: np.choose(label, [0, 3, 2, 1]).astype(np.uint8), patients=["p1"], phases=["ED"])
    findings = convert()["repairs"]
    assert findings["demo_p1_ED"].startswith("LVBP-in-LVM-only-")
    assert set(findings.drop("demo_p1_ED")) <= {"", findings["demo_p1_ES"]}


def without(*names):
    return lambda label: np.where(np.isin(label, names), 0, label).astype(np.uint8)


def test_a_cohort_without_right_ventricle_has_no_other_finding(convert, raw):
    relabel(raw, without(RVBP))
    assert set(convert()["repairs"]) == {"no-RVBP-in-the-cohort"}


@pytest.mark.parametrize(("missing", "name"), [(RVBP, "RVBP"), (LVBP, "LVBP"), (LVM, "LVM")])
def test_a_label_that_no_case_has_is_said_once_in_the_log(convert, raw, capfd, missing, name):
    relabel(raw, without(missing))
    convert()
    warnings = [line for line in capfd.readouterr().out.splitlines() if line.startswith("WARNING")]
    assert warnings == [
        f"WARNING: cohort demo: {name} is in no case: scores for it will be empty; if the data have it, check label_map"
    ]


def test_a_label_that_one_case_has_is_not_missing(convert, raw):
    relabel(raw, without(RVBP), patients=["p1", "p2"])
    relabel(raw, without(RVBP), patients=["p3"], phases=["ES"])
    assert set(convert()["repairs"]) == {""}


def test_a_cohort_with_right_ventricle_alone_has_two_findings_and_no_fault(convert, raw):
    relabel(raw, without(LVBP, LVM))
    assert set(convert()["repairs"]) == {"no-LVBP-in-the-cohort;no-LVM-in-the-cohort"}


@pytest.mark.parametrize("missing", [LVBP, LVM, RVBP])
@pytest.mark.parametrize("order", list(permutations((LVBP, LVM, RVBP))))
def test_a_cohort_with_one_label_missing_names_the_map_if_the_others_are_exchanged(convert, raw, missing, order):
    """Only LVM and LVBP together tell: where one of the two is missing, no map can be named."""

    def change(label):
        return np.choose(without(missing)(label), [0, *order]).astype(np.uint8)

    relabel(raw, change)
    lvbp, lvm, _ = order
    read = {order[value - 1] for value in (LVBP, LVM, RVBP) if value != missing}
    if missing == RVBP and (lvbp, lvm) != (LVBP, LVM):
        with pytest.raises(InputError, match=f"label_map {{ LVBP: {lvbp}, LVM: {lvm}, RVBP: "):
            convert()
    elif missing != RVBP and read == {LVBP, LVM}:
        with pytest.raises(InputError, match=r"no order of the label values fits; .*, or a label is missing"):
            convert()
    else:
        assert len(convert()) == 6


def test_equal_images_at_ed_and_es_are_a_fault_that_names_both(convert, raw):
    save(grey(heart(), seed=0), raw / "p1_ES.nii.gz")
    with pytest.raises(InputError, match="patient p1 ED and patient p1 ES: the images are equal in every voxel"):
        convert()


def test_exchanged_phases_of_most_patients_are_a_fault(convert, raw):
    relabel(raw, smaller, phases=["ED"])
    with pytest.raises(InputError, match=r"in 3 of 3 patients, the LVBP is larger at ES than at ED; .* exchanged"):
        convert()


def test_exchanged_phases_of_one_patient_are_a_finding_with_both_volumes(convert, raw):
    relabel(raw, smaller, patients=["p2"], phases=["ED"])
    findings = convert()["repairs"]
    assert findings["demo_p2_ED"] == findings["demo_p2_ES"]
    assert findings["demo_p2_ED"].startswith("LVBP-at-ES-")
    assert set(findings.drop(["demo_p2_ED", "demo_p2_ES"])) == {""}


def test_slices_along_the_first_axis_are_a_fault(convert, raw):
    rows = pd.read_csv(raw / "cohort.csv")
    affine = np.diag([8.0, 1.25, 1.5, 1.0])
    for name, voxels in (("turned", grey(heart())), ("turned_label", heart())):
        save(voxels.transpose(2, 1, 0), raw / f"{name}.nii.gz", affine)
    files = {"image": "turned.nii.gz", "label": "turned_label.nii.gz"}
    more = [{"patient": "p4", "phase": phase, **files} for phase in ("ED", "ES")]
    write_csv(raw, pd.concat([rows, pd.DataFrame(more)]))
    turned = r"8 x 20 x 24 voxels of 8 x 1\.25 x 1\.5 mm, so the third axis cannot be that of the slices"
    with pytest.raises(InputError, match=turned):
        convert()


def test_a_cavity_that_leaves_the_muscle_is_enclosed_in_part():
    cavity, muscle = np.zeros((6, 6, 1), bool), np.zeros((6, 6, 1), bool)
    cavity[2:4, 2:4] = True
    muscle[:, :3] = ~cavity[:, :3]
    assert enclosed_share(cavity, muscle) == 0.5
