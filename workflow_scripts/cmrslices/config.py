"""The configuration: every key with its type, its unit and its meaning.

`config.yaml` holds the paper's values. The table of keys in docs/configuration.md and the schema for editors are made
from the models here, by `cmrslices.commands.config_files`.
"""

import difflib
import math
import string
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic_core import ErrorDetails

from cmrslices import config_text
from cmrslices.config_text import as_null, as_number, as_truth_value, as_whole_number, name_fault, reading
from cmrslices.equal_training import SAME_TRAINING, trained_alike
from cmrslices.labels import LABELS, SLICE_CLASSES
from cmrslices.runtime.errors import CollectedErrors

NETWORKS = {
    "alexnet": 63,
    **dict.fromkeys(["convnext_tiny", "convnext_small", "convnext_base", "convnext_large"], 32),
    **dict.fromkeys(["densenet121", "densenet161", "densenet169", "densenet201"], 32),
    **dict.fromkeys([f"efficientnet_b{size}" for size in range(8)], 32),
    **dict.fromkeys(["efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"], 32),
    "googlenet": 32,
    "inception_v3": 75,
    **dict.fromkeys(["mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"], 32),
    **dict.fromkeys(["mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"], 32),
    **dict.fromkeys([f"regnet_x_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")], 32),
    **dict.fromkeys(
        [f"regnet_y_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf", "128gf")], 32
    ),
    **dict.fromkeys(["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"], 32),
    **dict.fromkeys(["resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"], 32),
    **dict.fromkeys(["shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"], 32),
    **dict.fromkeys(["squeezenet1_0", "squeezenet1_1"], 32),
    **dict.fromkeys(["swin_t", "swin_s", "swin_b", "swin_v2_t", "swin_v2_s", "swin_v2_b"], 32),
    **dict.fromkeys([f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn")], 32),
    **dict.fromkeys(["wide_resnet50_2", "wide_resnet101_2"], 32),
}
"""torchvision's classification networks that take slices of any size, each with the smallest `image_size_px`.

Measured with torchvision, from 32 px, which is the smallest `image_size_px` of all; a unit test compares the two.
"""

FIXED_SIZE = ("maxvit_t", "vit_b_16", "vit_b_32", "vit_h_14", "vit_l_16", "vit_l_32")
"""torchvision's classification networks that are built for images of one size."""

LARGEST_SEED = 2**63 - 1
"""torch's generators take 64 bits with a sign."""


def _real(value: object) -> object:
    """Read a number; unlike pydantic's union of float and int, name its fault once."""
    number = as_number(as_whole_number(value))
    if isinstance(number, bool) or not isinstance(number, int | float):
        raise ValueError(f"Input should be a valid number, not {value!r}")
    if not math.isfinite(number):
        raise ValueError(f"Input should be a finite number, not {value!r}")
    return number


def _path(value: object) -> object:
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError("is empty; write a path, such as results/mine or /data/mine")
    if isinstance(value, bool | int | float):
        raise ValueError(f"YAML reads it as {reading(value)}; write a path with a slash, such as ./{value}")
    if isinstance(value, str) and value.startswith("~"):
        whole = Path.home() / value[2:] if value[1:2] in {"", "/"} else "/home/..."
        raise ValueError(f"'{value}': Snakemake does not replace ~ by a home folder; write the whole path: {whole}")
    if isinstance(value, str) and any(sign in value for sign in "{}\n"):
        raise ValueError(f"{value!r}: Snakemake reads braces as wildcards; write a path without braces and line breaks")
    return value


def _file_names(pattern: str) -> str:
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(pattern) if field is not None}
    except ValueError as fault:
        raise ValueError(f"'{pattern}': {fault}; write a pattern such as {{patient}}_{{phase}}.nii.gz") from None
    if not fields <= {"case", "patient", "phase"}:
        raise ValueError(f"'{pattern}': in braces may stand case, patient and phase only")
    if not ("case" in fields or {"patient", "phase"} <= fields):
        raise ValueError(
            f"'{pattern}': two cases would share a file; write {{case}}, or both {{patient}} and {{phase}}"
        )
    if not pattern.endswith((".nii", ".nii.gz")):
        raise ValueError(f"'{pattern}': write the names of NIfTI files, which end in .nii.gz or .nii")
    if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
        raise ValueError(f"'{pattern}' leads out of the folder; write names relative to it, without '..'")
    return pattern


def _name(name: str) -> str:
    if config_text.other_meaning(name):
        raise ValueError(name_fault(name))
    return name


def _network(name: str) -> str:
    if name in NETWORKS:
        return name
    similar = ", ".join(difflib.get_close_matches(name, NETWORKS, n=5, cutoff=0.5) or ["resnet18", "densenet121"])
    if name in FIXED_SIZE:
        raise ValueError(
            f"'{name}' takes images of one size (224 px) only; name a network without that limit, such as {similar}"
        )
    raise ValueError(f"'{name}' is no classification network of torchvision; name one that is, such as {similar}")


Item = TypeVar("Item")
Pair = Annotated[list[Item], Field(min_length=2, max_length=2)]
Name = Annotated[str, Field(pattern=config_text.NAME_PATTERN), AfterValidator(_name)]
Reference = Annotated[str, Field(pattern=config_text.NAME_PATTERN)]
Network = Annotated[str, AfterValidator(_network), WithJsonSchema({"type": "string", "enum": list(NETWORKS)})]
FilePath = Annotated[str, BeforeValidator(_path)]
MadeWhole = BeforeValidator(as_whole_number)
MadeNumber = BeforeValidator(as_number)
Count = Annotated[int, Field(gt=0), MadeWhole]
BatchSize = Annotated[int, Field(ge=2), MadeWhole]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False), MadeNumber]
Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False), MadeNumber]
Limit = Annotated[float, Field(ge=0, allow_inf_nan=False), MadeNumber]
Share = Annotated[float | int, Field(ge=0), BeforeValidator(_real)]
Truth = Annotated[bool, BeforeValidator(as_truth_value)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED), MadeWhole]
Region = Literal["base", "middle", "apex"]
SliceClass = Literal["non-cardiac", "base", "middle", "apex"]


