"""nnU-Net's plans of three tiny models and of a joint one, and the description of their data set."""

from cmrslices.labels import LABELS
from cmrslices.segmentation.joint_network import joint_architecture

PATCH = (32, 32)
MODELS = ["apex", "base", "baseline"]
RESAMPLING = {
    f"resampling_fn_{kind}{suffix}": value
    for kind, order in (("data", 3), ("seg", 1), ("probabilities", 1))
    for suffix, value in (
        ("", "resample_data_or_seg_to_shape"),
        ("_kwargs", {"is_seg": kind == "seg", "order": order, "order_z": 0, "force_separate_z": None}),
    )
}
ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 3,
        "features_per_stage": [4, 8, 8],
        "conv_op": "torch.nn.modules.conv.Conv2d",
        "kernel_sizes": [[3, 3]] * 3,
        "strides": [[1, 1], [2, 2], [2, 2]],
        "n_conv_per_stage": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}
CONFIGURATION = {
    "data_identifier": "store/2d",
    "preprocessor_name": "DefaultPreprocessor",
    "batch_size": 2,
    "patch_size": list(PATCH),
    "spacing": [2.0, 2.0],
    "normalization_schemes": ["ZScoreNormalization"],
    "use_mask_for_norm": [False],
    "architecture": ARCHITECTURE,
    **RESAMPLING,
}
PLANS = {
    "plans_name": "nnUNetPlans",
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {"0": {}},
    "configurations": {
        "2d": CONFIGURATION,
        **{model: {"inherits_from": "2d"} for model in MODELS},
        "joint": {"inherits_from": "2d", "architecture": joint_architecture(ARCHITECTURE)},
    },
}
DATASET = {"channel_names": {"0": "cine MR"}, "labels": {"background": 0, **LABELS}, "file_ending": ".nii.gz"}
