"""nnU-Net's plans of tiny models, and the description of their data set.

Three are alike; one is a joint network, one a residual encoder, and one in 3D.
"""

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
RESIDUAL = {
    **CONFIGURATION,
    "patch_size": [48, 40],
    "architecture": {
        **ARCHITECTURE,
        "network_class_name": "dynamic_network_architectures.architectures.unet.ResidualEncoderUNet",
        "arch_kwargs": {
            **{name: value for name, value in ARCHITECTURE["arch_kwargs"].items() if name != "n_conv_per_stage"},
            "n_blocks_per_stage": [1, 2, 2],
            "n_conv_per_stage_decoder": [1, 1],
        },
    },
}
IN_3D = {
    **CONFIGURATION,
    "data_identifier": "store_3d/3d_fullres",
    "patch_size": [4, *PATCH],
    "spacing": [6.0, 2.0, 2.0],
    "architecture": {
        **ARCHITECTURE,
        "arch_kwargs": {
            **ARCHITECTURE["arch_kwargs"],
            "conv_op": "torch.nn.modules.conv.Conv3d",
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
            "kernel_sizes": [[1, 3, 3], [3, 3, 3], [3, 3, 3]],
            "strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]],
        },
    },
}


def plans_of(base, configuration, models):
    """nnU-Net's plans with one configuration, from which those of the models inherit."""
    return {
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": {}},
        "configurations": {base: configuration, **{model: {"inherits_from": base} for model in models}},
    }


PLANS = plans_of("2d", CONFIGURATION, MODELS)
PLANS_OF = {
    **dict.fromkeys(MODELS, PLANS),
    "joint": plans_of("2d", CONFIGURATION, []),
    "strong": plans_of("2d", RESIDUAL, ["strong"]),
    "context": plans_of("3d_fullres", IN_3D, ["context"]),
}
PLANS_OF["joint"]["configurations"]["joint"] = {"inherits_from": "2d", "architecture": joint_architecture(ARCHITECTURE)}
"""Plans of each model: `strong` has a residual encoder and a larger patch, `context` is in 3D."""
DATASET = {"channel_names": {"0": "cine MR"}, "labels": {"background": 0, **LABELS}, "file_ending": ".nii.gz"}