class Section(BaseModel):
    """A part of the configuration; unknown keys and mistyped values are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LabelMap(Section):
    """Label values of a cohort in the `nifti` format."""

    LVBP: Count = Field(default=LABELS["LVBP"], description="value of the left-ventricular blood pool")
    LVM: Count = Field(default=LABELS["LVM"], description="value of the left-ventricular myocardium")
    RVBP: Count = Field(default=LABELS["RVBP"], description="value of the right-ventricular blood pool")

    @model_validator(mode="after")
    def _distinct(self) -> "LabelMap":
        if len({self.LVBP, self.LVM, self.RVBP}) < 3:
            raise ValueError("two labels share a value; give each its own")
        return self


class Cohort(Section):
    """A row of `cohorts`."""

    title: str = Field(description="name in tables and figures")
    format: Literal["nifti", "acdc", "mnms", "cvi42", "dicom"] = Field(
        description="layout of the raw folder; `dicom` only with `labels: none`"
    )
    folder: FilePath = Field(description="raw folder, absolute or relative to the working directory")
    exclude: dict[str, str] = Field({}, description="patients to leave out, each with the reason")
    labels: Literal["given", "none"] = Field(
        "given",
        description="`none`: new patients without reference labels; approaches segment them, and nothing is scored",
    )
    frames: Literal["listed", "all"] = Field(
        "listed",
        description="`labels: none` only: which frames are segmented: ED and ES, as the layout lists them, or `all` of "
        "the cine, in which ED and ES are found",
    )
    approaches: Annotated[list[Reference] | None, BeforeValidator(as_null)] = Field(
        None,
        min_length=1,
        description="`labels: none` only: the approaches that segment the cohort; null: all that can",
    )
    csv: FilePath = Field("cohort.csv", description="`nifti` only: the CSV in the folder that lists images and labels")
    label_map: LabelMap = Field(LabelMap(), description="`nifti` only: the values of the labels in its files")
    name_key: Annotated[FilePath | None, BeforeValidator(as_null)] = Field(
        None,
        description="`cvi42` and `dicom` only: file with a secret; patients are named by a keyed hash of their "
        "folder's name",
    )

    @property
    def is_labelled(self) -> bool:
        """Whether the cohort has reference labels."""
        return self.labels == "given"

    @model_serializer(mode="wrap")
    def _without_unset_keys(self, as_dict: SerializerFunctionWrapHandler) -> dict:
        # The parameters of the rules are the same as without the keys, so that results that were made before them last.
        unset = {"labels": "given", "frames": "listed", "approaches": None}
        return {key: value for key, value in as_dict(self).items() if (key, value) not in unset.items()}

    @model_validator(mode="after")
    def _keys_fit(self) -> "Cohort":
        if self.is_labelled:
            for key in ("frames", "approaches"):
                if key in self.model_dump():
                    raise ValueError(f"{key} is for cohorts without labels; write labels: none, or remove {key}")
            if self.format == "dicom":
                raise ValueError(
                    "format: dicom has no labels; write labels: none and frames: all, or format: cvi42 for studies "
                    "with a workspace of contours"
                )
        elif self.format == "cvi42":
            raise ValueError(
                "format: cvi42 takes ED, ES and labels from workspaces; for labels: none write format: dicom, which "
                "reads no workspace"
            )
        elif self.format == "dicom" and self.frames == "listed":
            raise ValueError("format: dicom lists no ED and ES; write frames: all, so that they are found")
        return self


class Splits(Section):
    """How the patients of the training cohort are split: counts, or fractions that sum to 1."""

    train: Share = Field(description="patients to train on, as a count or a fraction")
    validation: Share = Field(description="patients of nnU-Net's and the classifiers' validation")
    test: Share = Field(description="patients for the tables of the training cohort")
    fold: Annotated[int, Field(ge=1), MadeWhole] | None = Field(
        None,
        description="which part of a cross-validation is the test split: the parts are as large as `test` says and do "
        "not depend on `seed`. Unset: `seed` draws the splits",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "Splits":
        parts = [self.train, self.validation, self.test]
        for name in ("train", "validation"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} is 0, but a training needs patients of this split; give it some")
        counts = all(isinstance(part, int) and part > 1 for part in parts)
        if not counts and abs(sum(parts) - 1) > 1e-6:
            raise ValueError(
                f"train, validation and test sum to {sum(parts):g}; "
                "give three patient counts, or fractions that sum to 1"
            )
        return self

    @model_validator(mode="after")
    def _whole_folds(self) -> "Splits":
        if self.fold is None:
            return self
        folds = (self.train + self.validation + self.test) / self.test if self.test else 0
        if folds == 0 or abs(folds - round(folds)) > 1e-6:
            raise ValueError(
                f"fold is set, but test, {self.test:g}, is no whole part of all patients; give one, as 0.2 for 5"
            )
        if self.fold > round(folds):
            raise ValueError(f"fold is {self.fold}, but test makes {round(folds)} folds; give a number up to that")
        return self

    @model_serializer(mode="wrap")
    def _without_an_unset_fold(self, as_dict: SerializerFunctionWrapHandler) -> dict:
        # The parameters of the rules are the same as without the key, so that results that were made before it last.
        return {key: value for key, value in as_dict(self).items() if value is not None}


class Regions(Section):
    """Which shares of a case's labelled slices are base and apex; the rest is middle."""

    base: Fraction = Field(description="share at the basal end")
    apex: Fraction = Field(description="share at the apical end")
    rule: Literal["centres", "ends"] = Field(
        "centres",
        description="where labelled slice k of N lies: `centres`: at (k + 1/2)/N; `ends`: at k/(N-1), for a "
        "sensitivity analysis",
    )

    @model_validator(mode="after")
    def _room_for_middle(self) -> "Regions":
        if self.base + self.apex >= 1:
            raise ValueError("base and apex leave nothing for the middle; their sum must be below 1")
        return self

    @model_serializer(mode="wrap")
    def _without_the_default_rule(self, as_dict: SerializerFunctionWrapHandler) -> dict:
        # The parameters of the rules are the same as without the key, so that results that were made before it last.
        return {key: value for key, value in as_dict(self).items() if (key, value) != ("rule", "centres")}


