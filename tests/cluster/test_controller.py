"""A slurmctld that is restarted, or that has lost its state."""

import pytest
from cluster import wait_for
from trainings import WEIGHTS, hold_after_second_epoch, same_weights, stopped


@pytest.mark.parametrize("answerless", [False, True], ids=["between two looks", "across looks"])
def test_a_restart_of_the_controller_loses_no_job(cluster, training, undisturbed, answerless):
    training.start(WEIGHTS)
    with stopped(hold_after_second_epoch(training)):
        cluster.kill_controller()
    if answerless:
        training.wait_for_words("SLURM does not answer; asking again")
        wait_for(lambda: (training.folder / WEIGHTS).exists(), "the end of the training")
    cluster.start_controller()
    training.wait()
    assert len(training.submitted) == 1
    assert same_weights(training.folder, undisturbed)


def test_a_job_that_the_controller_forgot_is_submitted_again(cluster, training, undisturbed):
    training.start(WEIGHTS)
    with stopped(hold_after_second_epoch(training)):
        cluster.kill_controller()
        cluster.lose_state()
        cluster.start_controller()
    said = training.wait()
    assert "does not know job" in said
    assert len(training.submitted) == 2
    assert same_weights(training.folder, undisturbed)
