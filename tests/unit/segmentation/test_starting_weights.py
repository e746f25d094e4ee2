"""A model that starts from the weights of another one, with real nnU-Net models of a tiny size."""

import json

import pytest
import torch
from tiny_segmentation import TRAINING, Project, network_of, same

from cmrslices.runtime.checkpoints import training_digest
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.interruption import Interrupted
from cmrslices.segmentation.nnunet import set_nnunet_folders
from cmrslices.segmentation.trainers.slice_trainer import SliceTrainer
from cmrslices.segmentation.training import model_plans

UNIFORM = {"sampling": "uniform"}
APEX = {"sampling": "region", "region": "apex"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project(tmp_path_factory.mktemp("project")).make()


@pytest.fixture(scope="module")
def baseline(project):
    project.train("baseline", UNIFORM)
    return project.weights("baseline")


@pytest.fixture(scope="module")
def other_baseline(project):
    project.train("other_baseline", UNIFORM, seed=2)
    return project.weights("other_baseline")


def trainer_of(project, model, policy):
    """A trainer that has not begun."""
    set_nnunet_folders(project.preprocessed)
    plans = model_plans(project.plans, project.slices, model, policy, TRAINING, 1)
    arguments = ({**plans, "continue_training": False}, model, 0, json.loads(project.raw.read_text()))
    return SliceTrainer(*arguments, torch.device("cpu"))


def test_before_its_first_step_a_model_has_the_final_weights_of_the_other_one(project, baseline, monkeypatch):
    before_steps = []
    train_step = SliceTrainer.train_step

    def noted(trainer, batch):
        before_steps.append({name: values.clone() for name, values in trainer.network.state_dict().items()})
        return train_step(trainer, batch)

    monkeypatch.setattr(SliceTrainer, "train_step", noted)
    trained = project.train("apex", APEX, starts_from=baseline)
    assert same(before_steps[0], network_of(baseline))
    assert not same(trained, network_of(baseline))
    assert len(before_steps) == TRAINING["epochs"] * TRAINING["iterations_per_epoch"]


def test_its_first_validation_is_that_of_the_other_model_on_the_same_slices(project, baseline):
    started, other = trainer_of(project, "apex", APEX), trainer_of(project, "baseline", UNIFORM)
    started.start_from(baseline)
    other.load_checkpoint(str(baseline))
    batch = next(started.get_dataloaders()[1])
    measures = []
    for trainer in (started, other):
        trainer.network.eval()
        with torch.no_grad():
            measures.append(trainer.validation_step({**batch}))
    assert measures[0].keys() == measures[1].keys()
    assert all((measures[0][name] == measures[1][name]).all() for name in measures[0])


def test_optimiser_learning_rate_and_epochs_start_anew(project, baseline):
    trainer = trainer_of(project, "apex", APEX)
    trainer.start_from(baseline)
    assert not trainer.optimizer.state
    assert trainer.optimizer.param_groups[0]["lr"] == TRAINING["learning_rate"]
    assert trainer.current_epoch == 0
    assert trainer.logger.local_logger.my_fantastic_logging["train_losses"] == []


def test_a_compiled_network_starts_from_the_same_weights(project, baseline, monkeypatch):
    monkeypatch.setattr(SliceTrainer, "_do_i_compile", lambda _: True)
    trainer = trainer_of(project, "apex", APEX)
    trainer.start_from(baseline)
    assert same(trainer.network._orig_mod.state_dict(), network_of(baseline))


def without_a_layer(weights):
    return dict(list(weights.items())[:-1])


def with_an_additional_layer(weights):
    return {**weights, "another.weight": torch.zeros(2)}


def with_wider_layers(weights):
    return {name: torch.cat([values, values]) for name, values in weights.items()}


@pytest.mark.parametrize("change", [without_a_layer, with_an_additional_layer, with_wider_layers])
def test_weights_of_another_network_are_an_error_that_names_both_models(project, baseline, tmp_path, change):
    content = torch.load(baseline, weights_only=False)
    torch.save({**content, "network_weights": change(content["network_weights"])}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="model 'apex' cannot start from model 'baseline'"):
        trainer_of(project, "apex", APEX).start_from(tmp_path / "other.pth")


def test_a_checkpoint_that_began_with_other_weights_is_set_aside(project, baseline, other_baseline):
    project.train("changed", APEX, starts_from=baseline)
    project.weights("changed").rename(project.weights("changed").with_name("checkpoint_latest.pth"))
    weights = project.train("changed", APEX, starts_from=other_baseline)
    assert project.weights("changed").with_name("checkpoint_latest.pth.stale").exists()
    assert same(weights, project.train("fresh", APEX, starts_from=other_baseline))


def test_finished_weights_that_began_with_other_weights_are_not_taken_for_the_result(project, baseline):
    from_random_weights = project.train("again", APEX)
    assert not same(from_random_weights, project.train("again", APEX, starts_from=baseline))


def test_an_interrupted_training_goes_on_from_its_checkpoint_and_not_from_the_starting_weights(
    project, baseline, monkeypatch, restored_handlers
):
    expected = project.train("whole", APEX, starts_from=baseline)
    train_step = SliceTrainer.train_step

    def signal_in_the_third_step(trainer, batch):
        if trainer.current_epoch == 1:
            trainer.interruption.signal = "SIGTERM"
        return train_step(trainer, batch)

    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        patch.setattr(SliceTrainer, "train_step", signal_in_the_third_step)
        project.train("stopped", APEX, starts_from=baseline)
    assert same(expected, project.train("stopped", APEX, starts_from=baseline))


def test_a_model_that_starts_from_none_is_recognised_as_before(project, baseline):
    """Without `starts_from`, nothing is added to what a checkpoint was made from."""
    arguments = project.arguments("baseline", UNIFORM)
    settings = {key: arguments[key] for key in ("policy", "training", "seed", "code")}
    files = [arguments[key] for key in ("store", "plans", "folds", "dataset", "slices")]
    content = torch.load(baseline, weights_only=False)
    assert content["init_args"]["made_from"] == training_digest(settings, *files)