class ModelRow(Section):
    """What every row of `models` may set, beside the sampling: how it differs from the others."""

    configuration: Annotated[Literal["2d", "3d_fullres"] | None, BeforeValidator(as_null)] = Field(
        None,
        description="nnU-Net's configuration: `2d`, or `3d_fullres`, whose patches hold many slices and which needs "
        "`sampling: uniform`; null: `2d`",
    )
    planner: Annotated[Literal["default", "resenc_m", "resenc_l"] | None, BeforeValidator(as_null)] = Field(
        None,
        description="nnU-Net's planner of the network: `default`, or a residual encoder for GPUs of 9 to 11 GB "
        "(`resenc_m`) or 24 GB (`resenc_l`); null: `default`",
    )
    batch_size: Annotated[BatchSize | None, BeforeValidator(as_null)] = Field(
        None,
        description="slices, in 3D patches, per mini-batch of this model; null: `segmentation.batch_size`, in 3D what "
        "nnU-Net plans",
    )
    epochs: Annotated[Count | None, BeforeValidator(as_null)] = Field(
        None, description="epochs of this model; null: `segmentation.epochs`"
    )
    learning_rate: Annotated[Positive | None, BeforeValidator(as_null)] = Field(
        None, description="initial learning rate of this model; null: `segmentation.learning_rate`"
    )
    seed: Annotated[Seed | None, BeforeValidator(as_null)] = Field(
        None, description="seed of this model's training; null: the run's `seed`"
    )
    starts_from: Annotated[Reference | None, BeforeValidator(as_null)] = Field(
        None,
        description="the model whose final weights this model starts from; the optimiser and the decay of the learning "
        "rate start anew; null: random weights",
    )
    network: Annotated[Literal["unet", "joint"] | None, BeforeValidator(as_null)] = Field(
        None,
        description="`unet` or null: nnU-Net's network; `joint`: one encoder, a head that names the region and a "
        "decoder for each region; with `sampling: uniform` only",
    )

    @property
    def plan(self) -> tuple[str, str]:
        """Planner and configuration."""
        return self.planner or "default", self.configuration or "2d"

    def policy(self) -> dict:
        """Return how slices are drawn: the keys that say nothing else about the training."""
        return self.model_dump(exclude=set(ModelRow.model_fields))

    @model_serializer(mode="wrap")
    def _without_unset_keys(self, as_dict: SerializerFunctionWrapHandler) -> dict:
        return {key: value for key, value in as_dict(self).items() if value is not None}

    @model_validator(mode="after")
    def _stacks_are_drawn_uniformly(self) -> "ModelRow":
        if self.configuration == "3d_fullres" and not isinstance(self, Uniform):
            raise ValueError(
                "configuration: 3d_fullres needs sampling: uniform; other sampling draws single slices, and a 3D patch "
                "holds many"
            )
        return self


class Uniform(ModelRow):
    """A row of `models`: nnU-Net's own sampling."""

    sampling: Literal["uniform"] = Field(description="`uniform`: nnU-Net's own loader, untouched")


class Quadratic(ModelRow):
    """A row of `models`: base and apex are drawn more often than the middle (approach 1)."""

    sampling: Literal["quadratic"] = Field(
        description="`quadratic`: base and apex are drawn more often than the middle"
    )
    ratio: Annotated[float, Field(ge=1, le=1_000_000, allow_inf_nan=False), MadeNumber] = Field(
        description="maximum / minimum sampling probability in a case"
    )


class OneRegion(ModelRow):
    """A row of `models`: the segmenter sees the slices of one region only (approach 2)."""

    sampling: Literal["region"] = Field(description="`region`: slices of one region only")
    region: Region = Field(description="the region")


Model = Annotated[Uniform | Quadratic | OneRegion, Field(discriminator="sampling")]


class Plan(Section):
    """Changes to nnU-Net's plans, for smaller networks than those that it plans."""

    spacing_mm: Annotated[Pair[Positive] | None, BeforeValidator(as_null)] = Field(
        None, description="in-plane spacing [y, x] in mm, also of 3D models"
    )
    patch_size_px: Annotated[Pair[Count] | None, BeforeValidator(as_null)] = Field(
        None, description="patch [y, x] in pixels, also of 3D models, whose patch has as many slices as nnU-Net plans"
    )
    features: Annotated[Annotated[list[Count], Field(min_length=3)] | None, BeforeValidator(as_null)] = Field(
        None, description="features of each resolution stage, 3 or more, of all models"
    )

    @model_validator(mode="after")
    def _divisible(self) -> "Plan":
        if self.patch_size_px and self.features:
            step = 2 ** (len(self.features) - 1)
            if any(side % step for side in self.patch_size_px):
                raise ValueError(f"patch_size_px must be divisible by {step} for {len(self.features)} stages")
            if all(side == step for side in self.patch_size_px):
                raise ValueError(
                    f"patch_size_px leaves one pixel to the last of {len(self.features)} stages, which cannot be "
                    f"normalized; write at least {2 * step}, or fewer features"
                )
        return self


class Joint(Section):
    """Training of the region head of the models with `network: joint`."""

    loss_weight: Positive = Field(default=0.5, description="weight of the head's cross-entropy beside nnU-Net's loss")
    label_smoothing: Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False), MadeNumber] = Field(
        default=0.05, description="label smoothing of that cross-entropy"
    )
    learning_rate: Positive = Field(default=0.0003, description="learning rate of AdamW, which trains the region head")


class Segmentation(Section):
    """Training of the segmenters by nnU-Net, their plan, and prediction."""

    epochs: Count = Field(description="epochs")
    iterations_per_epoch: Count = Field(description="mini-batches per epoch")
    validation_iterations: Count = Field(description="mini-batches of the running validation, per epoch")
    batch_size: BatchSize = Field(description="slices per mini-batch; a 3D model has its own")
    learning_rate: Positive = Field(description="initial learning rate of SGD, with polynomial decay")
    checkpoint_every: Count = Field(description="epochs between checkpoints; a SIGKILL loses at most these")
    mirroring: Truth = Field(description="test-time mirroring, as nnU-Net does")
    joint: Joint = Field(Joint(), description="models with `network: joint` only: training of their region head")
    plan: Plan = Field(description="changes to nnU-Net's plan; null keeps what nnU-Net plans")

    def training(self) -> dict:
        """Return the keys that every segmenter's training depends on."""
        return self.model_dump(exclude={"plan", "joint", "mirroring", "checkpoint_every"})


class Classification(Section):
    """Training of the slice-region classifiers."""

    networks: dict[Network, str] = Field(
        min_length=1, description="torchvision network that takes slices of any size: title in Table 2"
    )
    epochs: Count = Field(description="epochs")
    batch_size: BatchSize = Field(description="slices per mini-batch")
    learning_rate: Positive = Field(description="learning rate of Adam")
    loss_weights: Literal["none", "balanced"] = Field(
        description="class weights of the cross-entropy; `balanced`: inverse to the frequency of the classes"
    )
    initial_weights: FilePath = Field(
        description="`imagenet`: torchvision's, downloaded once; `none`: random; or a folder that holds `<network>.pth`"
    )
    field_of_view_mm: Positive = Field(description="side of the square around the image centre, in mm")
    image_size_px: Annotated[int, Field(ge=32), MadeWhole] = Field(
        description="side of that square after resampling, in pixels"
    )
    checkpoint_every: Count = Field(description="epochs between checkpoints")
    select_on: Literal["test", "validation"] = Field(
        description="split of the training cohort that selects the router's classifier: `test` is the paper's choice"
    )

    def training(self) -> dict:
        """Return the keys that a classifier's training depends on."""
        return self.model_dump(exclude={"networks", "select_on", "initial_weights", "checkpoint_every"})

    @field_validator("image_size_px")
    @classmethod
    def _large_enough(cls, size: int, others: ValidationInfo) -> int:
        small = [f"{name} ({NETWORKS[name]})" for name in others.data.get("networks", ()) if size < NETWORKS[name]]
        if small:
            raise ValueError(
                f"{size} is too small for {', '.join(small)}; write at least the number in brackets, or remove the "
                "network by setting it to null"
            )
        return size


