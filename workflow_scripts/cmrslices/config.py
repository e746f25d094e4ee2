"""The configuration: every key with its type, its unit and its meaning.

`config.yaml` holds the paper's values. The table of keys in README.md and the schema for editors are made from the
models here, by `cmrslices.commands.config_files`.
"""

import difflib
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator
from pydantic_core import ErrorDetails

from cmrslices.labels import LABELS, SLICE_CLASSES
from cmrslices.runtime.errors import CollectedErrors

Item = TypeVar("Item")
Pair = Annotated[list[Item], Field(min_length=2, max_length=2)]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Region = Literal["base", "middle", "apex"]
SliceClass = Literal["non-cardiac", "base", "middle", "apex"]


class Section(BaseModel):
    """A part of the configuration; unknown keys and mistyped values are errors."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class LabelMap(Section):
    """Label values of a cohort in the `nifti` format."""

    LVBP: PositiveInt = Field(default=LABELS["LVBP"], description="value of the left-ventricular blood pool")
    LVM: PositiveInt = Field(default=LABELS["LVM"], description="value of the left-ventricular myocardium")
    RVBP: PositiveInt = Field(default=LABELS["RVBP"], description="value of the right-ventricular blood pool")

    @model_validator(mode="after")
    def _distinct(self) -> "LabelMap":
        if len({self.LVBP, self.LVM, self.RVBP}) < 3:
            raise ValueError("two labels share a value; give each its own")
        return self


class Cohort(Section):
    """A row of `cohorts`."""

    title: str = Field(description="name in tables and figures")
    format: Literal["nifti", "acdc", "mnms", "cvi42"] = Field(description="layout of the raw folder")
    folder: str = Field(description="raw folder, absolute or relative to the working directory")
    exclude: dict[str, str] = Field({}, description="patients to leave out, each with the reason")
    csv: str = Field("cohort.csv", description="`nifti` only: the CSV in the folder that lists images and labels")
    label_map: LabelMap = Field(LabelMap(), description="`nifti` only: the values of the labels in its files")
    name_key: str | None = Field(
        None, description="`cvi42` only: file with a secret; patients are named by a keyed hash of their folder's name"
    )


class Splits(Section):
    """How the patients of the training cohort are split: counts, or fractions that sum to 1."""

    train: float | int = Field(ge=0, description="patients to train on, as a count or a fraction")
    validation: float | int = Field(ge=0, description="patients of nnU-Net's and the classifiers' validation")
    test: float | int = Field(ge=0, description="patients for the tables of the training cohort")

    @model_validator(mode="after")
    def _one_kind(self) -> "Splits":
        parts = [self.train, self.validation, self.test]
        counts = all(isinstance(part, int) and part > 1 for part in parts)
        if not counts and abs(sum(parts) - 1) > 1e-6:
            raise ValueError(
                f"train, validation and test sum to {sum(parts):g}; "
                "give three patient counts, or fractions that sum to 1"
            )
        return self


class Regions(Section):
    """Which shares of a case's labelled slices are base and apex; the rest is middle."""

    base: Fraction = Field(description="share at the basal end")
    apex: Fraction = Field(description="share at the apical end")

    @model_validator(mode="after")
    def _room_for_middle(self) -> "Regions":
        if self.base + self.apex >= 1:
            raise ValueError("base and apex leave nothing for the middle; their sum must be below 1")
        return self


class Uniform(Section):
    """A row of `models`: nnU-Net's own sampling."""

    sampling: Literal["uniform"] = Field(description="`uniform`: nnU-Net's own loader, untouched")


class Quadratic(Section):
    """A row of `models`: base and apex are drawn more often than the middle (approach 1)."""

    sampling: Literal["quadratic"] = Field(
        description="`quadratic`: base and apex are drawn more often than the middle"
    )
    ratio: Annotated[float, Field(ge=1)] = Field(description="maximum / minimum sampling probability in a case")


class OneRegion(Section):
    """A row of `models`: the segmenter sees the slices of one region only (approach 2)."""

    sampling: Literal["region"] = Field(description="`region`: slices of one region only")
    region: Region = Field(description="the region")


