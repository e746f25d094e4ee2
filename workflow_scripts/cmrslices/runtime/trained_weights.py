"""Where the weights of trainings lie."""

TRAININGS = {
    "train_segmenter": "nnunet/results/*/SliceTrainer__nnUNetPlans__{name}/fold_0/checkpoint_final.pth",
    "train_classifier": "classifiers/{name}/weights.pth",
}
"""Rule to the weights that its jobs make, below the results folder."""