class Constant(Section):
    """A row of `approaches` that sends every slice to one model."""

    title: str = Field(description="name in tables and figures")
    router: Literal["constant"] = Field(description="`constant`: every slice to one model")
    model: Reference = Field(description="the model")

    def models_used(self) -> list[str]:
        """Return the models that slices are routed to."""
        return [self.model]

    def routing(self) -> dict:
        """Return the keys that the prediction depends on."""
        return {"router": self.router, "model": self.model}


class Routed(Section):
    """What the rows of `approaches` have in common that send every slice to the model of its region."""

    title: str = Field(description="name in tables and figures")
    router: str
    models: Annotated[dict[SliceClass, Reference] | None, BeforeValidator(as_null)] = Field(
        None, description="the model of each region and of non-cardiac slices"
    )
    decoders_of: Annotated[Reference | None, BeforeValidator(as_null)] = Field(
        None,
        description="instead of `models`: a model with `network: joint`, whose decoder of each region segments the "
        "slices of that region; the router decides, and not the model's own head",
    )

    def models_used(self) -> list[str]:
        """Return the models that slices are routed to."""
        return [self.decoders_of] if self.decoders_of else sorted(set((self.models or {}).values()))

    def segmented_by(self) -> dict:
        """Return the key that says by what the slices of each region are segmented."""
        return {"decoders_of": self.decoders_of} if self.decoders_of else {"models": self.models}

    def routing(self) -> dict:
        """Return the keys that the prediction depends on."""
        return {"router": self.router, **self.segmented_by()}

    @model_serializer(mode="wrap")
    def _without_unset_keys(self, as_dict: SerializerFunctionWrapHandler) -> dict:
        return {key: value for key, value in as_dict(self).items() if value is not None}

    @model_validator(mode="after")
    def _complete(self) -> "Routed":
        if self.models is not None and self.decoders_of is not None:
            raise ValueError("the row has models and also decoders_of; remove one of them, or set it to null")
        missing = [name for name in SLICE_CLASSES if name not in (self.models or {})]
        if missing and self.decoders_of is None:
            raise ValueError(f"models has no entry for {', '.join(missing)}")
        return self


NETWORKS_READ = (
    "`classifier`, and `extent` with `probabilities`: probabilities of the `selected` network (the paper), or the mean "
    "of `all`"
)


class Weighed(Routed):
    """What the rows of `approaches` have in common whose routers weigh the regions of a slice."""

    mixing: Literal["hard", "soft"] = Field(
        "hard",
        description="`hard`: each slice to the model of its region (the paper); `soft`: to the models of "
        "all likely regions, whose probabilities are averaged with the weights of the regions",
    )
    floor: Annotated[float, Field(ge=0, le=0.25, allow_inf_nan=False), MadeNumber] = Field(
        0.05, description="`mixing: soft` only: models with a lower weight in a slice are not run, to save time"
    )

    def routing(self) -> dict:
        """Return the keys that the prediction depends on."""
        soft = {"mixing": self.mixing, "floor": self.floor} if self.mixing == "soft" else {}
        return {**super().routing(), **soft}


class Classified(Weighed):
    """A row of `approaches` that takes the regions from the classifiers, or from the head of a joint network."""

    router: Literal["classifier"] = Field(description="`classifier`: the region by the trained classifiers")
    reading: Literal["slice", "stack"] = Field(
        "slice",
        description="`classifier` only: `slice`: each slice by itself (the paper); `stack`: the whole stack at once, "
        "by the first and last labelled slice with which the probabilities agree best",
    )
    networks: Literal["selected", "all"] = Field("selected", description=NETWORKS_READ)
    head_of: Annotated[Reference | None, BeforeValidator(as_null)] = Field(
        None,
        description="`classifier` only: a model with `network: joint`, whose head names the regions instead of the "
        "trained classifiers; it is trained also if no slice is routed to it; null: the classifiers (the paper)",
    )

    def reading_folder(self) -> str:
        """Return the folder below `regions` that holds what the router reads."""
        return f"{self.reading}_head/{self.head_of}" if self.head_of else f"{self.reading}_{self.networks}"

    @model_validator(mode="after")
    def _head_or_networks(self) -> "Classified":
        if self.head_of and self.networks == "all":
            raise ValueError(
                "networks is all, but with head_of no classifier is read; remove networks, or set head_of to null"
            )
        return self


class Extent(Weighed):
    """A row of `approaches` that takes the regions from the slices in which a model finds a label."""

    router: Literal["extent"] = Field(
        description="`extent`: the region by the slices in which the model `extent_of` finds a label"
    )
    extent_of: Reference = Field(description="`extent` only: the model; it is trained also if no slice is routed to it")
    probabilities: Truth = Field(
        False,
        description="`extent` only: whether the classifiers' calibrated probabilities count, too; the whole stack is "
        "read from both together",
    )
    networks: Literal["selected", "all"] = Field("selected", description=NETWORKS_READ)

    def reading_folder(self) -> str:
        """Return the folder below `regions` that holds what the router reads."""
        weighed = f"extent_{self.networks}" if self.probabilities else "extent"
        return f"{weighed}/{self.extent_of}"

    @model_validator(mode="after")
    def _networks_are_read(self) -> "Extent":
        if self.networks == "all" and not self.probabilities:
            raise ValueError(
                "networks is all, but without probabilities no network is read; write probabilities: true, or remove "
                "networks"
            )
        return self


class Referenced(Routed):
    """A row of `approaches` that takes the regions from the reference labels."""

    router: Literal["reference"] = Field(description="`reference`: the region by the reference labels")


class Ready(Section):
    """What the rows of `approaches` have in common for which nothing is trained."""

    title: str = Field(description="name in tables and figures")

    def models_used(self) -> list[str]:
        """Return the models that slices are routed to: none of this configuration."""
        return []

    @model_validator(mode="before")
    @classmethod
    def _not_routed(cls, row: dict) -> dict:
        own = next(name for name in READY if name in cls.model_fields)
        routed = [key for key in row if key not in cls.model_fields]
        if own in row and ("router" in row or READY.keys() & routed):
            raise ValueError(
                f"the row has {own} and also {', '.join(routed)}; a row keeps what config.yaml says under its name, so "
                f"give the {READY[own]} a name of their own"
            )
        return row


