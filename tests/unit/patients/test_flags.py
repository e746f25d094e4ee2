"""Quality flags: each made fault raises its flag, and a heart as it is raises none."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
import yaml
from places import ROOT

from cmrslices.cohorts.tables import CASES, write_cases
from cmrslices.demo.patients import make_patient
from cmrslices.labels import LABELS, SLICE_CLASSES
from cmrslices.patients.flag_worth import read_flag_scores
from cmrslices.patients.flags import FIXED_LIMITS, FLAGS, OF_PATIENT, Case, flag_cohort, flag_patient
from cmrslices.runtime.errors import InputError

CONFIGURED = yaml.safe_load((ROOT / "config.yaml").read_text())["quality"]
CHOSEN = {name.removesuffix("_mm2"): limit for name, limit in CONFIGURED.items() if name != "approaches"}
LIMITS = {**FIXED_LIMITS, **CHOSEN}
LVBP, LVM, RVBP = LABELS.values()
SPACING_MM = np.array([1.0, 1.0, 8.0])
SURE = np.tile([0.0, 0.9, 0.1, 0.0], (12, 1))


def heart(shrunk=1.0):
    """A made heart: 12 slices, the left ventricle from slice 1 to 10, ever smaller towards the apex."""
    labels = np.zeros((12, 120, 120), np.uint8)
    down, across = np.mgrid[:120, :120]
    for number in range(1, 11):
        size = 1 - ((number - 1) / 12) ** 2
        from_rv = np.hypot(down - 60, across - 45)
        from_lv = np.hypot(down - 60, across - 75)
        wall = 28 * size
        labels[number][from_rv < 24 * size * shrunk] = RVBP
        labels[number][from_lv < wall] = LVM
        labels[number][from_lv < 20 * size * shrunk] = LVBP
    # Myocardium is incompressible: what the cavity gives up, the wall gains, and the outer border follows it inwards.
    if shrunk < 1:
        for number in range(1, 11):
            ring = (labels[number] == LVM) & (np.hypot(down - 60, across - 75) > 24.5 * (1 - ((number - 1) / 12) ** 2))
            labels[number][ring] = 0
    return labels


def raised(ed=None, es=None, others=(), weights=SURE):
    """Flags that are raised for a patient of which only one case differs from the made heart."""
    cases = [
        Case("p_ED", "ED", heart() if ed is None else ed, SPACING_MM, others, weights),
        Case("p_ES", "ES", heart(0.75) if es is None else es, SPACING_MM, (), None),
    ]
    return flag_patient("p", cases, LIMITS)[0]


def changed(change, labels=None):
    labels = heart() if labels is None else labels
    change(labels)
    return labels


def put(value, *place):
    def change(labels):
        labels[place] = value

    return change


def removed(label, number):
    def change(labels):
        labels[number][labels[number] == label] = 0

    return change


def without_a_wall(labels):
    labels[5][labels[5] == LVM] = 0


def in_the_first_slice(labels):
    labels[:-1] = labels[1:].copy()


def ends_early(labels):
    labels[-6:] = labels[5]


def moved(labels):
    labels[4] = np.roll(labels[4], 40, axis=0)


def half_unsure():
    weights = SURE.copy()
    weights[3] = [0.0, 0.45, 0.4, 0.15]
    return weights


MADE = {
    "empty_middle": ({"ed": changed(put(0, slice(6, None)))}, {6, 7}),
    "gap": ({"ed": changed(put(0, 3))}, {3}),
    "missing_label": ({"ed": changed(removed(RVBP, 5))}, {5}),
    "cut_off_base": (
        {"ed": changed(in_the_first_slice), "es": changed(in_the_first_slice, heart(0.5))},
        {0},
    ),
    "cut_off_apex": ({"ed": changed(ends_early), "es": changed(ends_early, heart(0.75))}, {11}),
    "at_border": ({"ed": changed(put(RVBP, 4, slice(50, 70), slice(0, 45)))}, {4}),
    "components": ({"ed": changed(put(LVBP, 4, slice(2, 12), slice(2, 12)))}, {4}),
    "open_cavity": ({"ed": changed(without_a_wall)}, {5}),
    "disagreement": ({"others": [changed(moved)]}, {4}),
    "uncertain_region": ({"weights": half_unsure()}, {3}),
    "stroke_volumes": ({"es": changed(lambda labels: np.putmask(labels, heart() == RVBP, RVBP), heart(0.75))}, set()),
    "mass": ({"es": changed(lambda labels: np.putmask(labels, labels == LVM, 0), heart())}, set()),
    "contraction": ({"ed": heart(0.75), "es": heart()}, set()),
}
"""Flag to what differs from the made heart, and the slices that the flag names."""


def test_the_made_heart_raises_no_flag():
    assert raised(others=[heart()]).empty


@pytest.mark.parametrize("flag", FLAGS)
def test_a_made_fault_raises_its_flag_in_its_slice(flag):
    change, slices = MADE[flag]
    found = raised(**change)
    rows = found[found["flag"] == flag]
    assert len(rows) >= 1
    assert set(rows["slice"].dropna()) == slices
    assert (rows["score"] > LIMITS[flag]).all()
    assert rows["reason"].str.len().min() > 10


def test_every_flag_has_a_limit():
    assert LIMITS.keys() == FLAGS.keys()


DEMO = yaml.safe_load((ROOT / "demo/demo.yaml").read_text())["demo"]["patients"]
FORMATS = {name: row["format"] for name, row in yaml.safe_load((ROOT / "config.yaml").read_text())["cohorts"].items()}


@pytest.mark.parametrize("cohort", DEMO)
def test_no_undisturbed_heart_of_the_demo_raises_a_flag(cohort):
    for index in range(DEMO[cohort]):
        patient = make_patient(cohort, FORMATS[cohort], index, seed=2022)
        cases = [
            Case(phase, phase, labels.transpose(2, 1, 0), np.array(patient.spacing_mm))
            for phase, labels in patient.labels.items()
        ]
        found, _ = flag_patient(f"{cohort}{index}", cases, LIMITS)
        assert found.empty, found.to_string()


def test_a_flag_of_the_patient_names_no_slice_and_scores_all_slices():
    change, _ = MADE["contraction"]
    cases = [Case(f"p_{phase}", phase, change[phase.lower()], SPACING_MM) for phase in ("ED", "ES")]
    found, scores = flag_patient("p", cases, LIMITS)
    rows = found[found["flag"].isin(OF_PATIENT)]
    assert set(rows["case"]) == {""}
    assert rows["slice"].isna().all()
    assert scores["contraction"].gt(1).all()
    assert len(scores) == 24


def test_a_phase_alone_is_not_judged_against_the_other():
    _, scores = flag_patient("p", [Case("p_ED", "ED", heart(), SPACING_MM)], LIMITS)
    assert scores[["stroke_volumes", "mass", "contraction", "cut_off_base", "disagreement"]].isna().all(axis=None)
    assert scores["gap"].eq(0).all()


def test_the_score_of_a_slice_is_the_largest_of_its_labels():
    labels = changed(put(LVBP, 4, slice(2, 12), slice(2, 12)))
    labels[4, 100:105, 100:104] = RVBP
    _, scores = flag_patient("p", [Case("p_ED", "ED", labels, SPACING_MM)], LIMITS)
    assert scores.loc[4, "components"] == 100


def test_flags_do_not_change_a_label():
    labels = changed(put(0, 3))
    before = labels.copy()
    flag_patient("p", [Case("p_ED", "ED", labels, SPACING_MM, [heart()], SURE)], LIMITS)
    assert np.array_equal(labels, before)


# ---- A cohort in files ------------------------------------------------------


def write_labels(folder, labels, name):
    folder.mkdir(exist_ok=True)
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(SPACING_MM.tolist())
    sitk.WriteImage(image, folder / f"{name}.nii.gz")


@pytest.fixture
def cohort(tmp_path):
    """Two patients; the label map of the second has a gap at ED."""
    rows = []
    for patient in ("1", "NA"):
        for phase, labels in {"ED": heart(), "ES": heart(0.75)}.items():
            case = f"clinic_{patient}_{phase}"
            rows.append({"case": case, "patient": patient, "phase": phase, "excluded": False})
            write_labels(tmp_path / "other", labels, case)
            if (patient, phase) == ("NA", "ED"):
                labels[3] = 0
            write_labels(tmp_path / "labels", labels, case)
    write_cases(pd.DataFrame(rows, columns=list(CASES)), tmp_path / "cases.csv")
    weights = pd.DataFrame(
        [(row["case"], number, *SURE[0]) for row in rows for number in range(12)],
        columns=["case", "slice", *SLICE_CLASSES],
    )
    weights.assign(region="base").to_csv(tmp_path / "regions.csv", index=False)
    return tmp_path


def flag(folder, regions="regions.csv", phases=None, threads=1):
    flag_cohort(
        predictions=folder / "labels",
        others=[folder / "other"],
        regions=folder / regions if regions else None,
        cases=folder / "cases.csv",
        phases=phases and folder / phases,
        limits=CHOSEN,
        raised=folder / "qc.csv",
        scores=folder / "qc_scores.csv",
        threads=threads,
    )
    return pd.read_csv(folder / "qc.csv", dtype={"patient": str}, keep_default_na=False)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_flags_of_a_cohort_are_in_a_table_with_their_reasons(cohort, threads):
    found = flag(cohort, threads=threads)
    assert set(found["patient"]) == {"NA"}
    assert set(found["flag"]) == {"gap", "disagreement"}
    gap = found[found["flag"] == "gap"].iloc[0]
    assert (gap["case"], gap["slice"], gap["reason"]) == (
        "clinic_NA_ED",
        3,
        "no label, but slices 2 and 4 have some",
    )


def test_all_slices_have_scores_also_those_without_a_flag(cohort):
    flag(cohort)
    scores = read_flag_scores(cohort / "qc_scores.csv")
    assert len(scores) == 4 * 12
    assert set(scores["patient"]) == {"1", "NA"}
    assert scores.loc[scores["gap"] > 0, "slice"].tolist() == [3]


def test_of_a_cine_only_the_frames_that_were_chosen_as_ed_and_es_are_looked_at(tmp_path):
    """ED is the last frame here, and ES the second."""
    frames = [f"clinic_1_f{number:02d}" for number in range(4)]
    for number, case in enumerate(frames):
        labels = heart(0.5) if number == 1 else heart()
        for folder in ("labels", "other"):
            write_labels(tmp_path / folder, labels, case)
    rows = [{"case": case, "patient": "1", "phase": case[-3:], "excluded": False} for case in frames]
    write_cases(pd.DataFrame(rows, columns=list(CASES)), tmp_path / "cases.csv")
    pd.DataFrame({"case": frames, "chosen": ["", "ES", "", "ED"]}).to_csv(tmp_path / "volumes.csv", index=False)
    flag(tmp_path, regions=None, phases="volumes.csv")
    scores = read_flag_scores(tmp_path / "qc_scores.csv")
    assert dict(zip(scores["case"], scores["phase"], strict=True)) == {frames[1]: "ES", frames[3]: "ED"}
    assert scores["stroke_volumes"].notna().all()  # ED and ES are compared


def test_without_weights_the_region_is_not_judged(cohort):
    flag(cohort, regions=None)
    assert read_flag_scores(cohort / "qc_scores.csv")["uncertain_region"].isna().all()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: [file.unlink() for file in (folder / "labels").iterdir()], "holds no label map"),
        (lambda folder: write_labels(folder / "labels", heart(), "clinic_2_ED"), "clinic_2_ED has no row in"),
        (lambda folder: write_labels(folder / "other", heart()[:5], "clinic_1_ED"), "other/clinic_1_ED.*another size"),
        (lambda folder: (folder / "other/clinic_1_ED.nii.gz").unlink(), "other/clinic_1_ED.*cannot be read"),
        (
            lambda folder: (folder / "regions.csv").write_text("case,slice,non-cardiac,base,middle,apex\n"),
            "clinic_1_ED: the regions do not match its 12 slices",
        ),
    ],
    ids=["empty", "unknown", "size", "missing", "weights"],
)
def test_files_that_do_not_fit_are_named(cohort, spoil, message):
    spoil(cohort)
    with pytest.raises(InputError, match=message):
        flag(cohort)
