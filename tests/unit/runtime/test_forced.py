"""A forced training begins anew; whatever else lies beside it stays."""

import pytest

from cmrslices.runtime.forced import forget_forced

SEGMENTER = ("checkpoint_final_kept.pth", "checkpoint_latest.pth", "checkpoint_latest_previous.pth")
CLASSIFIER = ("weights_kept.pth", "checkpoint.pth", "checkpoint_previous.pth")
OTHERS = ("checkpoint_best.pth", "progress.png", "history.csv")


@pytest.mark.parametrize(
    ("rule", "weights", "removed"),
    [
        ("train_segmenter", "checkpoint_final.pth", SEGMENTER),
        ("train_classifier", "weights.pth", CLASSIFIER),
        ("cmr_train_segmenter", "checkpoint_final.pth", SEGMENTER),
    ],
)
def test_what_would_end_or_resume_a_forced_training_is_removed_and_named(tmp_path, rule, weights, removed):
    for name in (*removed, *OTHERS):
        (tmp_path / name).touch()
    told = forget_forced(rule, [str(tmp_path / weights), str(tmp_path / "history.csv")])
    assert {file.name for file in tmp_path.iterdir()} == set(OTHERS)
    assert told.startswith(f"{tmp_path / weights}: forced, so it is trained anew")
    assert all(name in told for name in removed)


def test_other_rules_have_nothing_to_forget(tmp_path):
    (tmp_path / "weights_kept.pth").touch()
    assert forget_forced("classify", [str(tmp_path / "resnet18.csv")]) is None
    assert (tmp_path / "weights_kept.pth").exists()