READY = {"predictions": "predictions", "bundle": "models of the bundle"}
"""The keys that a row has instead of `router`, and what they bring."""


class Given(Ready):
    """A row of `approaches` whose label maps exist already: those of any segmenter."""

    router: ClassVar[str] = "given"
    predictions: FilePath = Field(
        description="instead of `router`: folder of label maps that any segmenter has made, one per test case, in "
        "subfolders with the names of the cohorts, or all in one"
    )
    names: Annotated[str, AfterValidator(_file_names)] = Field(
        "{case}.nii.gz",
        description="`predictions` only: names of its files, such as `{patient}_{phase}.nii.gz`; `case`, `patient` and "
        "`phase` as in `cases.csv`",
    )
    label_map: LabelMap = Field(LabelMap(), description="`predictions` only: the values of the labels in its files")


class Bundled(Ready):
    """A row of `approaches` whose models were trained by another run of this workflow."""

    router: ClassVar[str] = "bundle"
    bundle: FilePath = Field(
        description="instead of `router`: folder that `bundle.py` made of an approach of another run"
    )


def _kind(row: object) -> str | None:
    """Return what tells the kinds of rows of `approaches` apart: the router, or the key that stands instead of it."""
    if not isinstance(row, dict):
        return getattr(row, "router", None)
    instead = [kind.router for kind, key in ((Given, "predictions"), (Bundled, "bundle")) if key in row]
    return instead[0] if instead else row.get("router")


Approach = Annotated[
    Annotated[Constant, Tag("constant")]
    | Annotated[Classified, Tag("classifier")]
    | Annotated[Extent, Tag("extent")]
    | Annotated[Referenced, Tag("reference")]
    | Annotated[Given, Tag(Given.router)]
    | Annotated[Bundled, Tag(Bundled.router)],
    Discriminator(
        _kind,
        custom_error_type="approach",
        custom_error_message="router must be 'constant', 'classifier', 'extent' or 'reference'; or name a folder of "
        "predictions, or a bundle",
    ),
]


class Evaluation(Section):
    """The tables and Figure 2."""

    baseline: Annotated[Reference | None, BeforeValidator(as_null)] = Field(
        description="the approach that Table 1 describes and that Table 3 compares the others with; null: the first "
        "one for which nothing is trained"
    )
    significance: Annotated[float, Field(gt=0, lt=1, allow_inf_nan=False), MadeNumber] = Field(
        description="p values below it are starred"
    )
    scoring: Literal["carried", "union", "all"] = Field(
        description="which slices have a DSC: those whose reference carries the label (`carried`), also those in which "
        "the approach invents it (`union`, nnU-Net's rule), or all labelled slices (`all`)"
    )
    margin: Annotated[float, Field(gt=0, allow_inf_nan=False), MadeNumber] = Field(
        description="two approaches are near each other if they differ by less, in points of DSC %; "
        "choose it beforehand"
    )
    primary: list[Reference] = Field(
        [],
        description="approaches of the primary comparisons, each with its matched control: a family of tests of its "
        "own in the answers; choose them beforehand",
    )
    profile_points: Annotated[int, Field(ge=2, le=10_000), MadeWhole] = Field(
        description="points of the profile from base to apex"
    )

    @model_serializer(mode="wrap")
    def _without_no_primary_comparisons(self, as_dict: SerializerFunctionWrapHandler) -> dict:
        # What is recorded of a configuration is the same as without the key, where nothing is named.
        return {key: value for key, value in as_dict(self).items() if (key, value) != ("primary", [])}


class Quality(Section):
    """Quality flags of label maps: whose are checked, and above which score a flag is raised.

    The defaults are those of config.yaml. They stand here, too, because records of runs may lack the section.
    """

    approaches: list[Reference] = Field(
        [],
        description="approaches whose label maps are checked; for others, name a target, such as "
        "`results/patients/<approach>/<cohort>/qc.html`",
    )
    cut_off_base: Limit = Field(1.0, description="part of the left ventricle at ED above the first slice, in slices")
    cut_off_apex: Limit = Field(
        0.4, description="area of the left ventricle in the last slice, as a share of its largest one"
    )
    components_mm2: Limit = Field(50.0, description="area of a label outside its largest piece in the slice, in mm²")
    open_cavity: Limit = Field(0.75, description="share of the outline of LVBP that is not at LVM")
    stroke_volumes: Limit = Field(
        0.7, description="difference of the stroke volumes of LV and RV, as a share of the larger one"
    )
    mass: Limit = Field(0.3, description="difference of the volumes of LVM at ED and ES, as a share of the larger one")
    disagreement: Limit = Field(
        0.3, description="1 - DSC, as the mean over the other approaches and the labels in the slice"
    )
    uncertain_region: Limit = Field(
        0.5, description="1 - weight of the likeliest region of the slice, for approaches whose router weighs regions"
    )

    def limits(self) -> dict[str, float]:
        """Return the limit of each flag that has one here."""
        limits = self.model_dump(exclude={"approaches", "components_mm2"})
        return {**limits, "components": self.components_mm2}


class Demo(Section):
    """The demo: synthetic cohorts in native raw layouts."""

    folder: FilePath = Field(description="folder that the raw cohorts are written to, one subfolder each")
    patients: dict[Name, Count] = Field(description="cohort: number of patients to make")
    predictions: dict[Name, Literal["eroded", "shifted", "apexless"]] = Field(
        {},
        description="approach: how its label maps are made from the reference, in the subfolder `predictions`: "
        "`eroded`, `shifted`, or `apexless`, without the most apical slices",
    )

    @model_serializer(mode="wrap")
    def _without_unset_keys(self, as_dict: SerializerFunctionWrapHandler) -> dict:
        return {key: value for key, value in as_dict(self).items() if value}


