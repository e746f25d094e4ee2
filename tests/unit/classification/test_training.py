"""Training of a slice-region classifier."""

import errno
import json
import os

import pandas as pd
import pytest
import torch
from tiny_classification import CASES, arguments, make_inputs

from cmrslices.classification import training as module
from cmrslices.classification.training import loss_weights, train_classifier
from cmrslices.runtime.errors import InputError


@pytest.fixture
def inputs(tmp_path):
    make_inputs(tmp_path)
    return tmp_path


@pytest.fixture
def train(inputs):
    """Train in a folder of its own; return the folder."""

    def run(name, **changes):
        (inputs / name).mkdir(exist_ok=True)
        train_classifier(**arguments(inputs, name, **changes))
        return inputs / name

    return run


@pytest.fixture
def killed_in_epoch(monkeypatch):
    """Make the training stop at the start of an epoch."""
    train_epoch = module.train_epoch

    def arrange(epoch):
        def stopping(state, *arguments):
            if state.epoch == epoch:
                raise KeyboardInterrupt
            return train_epoch(state, *arguments)

        monkeypatch.setattr(module, "train_epoch", stopping)

    yield arrange
    monkeypatch.undo()


def read(folder):
    weights = torch.load(folder / "weights.pth", weights_only=True)
    return weights, pd.read_csv(folder / "history.csv").drop(columns="seconds")


def assert_identical(one, other):
    (weights, history), (other_weights, other_history) = read(one), read(other)
    pd.testing.assert_frame_equal(history, other_history, check_exact=True)
    for key, value in weights["state_dict"].items():
        assert torch.equal(value, other_weights["state_dict"][key]), key


def test_it_learns_to_tell_the_classes(train):
    _, history = read(train("run", network="resnet18", epochs=12))
    assert history.validation_accuracy.max() > 0.7


def test_the_weights_tell_what_inference_needs(train):
    weights, history = read(train("run"))
    assert (weights["network"], weights["image_size_px"], weights["field_of_view_mm"]) == ("mobilenet_v3_small", 32, 64)
    assert history.epoch.tolist() == [1, 2, 3, 4]


def test_the_same_seed_gives_the_same_weights(train):
    assert_identical(train("one"), train("other"))


def test_slices_that_do_not_fit_into_memory_are_held_in_a_file_and_give_the_same_weights(train, capsys):
    whole = train("whole")
    assert "held in a file" not in capsys.readouterr().out
    assert_identical(train("mapped", memory_mb=0.01), whole)
    assert "held in a file" in capsys.readouterr().out


def test_a_full_disk_is_told_before_slices_are_read_into_a_file(train, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        train("full", memory_mb=0.01)


def test_another_seed_gives_other_weights(train):
    one, other = (read(train(f"seed{seed}", seed=seed))[1] for seed in (1, 2))
    assert not one.train_loss.equals(other.train_loss)


def test_a_resumed_training_equals_an_uninterrupted_one(train, killed_in_epoch):
    whole = train("whole")
    killed_in_epoch(4)
    with pytest.raises(KeyboardInterrupt):
        train("resumed")
    assert not (whole.parent / "resumed/weights.pth").exists()
    killed_in_epoch(1)  # would stop a training that starts anew
    assert_identical(train("resumed"), whole)


def test_a_training_goes_on_where_gradients_are_scaled_although_they_were_not_before(
    train, killed_in_epoch, monkeypatch
):
    """As on a GPU, after the first epochs were computed on a CPU."""
    killed_in_epoch(3)
    with pytest.raises(KeyboardInterrupt):
        train("moved")
    killed_in_epoch(None)
    monkeypatch.setattr(module, "lowered_dtype", lambda *_: torch.float16)
    assert read(train("moved"))[1]["epoch"].tolist() == [1, 2, 3, 4]


def test_a_training_goes_on_where_gradients_are_not_scaled_although_they_were_before(
    train, killed_in_epoch, monkeypatch
):
    """As on a CPU, after the first epochs were computed on a GPU."""
    with monkeypatch.context() as scaled:
        scaled.setattr(module, "lowered_dtype", lambda *_: torch.float16)
        killed_in_epoch(3)
        with pytest.raises(KeyboardInterrupt):
            train("moved")
    killed_in_epoch(None)
    assert read(train("moved"))[1]["epoch"].tolist() == [1, 2, 3, 4]


def test_a_checkpoint_made_under_other_settings_is_set_aside(train, killed_in_epoch, capsys):
    killed_in_epoch(3)
    with pytest.raises(KeyboardInterrupt):
        train("run")
    killed_in_epoch(None)
    folder = train("run", learning_rate=0.002)
    assert_identical(folder, train("fresh", learning_rate=0.002))
    assert (folder / "checkpoint.pth.stale").exists()
    assert "other settings" in capsys.readouterr().out


def test_the_checkpoint_goes_when_the_training_ends(train):
    left = ["computed_on.yaml", "history.csv", "weights.pth", "weights_kept.pth"]
    assert sorted(file.name for file in train("run").iterdir()) == left


def test_the_weights_are_those_of_the_best_epoch(train, monkeypatch):
    def run(name, *scores):
        remaining = iter(scores)
        monkeypatch.setattr(module, "validate", lambda *_: next(remaining))
        return read(train(name, epochs=len(scores)))[0]["state_dict"]

    after_two = run("two", (0.3, 0.5), (0.2, 0.9))
    best_of_four = run("four", (0.3, 0.5), (0.2, 0.9), (0.1, 0.6), (0.1, 0.7))
    assert all(torch.equal(value, after_two[key]) for key, value in best_of_four.items())


def test_balanced_loss_weights_are_inverse_to_the_frequency():
    targets = torch.tensor([0] * 6 + [1] * 2 + [2] * 2 + [3] * 2)
    assert loss_weights(targets, "balanced").tolist() == [0.5, 1.5, 1.5, 1.5]
    assert loss_weights(targets, "none").tolist() == [1, 1, 1, 1]


def test_balanced_loss_weights_stay_finite_when_a_class_is_absent():
    assert loss_weights(torch.tensor([1, 2, 3]), "balanced").isfinite().all()


def test_a_last_batch_of_one_slice_does_not_stop_batch_normalisation(train):
    assert (train("run", batch_size=19, epochs=1) / "weights.pth").exists()


def test_bf16_trains_too(train):
    assert read(train("run", precision="bf16", epochs=1))[1].train_loss.between(0, 10).all()


def test_an_empty_validation_split_is_refused(inputs, train):
    (inputs / "folds.json").write_text(json.dumps([{"train": CASES, "val": []}]))
    with pytest.raises(InputError, match=r"splits\.validation: no case"):
        train("run")


def test_a_diverging_loss_is_reported_with_its_remedy(train):
    with pytest.raises(InputError, match=r"learning_rate.*lower it"):
        train("run", learning_rate=1e30)
