"""The trainer as nnU-Net's own commands build it, and what it adds to nnU-Net's."""

import json
import shutil

import pandas as pd
import pytest
import torch
from nnunetv2.run.run_training import get_trainer_from_args
from nnunetv2.training.logging.nnunet_logger import LocalLogger
from tiny_segmentation import CASES, REGIONS, TRAINING, Project, network_of, same

from cmrslices.runtime.checkpoints import Checkpoint
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.interruption import Interrupted, Interruption
from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.sampling import SliceSamplingDataLoader
from cmrslices.segmentation.training import model_plans


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project")).make()


def stock_trainer(project, model, policy, **changes):
    """The trainer of `nnUNetv2_train 1 {model} 0 -tr SliceTrainer -p {model}`."""
    set_nnunet_folders(project.preprocessed)
    plans = model_plans(project.plans, project.slices, model, policy, {**TRAINING, **changes}, 1)
    (project.preprocessed / f"{model}.json").write_text(json.dumps(plans))
    return get_trainer_from_args("1", model, 0, "SliceTrainer", model, device=torch.device("cpu"))


@pytest.fixture
def drawn(monkeypatch):
    """Indices of the slices that are drawn from now on."""
    indices = set()
    get_bbox = SliceSamplingDataLoader.get_bbox

    def noted(*arguments):
        lower, upper = get_bbox(*arguments)
        indices.add(int(lower[0]))
        return lower, upper

    monkeypatch.setattr(SliceSamplingDataLoader, "get_bbox", noted)
    return indices


@pytest.mark.parametrize("part", [0, 1], ids=["training", "validation"])
@pytest.mark.parametrize("region", ["base", "middle", "apex"])
def test_under_nnunets_command_a_regional_model_draws_only_slices_of_its_region(project, drawn, region, part):
    trainer = stock_trainer(
        project, region, {"sampling": "region", "region": region}, iterations_per_epoch=8, validation_iterations=8
    )
    trainer.initialize()
    assert len(list(trainer.get_dataloaders()[part])) == 16
    assert drawn == {index for index, name in enumerate(REGIONS) if name == region}


def test_under_nnunets_command_the_quadratic_policy_draws_slices_by_its_weights(project):
    trainer = stock_trainer(project, "high", {"sampling": "quadratic", "ratio": 20})
    trainer.initialize()
    training, validation = trainer.get_tr_and_val_datasets()
    assert [*training.identifiers, *validation.identifiers] == CASES[:6]
    training.load_case(CASES[0])
    non_cardiac, base, middle, _, apex = training.weights_of_loaded_case()
    assert non_cardiac == 1
    assert base == apex
    assert base / middle == pytest.approx(20 / (1 + 19 / 9))


def test_under_nnunets_command_the_uniform_policy_needs_no_slices(project):
    trainer = stock_trainer(project, "uniform", {"sampling": "uniform"})
    trainer.configuration_manager.configuration["slices"] = "missing.csv"
    trainer.initialize()
    assert next(trainer.get_dataloaders()[0])["data"].shape == (4, 1, 32, 32)


def test_missing_slices_are_an_error_that_names_the_file_and_the_model(project):
    trainer = stock_trainer(project, "apex", {"sampling": "region", "region": "apex"})
    trainer.configuration_manager.configuration["slices"] = "missing.csv"
    trainer.initialize()
    with pytest.raises(InputError, match=r"missing\.csv: missing; the sampling policy of 'apex' needs"):
        trainer.get_dataloaders()


def test_slices_that_lack_a_case_of_the_data_set_are_an_error_that_names_it(project):
    slices = pd.read_csv(project.slices)
    slices[slices["case"] != CASES[1]].to_csv(project.preprocessed / "other.csv", index=False)
    trainer = stock_trainer(project, "apex", {"sampling": "region", "region": "apex"})
    trainer.configuration_manager.configuration["slices"] = "other.csv"
    trainer.initialize()
    with pytest.raises(InputError, match=rf"other\.csv: has no slices of {CASES[1]} \(1 such cases"):
        trainer.get_dataloaders()


def test_a_configuration_without_a_policy_is_an_error_that_names_what_it_lacks(project):
    set_nnunet_folders(project.preprocessed)
    with pytest.raises(InputError, match="the configuration '2d' has no sampling, slices, training, seed"):
        get_trainer_from_args("1", "2d", 0, "SliceTrainer", device=torch.device("cpu"))


def test_the_plans_of_a_model_name_its_slices_relative_to_the_preprocessed_data(project):
    plans = model_plans(project.plans, project.slices, "apex", {"sampling": "region", "region": "apex"}, TRAINING, 1)
    assert plans["configurations"]["apex"]["slices"] == "../../../cohorts/tiny/slices.csv"


def test_a_resumed_epoch_begins_with_the_first_batch_that_no_finished_step_used(project):
    trainer = stock_trainer(project, "resumed", {"sampling": "quadratic", "ratio": 4}, iterations_per_epoch=3)
    trainer.initialize()
    undisturbed = [batch["data"] for batch in trainer.get_dataloaders()[0]]
    trainer.current_epoch = 1
    trainer.step_outputs["training"] = [{"loss": 1.0}, {"loss": 2.0}]
    resumed = [batch["data"] for batch in trainer.get_dataloaders()[0]]
    assert len(resumed) == 1
    assert torch.equal(resumed[0], undisturbed[5])


def test_nnunets_command_goes_on_from_a_checkpoint_inside_an_epoch(project):
    policy = {"sampling": "quadratic", "ratio": 4}
    expected = project.train("whole", policy)
    stopped = stock_trainer(project, "stopped", policy)
    stopped.checkpoint = Checkpoint(project.weights("stopped").with_name("checkpoint_latest.pth"), "same")
    stopped.interruption = Interruption()

    def signal_in_the_second_step(batch, step=stopped.train_step):
        if stopped.step_outputs["training"]:
            stopped.interruption.signal = "SIGTERM"
        return step(batch)

    stopped.train_step = signal_in_the_second_step
    with pytest.raises(Interrupted, match="after epoch 0, iteration 2"):
        stopped.run_training()

    resumed = stock_trainer(project, "stopped", policy)
    resumed.load_checkpoint(str(stopped.checkpoint.file))
    steps = []
    resumed.train_step = lambda batch, step=resumed.train_step: steps.append(batch) or step(batch)
    resumed.run_training()
    assert len(steps) == 2
    assert same(expected, network_of(project.weights("stopped")))


@pytest.mark.parametrize(("compilers", "compiled"), [({"clang"}, True), (set(), False)])
def test_a_node_without_a_c_compiler_trains_uncompiled_with_a_warning(
    project, monkeypatch, capsys, compilers, compiled
):
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("nnUNet_compile", raising=False)
    trainer = stock_trainer(project, "compiled", {"sampling": "uniform"})
    trainer.device = torch.device("cuda", 0)
    monkeypatch.setattr(shutil, "which", lambda name: name if name in compilers else None)
    assert trainer._do_i_compile() is compiled
    assert ("no C compiler" in capsys.readouterr().out) is not compiled


def test_the_picture_of_the_progress_is_drawn_only_with_checkpoints_and_at_the_end(project, monkeypatch):
    drawn_after = []
    monkeypatch.setattr(
        LocalLogger,
        "plot_progress_png",
        lambda self, _: drawn_after.append(len(self.my_fantastic_logging["train_losses"])),
    )
    project.train("pictures", {"sampling": "uniform"}, epochs=5, checkpoint_every=2, iterations_per_epoch=1)
    assert drawn_after == [2, 4, 5]