Model = Annotated[Uniform | Quadratic | OneRegion, Field(discriminator="sampling")]


class Plan(Section):
    """Changes to nnU-Net's 2D plan, for a smaller network than the one that it plans."""

    spacing_mm: Pair[PositiveFloat] | None = Field(None, description="in-plane spacing [y, x] in mm")
    patch_size_px: Pair[PositiveInt] | None = Field(None, description="patch [y, x] in pixels")
    features: Annotated[list[PositiveInt], Field(min_length=3)] | None = Field(
        None, description="features of each resolution stage, 3 or more"
    )

    @model_validator(mode="after")
    def _divisible(self) -> "Plan":
        if self.patch_size_px and self.features:
            step = 2 ** (len(self.features) - 1)
            if any(side % step for side in self.patch_size_px):
                raise ValueError(f"patch_size_px must be divisible by {step} for {len(self.features)} stages")
        return self


class Segmentation(Section):
    """Training of the segmenters by nnU-Net, their plan, and prediction."""

    epochs: PositiveInt = Field(description="epochs")
    iterations_per_epoch: PositiveInt = Field(description="mini-batches per epoch")
    validation_iterations: PositiveInt = Field(description="mini-batches of the running validation, per epoch")
    batch_size: Annotated[int, Field(ge=2)] = Field(description="slices per mini-batch")
    learning_rate: PositiveFloat = Field(description="initial learning rate of SGD, with polynomial decay")
    checkpoint_every: PositiveInt = Field(description="epochs between checkpoints; a SIGKILL loses at most these")
    mirroring: bool = Field(description="test-time mirroring, as nnU-Net does")
    plan: Plan = Field(description="changes to nnU-Net's plan; null keeps what nnU-Net plans")

    def training(self) -> dict:
        """Return the keys that a segmenter's training depends on."""
        return self.model_dump(exclude={"plan", "mirroring", "checkpoint_every"})


class Classification(Section):
    """Training of the slice-region classifiers."""

    networks: dict[Name, str] = Field(min_length=1, description="torchvision network: title in Table 2")
    epochs: PositiveInt = Field(description="epochs")
    batch_size: Annotated[int, Field(ge=2)] = Field(description="slices per mini-batch")
    learning_rate: PositiveFloat = Field(description="learning rate of Adam")
    loss_weights: Literal["none", "balanced"] = Field(
        description="class weights of the cross-entropy; `balanced`: inverse to the frequency of the classes"
    )
    initial_weights: str = Field(
        description="`imagenet`: torchvision's, downloaded once; `none`: random; or a folder that holds `<network>.pth`"
    )
    field_of_view_mm: PositiveFloat = Field(description="side of the square around the image centre, in mm")
    image_size_px: Annotated[int, Field(ge=32)] = Field(description="side of that square after resampling, in pixels")
    checkpoint_every: PositiveInt = Field(description="epochs between checkpoints")
    select_on: Literal["test", "validation"] = Field(
        description="split of the training cohort that selects the router's classifier: `test` is the paper's choice"
    )

    def training(self) -> dict:
        """Return the keys that a classifier's training depends on."""
        return self.model_dump(exclude={"networks", "select_on", "initial_weights", "checkpoint_every"})


class Constant(Section):
    """A row of `approaches` that sends every slice to one model."""

    title: str = Field(description="name in tables and figures")
    router: Literal["constant"] = Field(description="`constant`: every slice to one model")
    model: Name = Field(description="the model")

    def models_used(self) -> list[str]:
        """Return the models that slices are routed to."""
        return [self.model]


class Routed(Section):
    """A row of `approaches` that sends every slice to the model of its region."""

    title: str = Field(description="name in tables and figures")
    router: Literal["classifier", "reference"] = Field(
        description="`classifier`: the region by the selected classifier; `reference`: by the reference labels"
    )
    models: dict[SliceClass, Name] = Field(description="the model of each region and of non-cardiac slices")

    def models_used(self) -> list[str]:
        """Return the models that slices are routed to."""
        return sorted(set(self.models.values()))

    @model_validator(mode="after")
    def _complete(self) -> "Routed":
        missing = [name for name in SLICE_CLASSES if name not in self.models]
        if missing:
            raise ValueError(f"models has no entry for {', '.join(missing)}")
        return self


