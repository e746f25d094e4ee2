"""Regions and positions of slices, as the paper's 20/60/20 split has them."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from damage import DAMAGES
from raw_cohorts import BARE, LVM, RVBP, heart, save

from cmrslices.cohorts.regions import PAPER, RegionRule, assign_regions, labelled_areas, slice_regions
from cmrslices.runtime.errors import InputError

COUNTS = range(1, 31)


@pytest.mark.parametrize(
    ("count", "base", "middle", "apex"),
    [(1, 0, 1, 0), (2, 0, 2, 0), (3, 1, 1, 1), (5, 1, 3, 1), (8, 2, 4, 2), (10, 2, 6, 2), (12, 2, 8, 2), (13, 3, 7, 3)],
)
def test_sizes_of_the_regions(count, base, middle, apex):
    regions, _ = slice_regions(np.ones(count, dtype=bool))
    assert regions.tolist() == ["base"] * base + ["middle"] * middle + ["apex"] * apex


@pytest.mark.parametrize("count", COUNTS)
def test_equal_shares_give_mirrored_regions(count):
    regions, _ = slice_regions(np.ones(count, dtype=bool))
    mirrored = [{"base": "apex", "apex": "base"}.get(region, region) for region in regions[::-1]]
    assert regions.tolist() == mirrored


@pytest.mark.parametrize("count", COUNTS)
def test_regions_follow_the_definition_slice_by_slice(count):
    regions, _ = slice_regions(np.ones(count, dtype=bool), RegionRule(base=0.3, apex=0.1))
    for k, region in enumerate(regions):
        height = (k + 0.5) / count
        assert region == ("base" if height < 0.3 else "apex" if height > 0.9 else "middle")


@pytest.mark.parametrize("count", COUNTS)
def test_by_the_rule_of_ends_the_outer_slices_are_the_ends_of_the_heart(count):
    regions, _ = slice_regions(np.ones(count, dtype=bool), RegionRule(rule="ends"))
    heights = np.linspace(0, 1, count)
    assert regions.tolist() == ["base" if z < 0.2 else "apex" if z > 0.8 else "middle" for z in heights]


def test_the_two_rules_name_other_regions_for_few_numbers_of_slices():
    differ = [
        count
        for count in range(1, 20)
        if slice_regions(np.ones(count, dtype=bool))[0].tolist()
        != slice_regions(np.ones(count, dtype=bool), RegionRule(rule="ends"))[0].tolist()
    ]
    assert differ == [1, 2, 7, 12, 17]


@pytest.mark.parametrize("count", COUNTS)
def test_slices_beyond_the_heart_change_nothing_inside(count):
    inside = slice_regions(np.ones(count, dtype=bool))
    padded = slice_regions(np.pad(np.ones(count, dtype=bool), (2, 3)))
    for alone, within in zip(inside, padded, strict=True):
        np.testing.assert_array_equal(within[2:-3], alone)
    assert set(padded[0][:2]) | set(padded[0][-3:]) == {"non-cardiac"}


@pytest.mark.parametrize("count", COUNTS[1:])
def test_positions_run_evenly_from_0_to_1(count):
    _, positions = slice_regions(np.ones(count, dtype=bool))
    np.testing.assert_allclose(positions, np.linspace(0, 1, count))


def test_the_only_slice_lies_in_the_middle():
    regions, positions = slice_regions(np.array([False, True]))
    assert regions.tolist() == ["non-cardiac", "middle"]
    np.testing.assert_array_equal(positions, [np.nan, 0.5])


def test_a_case_without_labels_is_non_cardiac():
    regions, positions = slice_regions(np.zeros(4, dtype=bool))
    assert regions.tolist() == ["non-cardiac"] * 4
    assert np.isnan(positions).all()


def test_areas_are_in_square_millimetres(tmp_path):
    label = np.zeros((4, 4, 2), dtype=np.uint8)
    label[0, :3, 0], label[1, 0, 0] = LVM, RVBP
    areas_mm2 = labelled_areas(save(label, tmp_path / "label.nii.gz", BARE))
    assert areas_mm2.tolist() == [[0, 3 * 1.875, 1.875], [0, 0, 0]]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_label_file_that_is_not_whole_is_named(tmp_path, damage):
    damage(save(heart(), tmp_path / "label.nii.gz"))
    with pytest.raises(InputError, match=r"label\.nii\.gz: cannot be read .*; delete the folder"):
        labelled_areas(tmp_path / "label.nii.gz")


@pytest.mark.parametrize("threads", [1, 2])
def test_the_table_has_one_row_per_slice_of_every_converted_case(tmp_path, threads):
    cases = pd.DataFrame(
        [("c_2_ED", "2", "ED", False), ("c_1_ED", "1", "ED", False), ("c_3_ED", "3", "ED", True)],
        columns=["case", "patient", "phase", "excluded"],
    )
    cases.to_csv(tmp_path / "cases.csv", index=False)
    for case in ("c_1_ED", "c_2_ED"):
        save(heart(), tmp_path / f"labels/{case}.nii.gz")
    assign_regions(tmp_path / "cases.csv", tmp_path / "labels", tmp_path / "slices.csv", PAPER, threads)
    table = pd.read_csv(tmp_path / "slices.csv", dtype={"patient": str})
    assert table.columns.tolist() == [
        "case", "patient", "phase", "slice", "region", "position", "LVBP_mm2", "LVM_mm2", "RVBP_mm2",
    ]  # fmt: skip
    assert table["case"].tolist() == ["c_1_ED"] * 8 + ["c_2_ED"] * 8
    assert table["slice"].tolist() == [*range(8)] * 2
    assert table["region"][:8].tolist() == ["non-cardiac", "base", *["middle"] * 4, "apex", "non-cardiac"]
    assert nib.load(tmp_path / "labels/c_1_ED.nii.gz").shape[2] == 8
