"""The part of a finished run that may be published: scores, boundaries, regions, curves, timings, tables and figures.

Files, columns and the form of every cell are listed here. What is not listed is not published: images, labels,
predictions, weights, logs, and what headers say, except for the distance of the slice centres. Cohorts without labels
are left out altogether.

Numbers replace the names of patients. They follow the order of the names, because the tables are made again byte for
byte only if the rows keep their order. The numbers keep names out of the repository, but they do not hide a patient
from people who have the data: they can count.
"""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import yaml

from cmrslices.cohorts.tables import read_text
from cmrslices.commands.finished_run import finished_file
from cmrslices.config import Settings, load_settings
from cmrslices.evaluation.boundaries import FOUND
from cmrslices.function import NOTES, QUANTITIES
from cmrslices.labels import LABELS, PHASES, SLICE_CLASSES
from cmrslices.runtime.errors import InputError
from cmrslices.runtime.provenance import PACKAGES
from cmrslices.runtime.whole_folders import whole_folder

PROJECT = Path(__file__).parents[3]

CASES = ("case", "patient", "phase", "excluded", "spacing_z_mm", "flipped", "direction_from")
SPLITS = ("case", "patient", "split")
SLICES = ("case", "patient", "phase", "slice", "region", "position")
SCORES = (
    *("cohort", "approach", *SLICES),
    *("label", "reference_mm2", "predicted_mm2", "dsc"),
)
BOUNDARIES = (
    *("cohort", "approach", *SLICES),
    *("label", "found", "hd_mm", "hd95_mm", "assd_mm"),
)
PROBABILITIES = ("case", "slice", *SLICE_CLASSES)
REGIONS = ("case", "slice", "region", *SLICE_CLASSES)
FUNCTION = ("cohort", "approach", "patient", "quantity", "unit", "reference", "predicted", "note")
HISTORY = ("epoch", "train_loss", "validation_loss", "validation_accuracy", "seconds")
CURVES = ("model", "epoch", "train_loss", "validation_loss", *LABELS, "learning_rate", "seconds", "device")
TIMINGS = ("rule", "job", "wall_s", "cpu_s", "max_rss_mb")

WORDS = {
    "phase": PHASES,
    "excluded": ("True", "False"),
    "flipped": ("True", "False", ""),
    "direction_from": ("header", "labels", ""),
    "split": ("train", "validation", "test"),
    "region": SLICE_CLASSES,
    "label": tuple(LABELS),
    "quantity": tuple(QUANTITIES),
    "unit": tuple(dict.fromkeys(QUANTITIES.values())),
    "note": NOTES,
    "found": FOUND,
    "device": ("cpu", "gpu"),
}
"""The words that a column may hold. A cell of a column that is not here is a number, or empty."""
NUMBER = r"(-?(\d+(\.\d+)?(e[+-]?\d+)?|inf))?"

TABLES = tuple(f"table{number}{suffix}" for number in (1, 2, 3) for suffix in ("", "_against_paper"))
OTHER_TABLES = (
    *("readings", "reliability", "false_positives", "boundaries", "budget", "cardiac_function", "volume_errors"),
)
FILES = (
    *(f"tables/{name}.{ending}" for name in (*TABLES, *OTHER_TABLES) for ending in ("csv", "md")),
    *(f"tables/{name}.tex" for name in ("table1", "table2", "table3", "boundaries", "cardiac_function")),
    *(f"figures/{name}" for name in ("figure2.csv", "figure2.pdf", "figure2.png", "confusion.pdf", "confusion.png")),
    *(f"figures/reliability.{ending}" for ending in ("pdf", "png")),
    *(f"report/{kind}_curves.{ending}" for kind in ("segmenter", "classifier") for ending in ("pdf", "png")),
    "classifiers/selected.yaml",
    "classifiers/calibration.yaml",
)
"""Files that are copied as they are: they hold titles, and numbers over many patients."""
OF_TRAININGS = re.compile(
    r"tables/(table2|readings|reliability|budget)|figures/(confusion|reliability)|report/\w+_curves|classifiers/"
)
"""Those of them that are not made where nothing is trained."""