class Settings(Section):
    """The whole configuration."""

    results: FilePath = Field(description="folder for everything that the workflow makes")
    seed: Seed = Field(description="fixes the splits, the trainings and the demo's voxels")
    deterministic: Truth = Field(
        description="whether trainings on a GPU use deterministic algorithms, which are slower (by how much is not "
        "measured); on a CPU they always do, but another type of CPU may round otherwise"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        description="precision in which segmenters and classifiers are trained, and in which segmenters predict; "
        "`auto`: bf16 on a CPU that has it, nnU-Net's fp16 on a GPU"
    )
    shared_cores: Truth = Field(
        True,
        description="whether threads on a CPU sleep while they wait for one another (GOMP_SPINCOUNT), so that other "
        "work on the same cores is not held up; where nothing else runs, jobs are up to 14 % faster without",
    )
    cohorts: dict[Name, Cohort] = Field(min_length=1, description="a row per cohort")
    training_cohort: Annotated[Reference | None, BeforeValidator(as_null)] = Field(
        description="its test split, and all other cohorts, are the test data; null, where nothing is trained: all "
        "cohorts are"
    )
    splits: Splits
    regions: Regions
    models: dict[Name, Model] = Field(min_length=1, description="a row per model: nnU-Net plus a slice-sampling policy")
    segmentation: Segmentation
    classification: Classification
    approaches: dict[Name, Approach] = Field(
        min_length=1, description="a row per approach: a router plus models, given label maps, or a bundle"
    )
    evaluation: Evaluation
    quality: Quality = Field(default_factory=lambda: Quality.model_validate({}))
    demo: Annotated[Demo | None, BeforeValidator(as_null)] = Field(description="null: no synthetic cohorts are made")

    @model_serializer(mode="wrap")
    def _without_unused_limits(self, as_dict: SerializerFunctionWrapHandler) -> dict:
        # The record is the same as without the section, so that results that were made before it last.
        return {key: value for key, value in as_dict(self).items() if key != "quality" or self.quality.approaches}

    def models_used(self) -> list[str]:
        """Return the models that are trained, in the order of `models`: those that are trained for any approach."""
        used = {model for approach in self.approaches for model in self.models_of(approach)}
        return [name for name in self.models if name in used]

    def labelled(self) -> list[str]:
        """Return the cohorts with reference labels."""
        return [name for name, row in self.cohorts.items() if row.is_labelled]

    def segmented_by(self) -> dict[str, list[str]]:
        """Return for each cohort without labels the approaches that segment it."""
        able = [name for name, row in self.approaches.items() if not isinstance(row, Referenced | Given)]
        return {name: row.approaches or able for name, row in self.cohorts.items() if not row.is_labelled}

    def given(self) -> list[str]:
        """Return the approaches whose label maps exist already."""
        return [name for name, row in self.approaches.items() if isinstance(row, Given)]

    def bundled(self) -> list[str]:
        """Return the approaches whose models come from bundles."""
        return [name for name, row in self.approaches.items() if isinstance(row, Bundled)]

    def routed(self) -> list[str]:
        """Return the approaches whose models are trained."""
        return [name for name, row in self.approaches.items() if not isinstance(row, Ready)]

    def trained_on(self) -> str | None:
        """Return the cohort whose patients are split; None where nothing is trained, so that all are test patients."""
        return self.training_cohort if self.models_used() else None

    def baseline(self) -> str:
        """Return the approach that the others are compared with."""
        return self.evaluation.baseline or next(name for name in self.approaches if name not in self.routed())

    def is_3d(self, model: str) -> bool:
        """Whether a model sees stacks, not slices."""
        return self.models[model].plan[1] == "3d_fullres"

    def models_of(self, approach: str) -> list[str]:
        """Return the models that are trained for an approach, in the order of `models`.

        They are the models that it routes to, the one whose extent or head it reads, and those that these start from.
        """
        used = {*self._needed(approach), *self._starts_of(approach)}
        return [name for name in self.models if name in used]

    def extents_read(self) -> list[str]:
        """Return the models whose extent an approach reads, in the order of `models`."""
        read = {approach.extent_of for approach in self.approaches.values() if isinstance(approach, Extent)}
        return [name for name in self.models if name in read]

    def heads_read(self) -> list[str]:
        """Return the joint models whose head an approach reads, in the order of `models`."""
        read = {approach.head_of for approach in self.approaches.values() if isinstance(approach, Classified)}
        return [name for name in self.models if name in read]

    def classified(self) -> list[str]:
        """Return the approaches that read the classifiers."""
        return [
            name
            for name, row in self.approaches.items()
            if (isinstance(row, Classified) and not row.head_of) or (isinstance(row, Extent) and row.probabilities)
        ]

    def budgets(self) -> dict[str, dict[str, int | None]]:
        """Return for each approach the models that are trained for it, each with the slices that it sees."""
        return {name: {model: self.slices_seen(model) for model in self.models_of(name)} for name in self.approaches}

    def slices_seen(self, model: str) -> int | None:
        """Return the slices that a model sees in its own training: epochs, times mini-batches, times batch size.

        None for a 3D model: how many slices its patches hold, nnU-Net's plan says.
        """
        if self.is_3d(model):
            return None
        training = self.training_of(model)
        return training["epochs"] * training["iterations_per_epoch"] * training["batch_size"]

    def trained_slices(self) -> dict[str, int | None]:
        """Return for each approach the slices that all of its models see in training; classifiers do not count.

        None where one of them is a 3D model, and where the label maps are given.
        """
        seen = {name: list(models.values()) for name, models in self.budgets().items()}
        return {
            name: sum(filter(None, slices)) if slices and None not in slices else None for name, slices in seen.items()
        }

    def controls(self) -> dict[str, str | None]:
        """Return the matched control of each approach that is trained longer than the baseline; None where it has none.

        A matched control sends all slices to one model with uniform sampling and nnU-Net's default 2D network, starts
        from the same weights, and its models see as many slices in training, within `SAME_TRAINING`. Such an approach
        is its own control.
        """
        slices = {name: seen for name, seen in self.trained_slices().items() if seen is not None}
        if self.baseline() not in slices:
            return {}
        longer = [name for name in slices if slices[name] > (1 + SAME_TRAINING) * slices[self.baseline()]]
        plain = self.plain()

        def matched(approach: str) -> list[str]:
            alike = [name for name in plain if trained_alike(slices[name], slices[approach])]
            return [name for name in alike if self._starts_of(name) == self._starts_of(approach)]

        return {name: name if name in matched(name) else next(iter(matched(name)), None) for name in longer}

    def plain(self) -> list[str]:
        """Return the approaches that send all slices to one default 2D network with uniform sampling."""
        return [
            name for name, row in self.approaches.items() if isinstance(row, Constant) and self._is_plain(row.model)
        ]

    def primary(self) -> dict[str, str]:
        """Return the control of each approach of the primary comparisons.

        It is the matched control of an approach that is trained longer than the baseline, and else the baseline.
        """
        controls = self.controls()
        return {name: controls.get(name) or self.baseline() for name in self.evaluation.primary}

    def bounds(self) -> dict[str, str | None]:
        """Return the upper bound of each approach that names regions itself: the same models, by the reference."""
        perfect = {name: row.segmented_by() for name, row in self.approaches.items() if isinstance(row, Referenced)}
        return {
            name: next((bound for bound, models in perfect.items() if models == row.segmented_by()), None)
            for name, row in self.approaches.items()
            if isinstance(row, Classified | Extent)
        }

    def _is_plain(self, model: str) -> bool:
        """Whether a model is nnU-Net's default 2D network under its own sampling."""
        row = self.models[model]
        return isinstance(row, Uniform) and row.network != "joint" and row.plan == ("default", "2d")

    def _needed(self, approach: str) -> set[str]:
        """The models that an approach routes to, and the one whose extent or head it reads."""
        row = self.approaches[approach]
        extent = [row.extent_of] if isinstance(row, Extent) else []
        head = [row.head_of] if isinstance(row, Classified) and row.head_of else []
        return {*row.models_used(), *extent, *head}

    def _starts_of(self, approach: str) -> set[str]:
        """The models that the models of an approach start from."""
        rows = [self.models[name] for name in self._needed(approach)]
        return {row.starts_from for row in rows if row.starts_from is not None}

    def training_of(self, model: str) -> dict:
        """Return the keys of `segmentation` that a model's training depends on, with the values of its own row.

        A 3D model without a batch size of its own has none: it is the one that nnU-Net plans.
        """
        row = self.models[model]
        joint = self.segmentation.joint.model_dump() if row.network == "joint" else None
        own = {"epochs": row.epochs, "learning_rate": row.learning_rate, "batch_size": row.batch_size, "joint": joint}
        shared = self.segmentation.training()
        if self.is_3d(model):
            del shared["batch_size"]  # which is in slices
        return {**shared, **{key: value for key, value in own.items() if value is not None}}

    def seed_of(self, model: str) -> int:
        """Return the seed of a model's training."""
        own = self.models[model].seed
        return self.seed if own is None else own

    @model_validator(mode="after")
    def _names_exist(self) -> "Settings":
        if self.evaluation.baseline is not None:
            _require("evaluation.baseline", self.evaluation.baseline, self.approaches)
        elif len(self.routed()) == len(self.approaches):
            raise ValueError(
                "evaluation.baseline: is null, but no approach has predictions of its own or a bundle; name an approach"
            )
        for name, approach in self.approaches.items():
            for model in approach.models_used():
                _require(f"approaches.{name}", model, self.models)
            if isinstance(approach, Extent):
                _require(f"approaches.{name}.extent_of", approach.extent_of, self.models)
            if isinstance(approach, Classified) and approach.head_of:
                _require(f"approaches.{name}.head_of", approach.head_of, self.models)
        routed = self.routed()
        if routed and self.training_cohort is None:
            raise ValueError(
                f"training_cohort: is null, but models are trained for the approaches {', '.join(routed)}; name the "
                "cohort to train on, or remove these approaches by setting them to null"
            )
        if routed:
            _require("training_cohort", str(self.training_cohort), self.cohorts)
            if not self.cohorts[str(self.training_cohort)].is_labelled:
                raise ValueError(
                    f"training_cohort: '{self.training_cohort}' has labels: none; name a cohort with labels"
                )
        for name in self.evaluation.primary:
            _require("evaluation.primary", name, self.approaches)
        for name in self.demo.patients if self.demo else ():
            _require("demo.patients", name, self.cohorts)
        for name in self.demo.predictions if self.demo else ():
            _require("demo.predictions", name, dict.fromkeys(self.given()))
        for name in self.quality.approaches:
            _require("quality.approaches", name, self.approaches)
        return self

    @model_validator(mode="after")
    def _new_patients_can_be_segmented(self) -> "Settings":
        for cohort, approaches in self.segmented_by().items():
            key = f"cohorts.{cohort}.approaches"
            if not approaches:
                raise ValueError(
                    f"{key}: no approach can segment a cohort without labels; add one whose router is constant, "
                    "classifier or extent"
                )
            for name in approaches:
                _require(key, name, self.approaches)
                row = self.approaches[name]
                if isinstance(row, Referenced):
                    raise ValueError(
                        f"{key}: '{name}' has approaches.{name}.router: reference, but the cohort has labels: none, so "
                        "there are no reference regions; name another approach"
                    )
                if isinstance(row, Given):
                    raise ValueError(
                        f"{key}: '{name}' has approaches.{name}.predictions, and cannot segment; name an approach that "
                        "has a router"
                    )
        return self

    @model_validator(mode="after")
    def _starting_weights_are_trained_from_random_ones(self) -> "Settings":
        for name, row in self.models.items():
            if row.starts_from is not None:
                _require(f"models.{name}.starts_from", row.starts_from, self.models)
        for name in self.models:
            chain = _chain(name, {model: row.starts_from for model, row in self.models.items()})
            told = " -> ".join(chain)
            if chain[-1] in chain[:-1]:
                raise ValueError(
                    f"models.{name}.starts_from: {told} is a circle, in which no model can be the first to be trained; "
                    "remove starts_from from one of them"
                )
            if len(chain) > 2:
                raise ValueError(
                    f"models.{name}.starts_from: {told} is a chain, which is not supported; name a model that has no "
                    "starts_from itself"
                )
            if self.models[chain[-1]].plan != self.models[name].plan:
                raise ValueError(
                    f"models.{name}.starts_from: {chain[-1]} has another configuration or planner, so that its weights "
                    "do not fit; name a model that has the same"
                )
        return self

    @model_validator(mode="after")
    def _mixed_models_see_the_same_tiles(self) -> "Settings":
        for name, row in self.approaches.items():
            if not isinstance(row, Weighed) or row.mixing == "hard":
                continue
            plans = {self.models[model].plan for model in row.models_used()}
            if len(plans) > 1 or any(map(self.is_3d, row.models_used())):
                raise ValueError(
                    f"approaches.{name}.mixing: soft needs 2D models of one planner, because it averages what they say "
                    "of each pixel; write mixing: hard, or name other models"
                )
        return self

    @model_validator(mode="after")
    def _heads_and_decoders_are_those_of_joint_networks(self) -> "Settings":
        for name, row in self.approaches.items():
            for key in ("head_of", "decoders_of"):
                model = getattr(row, key, None)
                if model and self.models[model].network != "joint":
                    raise ValueError(
                        f"approaches.{name}.{key}: '{model}' has no head and no decoders by region; name a model with "
                        f"network: joint, or give models.{model} this key"
                    )
        return self

    @model_validator(mode="after")
    def _joint_networks_can_be_trained(self) -> "Settings":
        for name, row in self.models.items():
            if row.network == "joint" and not isinstance(row, Uniform):
                raise ValueError(
                    f"models.{name}.network: joint needs sampling: uniform, because its head learns from the drawn "
                    "slices how frequent each region is; write sampling: uniform, or remove network"
                )
            if row.network == "joint" and row.plan != ("default", "2d"):
                raise ValueError(
                    f"models.{name}.network: joint has the layers of nnU-Net's default 2D network; remove "
                    "configuration and planner, or network"
                )
            first = self.models[row.starts_from] if row.starts_from else row
            if (row.network == "joint") != (first.network == "joint"):
                raise ValueError(
                    f"models.{name}.starts_from: '{name}' and '{row.starts_from}' are different networks; give both "
                    "the same network, or remove starts_from"
                )
        return self

    @model_validator(mode="after")
    def _primary_comparisons_have_controls(self) -> "Settings":
        controls = self.controls()
        for name in self.evaluation.primary:
            if self.primary()[name] == name:
                raise ValueError(f"evaluation.primary: '{name}' is a control itself; remove it")
            if name in controls and controls[name] is None:
                raise ValueError(
                    f"evaluation.primary: '{name}' is trained longer than the baseline and has no matched control; add "
                    "a row for one (docs/controls.md), or remove it"
                )
        return self

    @model_validator(mode="after")
    def _nothing_is_empty(self) -> "Settings":
        for name in self.models_used():
            model = self.models[name]
            if isinstance(model, OneRegion) and model.region != "middle" and getattr(self.regions, model.region) == 0:
                raise ValueError(
                    f"models.{name}: regions.{model.region} is 0, so that the model has no slice to train on; "
                    "write a share above 0"
                )
        if self.splits.test == 0 and self.classification.select_on == "test":
            raise ValueError(
                "splits.test: is 0, but classification.select_on is test; give the test split patients, or select on "
                "validation"
            )
        return self