Approach = Annotated[Constant | Routed, Field(discriminator="router")]


class Evaluation(Section):
    """The tables and Figure 2."""

    baseline: Name = Field(description="the approach that Table 1 describes and that Table 3 compares the others with")
    significance: Annotated[float, Field(gt=0, lt=1)] = Field(description="p values below it are starred")
    profile_points: Annotated[int, Field(ge=2)] = Field(description="points of the profile from base to apex")


class Demo(Section):
    """The demo: synthetic cohorts in native raw layouts."""

    folder: str = Field(description="folder that the raw cohorts are written to, one subfolder each")
    patients: dict[Name, PositiveInt] = Field(description="cohort: number of patients to make")


class Settings(Section):
    """The whole configuration."""

    results: str = Field(description="folder for everything that the workflow makes")
    seed: Annotated[int, Field(ge=0)] = Field(description="fixes the splits, the trainings and the demo's voxels")
    deterministic: bool = Field(
        description="whether trainings on a GPU use deterministic algorithms, which are slower (by how much is not "
        "measured); on a CPU they always do"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        description="precision in which segmenters and classifiers are trained, and in which segmenters predict; "
        "`auto`: bf16 on a CPU that has it, nnU-Net's fp16 on a GPU"
    )
    cohorts: dict[Name, Cohort] = Field(min_length=1, description="a row per cohort")
    training_cohort: Name = Field(description="its test split, and all other cohorts, are the test data")
    splits: Splits
    regions: Regions
    models: dict[Name, Model] = Field(min_length=1, description="a row per model: nnU-Net plus a slice-sampling policy")
    segmentation: Segmentation
    classification: Classification
    approaches: dict[Name, Approach] = Field(min_length=1, description="a row per approach: a router plus models")
    evaluation: Evaluation
    demo: Demo | None = Field(description="null: no synthetic cohorts are made")

    def models_used(self) -> list[str]:
        """Return the models that an approach routes to, in the order of `models`; no other model is trained."""
        used = {model for approach in self.approaches.values() for model in approach.models_used()}
        return [name for name in self.models if name in used]

    @model_validator(mode="after")
    def _names_exist(self) -> "Settings":
        _require("training_cohort", self.training_cohort, self.cohorts)
        _require("evaluation.baseline", self.evaluation.baseline, self.approaches)
        for name, approach in self.approaches.items():
            for model in approach.models_used():
                _require(f"approaches.{name}", model, self.models)
        for name in self.demo.patients if self.demo else ():
            _require("demo.patients", name, self.cohorts)
        return self


def _require(key: str, name: str, table: dict) -> None:
    if name not in table:
        raise ValueError(f"{key}: '{name}' is not defined; there are: {', '.join(table)}")


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
    return {name: row for name, row in table.items() if row is not None} if isinstance(table, dict) else table


def _line(error: ErrorDetails) -> str:
    key = ".".join(str(part) for part in error["loc"] if part not in _UNION_TAGS)
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        message = f"unknown key{_suggestion(key)}"
    elif error["type"] == "missing":
        message = "is missing"
    elif error["type"] != "value_error":
        message = f"{message}, not {error['input']!r}"
    return f"configuration: {key}: {message}" if key else f"configuration: {message}"


_UNION_TAGS = {"uniform", "quadratic", "region", "constant", "classifier", "reference", "int", "float"}


def _suggestion(key: str) -> str:
    *parents, wrong = key.split(".")
    known = [path.split(".") for path, _ in described_keys()]
    elsewhere = dict.fromkeys(".".join(path) for path in known if path[-1] == wrong)
    if elsewhere:
        return f"; did you mean {' or '.join(_place(path) for path in elsewhere)}?"
    allowed = [path[-1] for path in known if len(path) == len(parents) + 1]
    close = difflib.get_close_matches(wrong, allowed, n=1)
    return f"; did you mean '{close[0]}'?" if close else "; README.md (Configuration) lists the keys"


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
