"""Scores of slices: areas, DSC, and what a cohort's score file holds."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from damage import DAMAGES

from cmrslices.evaluation.scores import count_pixels, read_scores, score_cohort, score_slices
from cmrslices.labels import LABELS
from cmrslices.runtime.errors import InputError


def label_map(*slices):
    """A case with one row of pixels per slice."""
    return np.array(slices, dtype=np.uint8)[:, None, :]


def score_case(prediction, reference, pixel_area_mm2):
    pixels = count_pixels(prediction, reference)
    scores = score_slices(pixels, np.full(len(pixels), pixel_area_mm2))
    return scores.assign(slice=np.repeat(np.arange(len(pixels)), len(LABELS)))


def row(table, slice_index, label):
    return table[(table["slice"] == slice_index) & (table["label"] == label)].iloc[0]


def test_dsc_is_twice_the_overlap_over_the_sum_of_areas():
    scores = score_case(label_map([1, 1, 1, 0]), label_map([0, 1, 1, 1]), pixel_area_mm2=1)
    assert row(scores, 0, "LVBP")["dsc"] == 2 * 2 / (3 + 3)


def test_areas_are_in_mm2():
    scores = score_case(label_map([2, 0, 0, 0]), label_map([2, 2, 2, 0]), pixel_area_mm2=1.5)
    assert row(scores, 0, "LVM")[["reference_mm2", "predicted_mm2"]].tolist() == [4.5, 1.5]


def test_dsc_is_zero_where_the_label_is_missed():
    scores = score_case(label_map([0, 0]), label_map([3, 0]), pixel_area_mm2=1)
    assert row(scores, 0, "RVBP")["dsc"] == 0


def test_dsc_is_undefined_where_the_reference_does_not_carry_the_label():
    scores = score_case(label_map([3, 3], [0, 0]), label_map([0, 0], [0, 0]), pixel_area_mm2=1)
    assert scores["dsc"].isna().all()
    assert row(scores, 0, "RVBP")["predicted_mm2"] == 2


def test_slices_are_scored_apart():
    scores = score_case(label_map([1, 0], [0, 1]), label_map([1, 0], [1, 0]), pixel_area_mm2=1)
    assert [row(scores, k, "LVBP")["dsc"] for k in (0, 1)] == [1, 0]


@pytest.mark.parametrize("seed", range(5))
def test_dsc_agrees_with_nnunet(seed):
    nnunet = pytest.importorskip("nnunetv2.evaluation.evaluate_predictions")
    draw = np.random.default_rng(seed)
    prediction, reference = draw.integers(0, 4, size=(2, 6, 9, 7), dtype=np.uint8)
    reference[0] = 0
    prediction[1] = 0
    reference[2] = prediction[2] = 0
    reference[3][reference[3] == 3] = 0
    scores = score_case(prediction, reference, pixel_area_mm2=1)
    for index, label in enumerate(np.tile(list(LABELS), 6)):
        k = index // 3
        masks = [nnunet.region_or_label_to_mask(part[k], LABELS[label]) for part in (reference, prediction)]
        tp, fp, fn, _ = nnunet.compute_tp_fp_fn_tn(*masks)
        ours = row(scores, k, label)
        assert (ours["reference_mm2"], ours["predicted_mm2"]) == (tp + fn, tp + fp)
        # nnU-Net scores a false positive 0; here it is reported apart, so the DSC is undefined.
        expected = 2 * tp / (2 * tp + fp + fn) if tp + fn else np.nan
        np.testing.assert_equal(ours["dsc"], expected)


def test_pixels_are_counted_in_the_reference_the_prediction_and_both():
    pixels = count_pixels(label_map([1, 1, 2, 0]), label_map([1, 2, 2, 2]))
    assert pixels.tolist() == [[[1, 2, 1], [3, 1, 1], [0, 0, 0]]]


def test_a_case_without_any_label_has_no_pixels():
    assert count_pixels(label_map([0, 0], [0, 0]), label_map([0, 0], [0, 0])).tolist() == [[[0, 0, 0]] * 3] * 2


@pytest.fixture
def cohort(tmp_path):
    """Two test cases of two slices and one training case, predicted perfectly."""
    array = label_map([0, 0, 0, 0], [1, 2, 3, 0])
    for folder in ("predictions", "references"):
        (tmp_path / folder).mkdir()
        for case in ("c_007_ES", "c_007_ED", "c_008_ED"):
            write_image(tmp_path / folder / f"{case}.nii.gz", array)
    cases = {"case": ["c_008_ED", "c_007_ES", "c_007_ED"], "patient": ["008", "007", "007"]}
    pd.DataFrame({**cases, "split": ["train", "test", "test"]}).to_csv(tmp_path / "splits.csv", index=False)
    slices = pd.DataFrame({**cases, "phase": ["ED", "ES", "ED"]}).merge(
        pd.DataFrame({"slice": [0, 1], "region": ["non-cardiac", "middle"], "position": [np.nan, 0.5]}), how="cross"
    )
    slices.to_csv(tmp_path / "slices.csv", index=False)
    return tmp_path


def write_image(path, array, spacing_mm=(2.0, 1.0, 8.0)):
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_mm)
    sitk.WriteImage(image, path)


def score(folder, threads=1):
    parts = {name: folder / name for name in ("predictions", "references")}
    tables = {name: folder / f"{name}.csv" for name in ("slices", "splits", "scores")}
    score_cohort(**parts, **tables, cohort="c", approach="baseline", threads=threads)
    return read_scores([folder / "scores.csv"])


def test_a_cohort_has_a_row_per_test_case_slice_and_label(cohort):
    scores = score(cohort)
    assert len(scores) == 2 * 2 * 3
    assert scores["case"].unique().tolist() == ["c_007_ED", "c_007_ES"]


def test_a_row_carries_patient_phase_region_and_position_of_its_slice(cohort):
    last = score(cohort).iloc[-1]
    assert last[["patient", "phase", "slice", "region", "position"]].tolist() == ["007", "ES", 1, "middle", 0.5]
    assert last[["label", "reference_mm2", "predicted_mm2", "dsc"]].tolist() == ["RVBP", 2, 2, 1]


def test_the_number_of_processes_does_not_change_the_file(cohort):
    score(cohort, threads=1)
    alone = (cohort / "scores.csv").read_bytes()
    score(cohort, threads=3)
    assert (cohort / "scores.csv").read_bytes() == alone


def test_a_prediction_on_another_grid_names_the_case(cohort):
    write_image(cohort / "predictions/c_007_ES.nii.gz", label_map([0], [1]), spacing_mm=(1, 1, 8))
    with pytest.raises(InputError, match=r"c_007_ES: prediction and reference differ in size"):
        score(cohort)


def test_a_prediction_with_other_spacing_names_the_case(cohort):
    write_image(cohort / "predictions/c_007_ES.nii.gz", label_map([0] * 4, [1] * 4), spacing_mm=(1, 1, 8))
    with pytest.raises(InputError, match=r"c_007_ES: prediction and reference differ in spacing"):
        score(cohort)


def test_a_missing_prediction_names_the_case(cohort):
    (cohort / "predictions/c_007_ED.nii.gz").unlink()
    with pytest.raises(InputError, match=r"c_007_ED: no label map"):
        score(cohort)


@pytest.mark.parametrize(
    "damage",
    [lambda _: b"not an image", lambda whole: whole[: len(whole) // 2], lambda whole: whole[:-1]],
    ids=["no image", "truncated", "truncated by a byte"],
)
def test_a_damaged_prediction_names_the_case(cohort, damage):
    prediction = cohort / "predictions/c_007_ED.nii.gz"
    prediction.write_bytes(damage(prediction.read_bytes()))
    with pytest.raises(InputError, match=r"c_007_ED: cannot read"):
        score(cohort)


@pytest.mark.parametrize("folder", ["predictions", "references"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_label_map_that_is_not_whole_is_named(cohort, damage, folder):
    damage(cohort / folder / "c_007_ED.nii.gz")
    with pytest.raises(InputError, match=rf"{folder}/c_007_ED\.nii\.gz: cannot be read .*; delete the folder"):
        score(cohort)


def test_an_unknown_label_value_names_the_case(cohort):
    write_image(cohort / "predictions/c_007_ED.nii.gz", label_map([0, 0, 0, 0], [1, 2, 7, 0]))
    with pytest.raises(InputError, match=r"c_007_ED: .* label values \[7\]"):
        score(cohort)


@pytest.mark.parametrize("dtype", [np.int16, np.float32])
def test_label_maps_of_any_type_score_alike(cohort, dtype):
    score(cohort)
    expected = (cohort / "scores.csv").read_bytes()
    for path in cohort.glob("predictions/*.nii.gz"):
        write_image(path, sitk.GetArrayFromImage(sitk.ReadImage(path)).astype(dtype))
    score(cohort)
    assert (cohort / "scores.csv").read_bytes() == expected


@pytest.mark.parametrize("value", [-1, 1.5])
def test_a_value_between_or_below_the_labels_names_the_case(cohort, value):
    write_image(cohort / "predictions/c_007_ED.nii.gz", label_map([0] * 4, [1] * 4).astype(np.float32) * value)
    with pytest.raises(InputError, match=rf"c_007_ED: .* label values \[{value}"):
        score(cohort)


def test_a_cohort_is_written_to_the_byte(cohort):
    prediction = label_map([3, 0, 0, 0], [1, 1, 3, 0])
    write_image(cohort / "predictions/c_007_ES.nii.gz", prediction)
    score(cohort)
    assert (cohort / "scores.csv").read_text().splitlines() == [
        "cohort,approach,case,patient,phase,slice,region,position,label,reference_mm2,predicted_mm2,dsc",
        "c,baseline,c_007_ED,007,ED,0,non-cardiac,,LVBP,0.0,0.0,",
        "c,baseline,c_007_ED,007,ED,0,non-cardiac,,LVM,0.0,0.0,",
        "c,baseline,c_007_ED,007,ED,0,non-cardiac,,RVBP,0.0,0.0,",
        "c,baseline,c_007_ED,007,ED,1,middle,0.5,LVBP,2.0,2.0,1.0",
        "c,baseline,c_007_ED,007,ED,1,middle,0.5,LVM,2.0,2.0,1.0",
        "c,baseline,c_007_ED,007,ED,1,middle,0.5,RVBP,2.0,2.0,1.0",
        "c,baseline,c_007_ES,007,ES,0,non-cardiac,,LVBP,0.0,0.0,",
        "c,baseline,c_007_ES,007,ES,0,non-cardiac,,LVM,0.0,0.0,",
        "c,baseline,c_007_ES,007,ES,0,non-cardiac,,RVBP,0.0,2.0,",
        "c,baseline,c_007_ES,007,ES,1,middle,0.5,LVBP,2.0,4.0,0.6666666666666666",
        "c,baseline,c_007_ES,007,ES,1,middle,0.5,LVM,2.0,0.0,0.0",
        "c,baseline,c_007_ES,007,ES,1,middle,0.5,RVBP,2.0,2.0,1.0",
    ]


def test_slices_that_do_not_fit_the_label_map_name_the_case(cohort):
    slices = pd.read_csv(cohort / "slices.csv")
    slices[slices["slice"] == 0].to_csv(cohort / "slices.csv", index=False)
    with pytest.raises(InputError, match=r"slices.csv: .* c_007_ED"):
        score(cohort)


def test_a_fault_leaves_no_score_file(cohort):
    (cohort / "predictions/c_007_ED.nii.gz").unlink()
    with pytest.raises(InputError):
        score(cohort)
    assert not (cohort / "scores.csv").exists()


def test_an_empty_test_split_is_an_error(cohort):
    splits = pd.read_csv(cohort / "splits.csv", dtype=str).assign(split="train")
    splits.to_csv(cohort / "splits.csv", index=False)
    with pytest.raises(InputError, match=r"splits.csv: no case is in the test split"):
        score(cohort)