def _require(key: str, name: str, table: dict) -> None:
    if name not in table:
        raise ValueError(f"{key}: '{name}' is not defined; there are: {', '.join(table)}")


def _chain(model: str, starts_from: dict[str, str | None]) -> list[str]:
    """Return a model, the model that it starts from, and so on; a circle ends with the model that it comes back to."""
    chain = [model]
    while (before := starts_from[chain[-1]]) is not None:
        chain.append(before)
        if before in chain[:-1]:
            break
    return chain


def check_config_files(files: Iterable[str | Path]) -> None:
    """Check the text of the configuration's files; see `config_text.check_files`."""
    config_text.check_files(files, Settings.model_fields)


def load_settings(config: dict) -> Settings:
    """Check a configuration.

    Parameters
    ----------
    config : dict
        The configuration after Snakemake has merged all of its files. Rows of `cohorts`, `models`, `approaches` and
        `classification.networks` that are None are removed.

    Raises
    ------
    CollectedErrors
        It has a line for each faulty key, which names the key, the fault and what is allowed.
    """
    config = {**config}
    for table in ("cohorts", "models", "approaches"):
        config[table] = _rows(config.get(table))
    if isinstance(config.get("classification"), dict):
        networks = _rows(config["classification"].get("networks"))
        config["classification"] = {**config["classification"], "networks": networks}
    try:
        return Settings.model_validate(config)
    except ValidationError as fault:
        raise CollectedErrors([_line(error) for error in fault.errors()]) from None