COMMIT = r"[0-9a-f]{40}(-dirty)?|unknown"
VERSION = r"\d[\w.+]*"
ACCEPTED = {
    "rule": r"\w+",
    "made_by": "[0-9a-f]{16}",
    "accepted": "[0-9a-f]{16}",
    "results": r"\d+",
    "date": r"[\d-]{10}",
}
"""What is published of a row of accepted code, and the form of each value."""
RULE = r"[a-z][a-z0-9_]*"


def publish(results: str | Path, target: str | Path) -> None:
    """Write the part of a finished run that may be published, in the layout of a results folder.

    ``provenance.yaml`` keeps the commit and the versions; the configuration in it becomes ``config.yaml``. Cohorts
    without labels are left out, and it is said which.

    Parameters
    ----------
    results : path
        The results folder of the run.
    target : path
        The folder to make.

    Raises
    ------
    InputError
        The target exists, the run is not finished, or a cell does not have the form of its column.
    """
    results, target = Path(results), Path(target)
    if target.exists():
        raise InputError(f"{target}: is there already; delete it, or name another folder")
    with whole_folder(target) as made:
        _publish(results, made)


def _publish(results: Path, target: Path) -> None:
    record = yaml.safe_load(finished_file(results / "provenance.yaml").read_text())
    settings = load_settings(record["configuration"])
    trained = settings.trained_on() is not None
    for name in (name for name in FILES if trained or not OF_TRAININGS.match(name)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(finished_file(results / name), target / name)
    _publish_function(results, target, settings)
    for cohort in settings.labelled():
        _publish_cohort(results, target, cohort, settings)
    left_out = [name for name in settings.cohorts if name not in settings.labelled()]
    if left_out:
        print(f"not published: {', '.join(left_out)}, as cohorts without labels have no scores")
    if trained:
        _publish_trainings(results, target, settings)
    _write_yaml(public_provenance(record), target / "provenance.yaml")
    _write_yaml(public_configuration(settings, default_configuration()), target / "config.yaml")


def _publish_trainings(results: Path, target: Path, settings: Settings) -> None:
    for network in settings.classification.networks:
        history = f"classifiers/{network}/history.csv"
        _write(checked(_read(results / history), HISTORY, history), target / history)
    for model in settings.heads_read():
        calibration = f"heads/{model}/calibration.yaml"
        (target / calibration).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(finished_file(results / calibration), target / calibration)
    curves, times = "report/segmenter_curves.csv", "report/timings.csv"
    models = {"model": tuple(settings.models)}
    _write(checked(_read(results / curves), CURVES, curves, models), target / curves)
    _write(known_jobs(_read(results / times), settings), target / times)


def _publish_cohort(results: Path, target: Path, cohort: str, settings: Settings) -> None:
    networks = settings.classification.networks if settings.trained_on() else ()
    tables = {
        f"cohorts/{cohort}/cases.csv": CASES,
        f"cohorts/{cohort}/splits.csv": SPLITS,
        f"cohorts/{cohort}/slices.csv": SLICES,
        **{f"classifiers/{network}/{cohort}.csv": PROBABILITIES for network in networks},
        **{f"heads/{model}/{cohort}.csv": PROBABILITIES for model in settings.heads_read()},
        **{f"regions/{reading}/{cohort}.csv": REGIONS for reading in extent_readings(settings)},
        **{f"scores/{approach}/{cohort}.csv": SCORES for approach in settings.approaches},
        **{f"boundaries/{approach}/{cohort}.csv": BOUNDARIES for approach in settings.approaches},
    }
    names = new_names(_cases(results, cohort), cohort)
    for name, columns in tables.items():
        own = {"cohort": (cohort,), "approach": (Path(name).parent.name,)}
        _write(checked(renamed(_read(results / name), names, name), columns, name, own), target / name)


def extent_readings(settings: Settings) -> list[str]:
    """Folders below `regions` with the readings of the extents, which nothing that is published gives again."""
    ways = ("extent", "extent_selected", "extent_all")
    return [f"{way}/{model}" for model in settings.extents_read() for way in ways]


def _publish_function(results: Path, target: Path, settings: Settings) -> None:
    """Write every patient's function with the new names, without group and vendor."""
    name = "tables/patients_function.csv"
    table = _read(results / name)
    cohorts = settings.labelled()
    own = {"cohort": tuple(cohorts), "approach": tuple(settings.approaches)}
    parts = [
        renamed(table[table["cohort"] == cohort], new_names(_cases(results, cohort), cohort), name)
        for cohort in cohorts
    ]
    _write(checked(pd.concat(parts, ignore_index=True), FUNCTION, name, own), target / name)


def new_names(cases: pd.DataFrame, cohort: str) -> dict[str, dict[str, str]]:
    """Give a cohort's patients and cases new names: numbers in the order of the cases, such as ``acdc_0001_ED``.

    Parameters
    ----------
    cases : DataFrame
        cases.csv: case, patient, phase.
    cohort : str

    Returns
    -------
    dict
        The keys ``patient`` and ``case``, each with a dict from the old name to the new one.
    """
    ordered = cases.sort_values("case")
    patients = {name: f"{number:04d}" for number, name in enumerate(ordered["patient"].unique(), start=1)}
    rows = zip(ordered["case"], ordered["patient"], ordered["phase"], strict=True)
    return {
        "patient": patients,
        "case": {case: f"{cohort}_{patients[patient]}_{phase}" for case, patient, phase in rows},
    }


def renamed(table: pd.DataFrame, names: Mapping[str, Mapping[str, str]], source: str) -> pd.DataFrame:
    """Replace the names of cases and patients in a table by the new ones.

    Parameters
    ----------
    table : DataFrame of str
    names : dict
        As `new_names` gives them.
    source : str
        The table's file, for the error's message.

    Raises
    ------
    InputError
        The table has a case or a patient that cases.csv lacks.
    """
    new = {column: table[column].map(names[column]) for column in names if column in table}
    for column, values in new.items():
        if values.isna().any():
            raise InputError(f"{source}: the column {column} has a name that cases.csv lacks; run the workflow again")
    return table.assign(**new)


def checked(
    table: pd.DataFrame, columns: tuple[str, ...], source: str, own: Mapping[str, tuple[str, ...]] | None = None
) -> pd.DataFrame:
    """Keep the listed columns of a table, after a check that each cell has the form of its column.

    Parameters
    ----------
    table : DataFrame of str
        With the new names of cases and patients.
    columns : tuple of str
        All other columns are left out.
    source : str
        The table's file, for the error's message.
    own : dict of column to words, optional
        The words of columns that are not in `WORDS`.

    Raises
    ------
    InputError
        A column is missing, or a cell holds something else; the message does not repeat what the cell holds.
    """
    words = WORDS | dict(own or {})
    for column in columns:
        if column not in table:
            raise InputError(f"{source}: there is no column {column}; run the workflow again")
        if column in words:
            good = table[column].isin(words[column])
        else:
            good = table[column].str.fullmatch(NUMBER) | (column in {"case", "patient"})
        if not good.all():
            expected = f"one of {', '.join(filter(None, words[column]))}" if column in words else "a number"
            raise InputError(f"{source}: line {2 + int(good.argmin())}: {column} is not {expected}; not published")
    return table[list(columns)]


def known_jobs(timings: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Keep the timings of jobs that the configuration names: of its labelled cohorts, models, approaches and networks.

    Parameters
    ----------
    timings : DataFrame of str
        report/timings.csv.
    settings : Settings
    """
    names = {*settings.labelled(), *settings.models, *settings.approaches, *settings.classification.networks}
    known = timings["rule"].str.fullmatch(RULE) & timings["job"].map(
        lambda job: names.issuperset(filter(None, job.split("/")))
    )
    kept = timings[known]
    own = {name: tuple(kept[name]) for name in ("rule", "job")}
    return checked(kept, TIMINGS, "report/timings.csv", own)


def public_provenance(record: Mapping) -> dict:
    """Take the versions, the commit and the accepted code from a run's provenance.yaml, and nothing else.

    The reasons for accepting code are left out, because people write them in their own words.

    Raises
    ------
    InputError
        A value does not have the form that it must have.
    """
    versions = {name: record["versions"][name] for name in PACKAGES if name in record["versions"]}
    if not re.fullmatch(COMMIT, record["commit"]):
        raise InputError("provenance.yaml: the commit is not one; run the rule provenance again")
    for name, version in versions.items():
        if not re.fullmatch(VERSION, version):
            raise InputError(f"provenance.yaml: the version of {name} is not one; run the rule provenance again")
    workflow = record.get("workflow")
    if workflow is not None and not re.fullmatch(VERSION, str(workflow)):
        raise InputError("provenance.yaml: the version of the workflow is not one; run the rule provenance again")
    accepted = [{name: row[name] for name in ACCEPTED} for row in record.get("accepted_code", ())]
    if any(not re.fullmatch(form, str(row[name])) for row in accepted for name, form in ACCEPTED.items()):
        raise InputError(
            "provenance.yaml: accepted_code is not as accept_code.py writes it; run the rule provenance again"
        )
    return {
        **({"workflow": workflow} if workflow is not None else {}),
        "commit": record["commit"],
        "versions": versions,
        **({"accepted_code": accepted} if accepted else {}),
    }


def default_configuration() -> dict:
    """The project's config.yaml."""
    return yaml.safe_load((PROJECT / "config.yaml").read_text())


def public_configuration(settings: Settings, default: Mapping) -> dict:
    """Take paths of the machine and names of patients out of the resolved configuration.

    Parameters
    ----------
    settings : Settings
    default : dict
        The project's config.yaml; its rows that the run lacks are null.

    Returns
    -------
    dict
        To be laid over the project's config.yaml. A cohort keeps its title, format and label map; its folder becomes
        ``data/<cohort>``, and its list of excluded patients is left out; without labels, it is left out itself. A
        folder of given label maps becomes ``predictions/<approach>``, and the pattern of their names is left out. A
        bundle becomes ``bundles/<approach>``, and a folder of initial weights ``weights``.
    """
    content = settings.model_dump(mode="json")
    content["results"] = default["results"]
    for name in settings.given():
        kept = {key: content["approaches"][name][key] for key in ("title", "label_map")}
        content["approaches"][name] = kept | {"predictions": f"predictions/{name}"}
    for name in settings.bundled():
        content["approaches"][name]["bundle"] = f"bundles/{name}"
    content["cohorts"] = {
        name: {key: row[key] for key in ("title", "format", "label_map")} | {"folder": f"data/{name}"}
        for name, row in content["cohorts"].items()
        if name in settings.labelled()
    }
    if content["demo"]:
        content["demo"]["folder"] = "data"
        made = content["demo"]["patients"]
        content["demo"]["patients"] = {name: count for name, count in made.items() if name in content["cohorts"]}
    if content["classification"]["initial_weights"] not in ("imagenet", "none"):
        content["classification"]["initial_weights"] = "weights"
    for part, of_default, table in (
        (content, default, "cohorts"),
        (content, default, "models"),
        (content, default, "approaches"),
        (content["classification"], default["classification"], "networks"),
    ):
        part[table] |= {name: None for name in of_default[table] if name not in part[table]}
    return content


def _cases(results: Path, cohort: str) -> pd.DataFrame:
    return _read(results / f"cohorts/{cohort}/cases.csv")


def _read(path: Path) -> pd.DataFrame:
    return read_text(finished_file(path))


def _write(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    table.to_csv(path, index=False, float_format="%.6g")


def _write_yaml(content: dict, path: Path) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True))