def _rows(table: object) -> object:
    return {name: row for name, row in table.items() if as_null(row) is not None} if isinstance(table, dict) else table


def _line(error: ErrorDetails) -> str:
    key = _key(error["loc"])
    message = _message(error, key)
    return f"configuration: {key}: {message}" if key else f"configuration: {message}"


def _key(place: tuple[int | str, ...]) -> str:
    """Name the faulty key; a fault of a row's name is one of the table."""
    if place and place[-1] == "[key]":
        place = place[:-2]
    parts = [str(part) for part in place]
    # pydantic names the kind of a row after the row's name: models, sampling_low, quadratic, ratio.
    if parts and parts[0] in {"models", "approaches"}:
        del parts[2:3]
    return ".".join(parts)


def _message(error: ErrorDetails, key: str) -> str:
    kind, value = error["type"], error["input"]
    if kind == "value_error":
        return error["msg"].removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"unknown key{_suggestion(key)}"
    if kind == "missing":
        return "is missing"
    if kind == "invalid_key":
        return f"YAML reads a key here as {reading(value)}; docs/configuration.md lists the keys"
    if kind == "string_pattern_mismatch" or (kind == "string_type" and _is_name(error["loc"])):
        return name_fault(value)
    if kind == "string_type" and error["loc"][-1] == "[key]":
        return f"YAML reads the name of a patient as {reading(value)}; write names in quotes, such as '0010'"
    if kind == "string_type" and value is None:
        return "is empty; write a text"
    if kind == "string_type" and not isinstance(value, dict | list):
        return f"{error['msg']}, not {value!r}: YAML reads it as {reading(value)}; write text in quotes"
    return f"{error['msg']}, not {value!r}"


def _is_name(place: tuple[int | str, ...]) -> bool:
    """Whether the place is the name of a row, or a key that names one."""
    table = place[0] in {"cohorts", "models", "approaches"} and len(place) == 3
    other = place[:2] in {("classification", "networks"), ("demo", "patients"), ("demo", "predictions")}
    return (place[-1] == "[key]" and (table or other)) or place[-1] in {"training_cohort", "baseline"}


def _suggestion(key: str) -> str:
    *parents, wrong = key.split(".")
    known = [path.split(".") for path, _ in described_keys()]
    elsewhere = dict.fromkeys(".".join(path) for path in known if path[-1] == wrong)
    outside_of_rows = [path for path in elsewhere if "<name>" not in path]
    if elsewhere:
        return f"; did you mean {' or '.join(_place(path) for path in outside_of_rows or elsewhere)}?"
    allowed = [path[-1] for path in known if len(path) == len(parents) + 1]
    close = difflib.get_close_matches(wrong, allowed, n=1)
    return f"; did you mean '{close[0]}'?" if close else "; docs/configuration.md lists the keys"


def _place(path: str) -> str:
    return f"'{path}'" if "." in path else f"'{path}' at the top level"


def described_keys(section: type[BaseModel] = Settings, prefix: str = "") -> list[tuple[str, str]]:
    """Return every key with its description, in order; ``<name>`` stands for the name of a row."""
    keys = []
    for name, field in section.model_fields.items():
        path = f"{prefix}{name}"
        nested = _sections(field.annotation)
        is_table = "dict[" in str(field.annotation).lower() and nested
        if field.description:
            keys.append((path, field.description))
        for inner in nested:
            for key in described_keys(inner, f"{path}.<name>." if is_table else f"{path}."):
                if key not in keys:
                    keys.append(key)
    return keys


def _sections(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in getattr(annotation, "__args__", ()) for found in _sections(part)]
