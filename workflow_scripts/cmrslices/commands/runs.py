"""From published runs to their answers, and to their agreement with the paper."""

from pathlib import Path

import pandas as pd
import yaml

from cmrslices.classification.probabilities import read_probabilities
from cmrslices.classification.readings import chosen_probabilities, regions_by_reading
from cmrslices.cohorts.regions import RegionRule
from cmrslices.config import Classified, Extent, Settings, load_settings
from cmrslices.evaluation.agreement import agreement, paper_cells
from cmrslices.evaluation.answer_files import design_of, with_right, write_tables
from cmrslices.evaluation.answer_tables import introduction
from cmrslices.evaluation.answers import SUBGROUPS, Design, answers
from cmrslices.evaluation.forest import draw_forest, select
from cmrslices.evaluation.function_change_tables import write_function_changes
from cmrslices.evaluation.function_changes import function_changes
from cmrslices.evaluation.region_rules import (
    REGION_RULES,
    across_region_rules,
    region_rules_section,
    under_region_rule,
)
from cmrslices.evaluation.scores import read_scores
from cmrslices.evaluation.training_gain import draw_training_gain
from cmrslices.prediction.routing import read_regions
from cmrslices.presentation import tables
from cmrslices.presentation.figures import write_figure
from cmrslices.presentation.paper import read_paper
from cmrslices.presentation.sections import sections_markdown
from cmrslices.presentation.writing import write_text
from cmrslices.runtime.errors import InputError


def write_answers_of_runs(folder: str | Path, paper: Path) -> None:
    """Write answers and their pictures, errors of cardiac function, and the agreement with the paper beside the runs.

    Parameters
    ----------
    folder : path
        It holds a folder ``seed*`` or ``fold*`` for each published run.
    paper : Path
        Folder of the paper's tables.

    Raises
    ------
    InputError
        As in `read_runs` and `read_function`.
    """
    folder = Path(folder)
    settings, scores = read_runs(folder)
    baseline = settings.baseline()
    cohorts = {name: row.title for name, row in settings.cohorts.items()}
    approaches = {name: row.title for name, row in settings.approaches.items()}
    scoring, margin = settings.evaluation.scoring, settings.evaluation.margin
    design = design_of(baseline, settings.bounds(), settings.trained_slices(), settings.primary())
    found = answers(scores, design, margin)
    table1, table3 = (read_paper(paper / f"table{number}.csv") for number in (1, 3))
    beside = agreement(found, paper_cells(table1, table3, baseline), scoring)
    files = ([folder / f"{name}.csv", folder / f"{name}.md"] for name in ("answers", "agreement"))
    write_tables(found, beside, cohorts, approaches, settings.controls(), scoring, margin, *files)
    for cohort, title in cohorts.items():
        shown, plain = select(found, cohort, scoring), settings.plain()
        write_figure([folder / f"forest_{cohort}.png"], title, draw_forest(shown, title, approaches, margin))
        if baseline in plain:
            gains = draw_training_gain(shown, title, approaches, plain)
            write_figure([folder / f"training_gain_{cohort}.png"], title, gains)
    compared = across_region_rules(_by_region_rule(found, scores, settings, design), scoring)
    section = region_rules_section(compared, found, cohorts, approaches)
    intro = introduction(found, cohorts, scoring, margin)
    formats = {".csv": lambda: tables.csv(compared), ".md": lambda: sections_markdown(intro, [section])}
    write_text([folder / "region_rules.csv", folder / "region_rules.md"], formats)
    changes = function_changes(read_function(folder), baseline, settings.primary())
    changes_files = [folder / "function_changes.csv", folder / "function_changes.md"]
    write_function_changes(changes_files, changes, cohorts, approaches)


def _by_region_rule(found: pd.DataFrame, scores: pd.DataFrame, settings: Settings, design: Design) -> pd.DataFrame:
    """Answers about all patients under every rule that names regions; those under the configured one are at hand."""
    configured = RegionRule(**settings.regions.model_dump())
    parts = [found.assign(region_rule=configured.rule)]
    of_everyone = scores.drop(columns=SUBGROUPS, errors="ignore")
    for rule in REGION_RULES:
        if rule != configured.rule:
            others = under_region_rule(of_everyone, configured._replace(rule=rule))
            asked = answers(others, design._replace(bounds={}), settings.evaluation.margin)
            parts.append(asked.assign(region_rule=rule))
    return pd.concat(parts, ignore_index=True)


def read_runs(folder: Path) -> tuple[Settings, pd.DataFrame]:
    """Read the settings that published runs have in common, and their scores, as `answers` takes them.

    Parameters
    ----------
    folder : Path
        It holds a folder ``seed*`` or ``fold*`` for each published run.

    Returns
    -------
    Settings
        Those of the first run.
    DataFrame
        The scores, with the name of each run's folder in the column run.

    Raises
    ------
    InputError
        There is no run, or the configurations differ in more than seed and fold, or two runs have the same of both.
    """
    runs = _runs(folder)
    found = {run: load_settings(yaml.safe_load((run / "config.yaml").read_text())) for run in runs}
    if not found:
        raise InputError(f"{folder}: holds no folder seed* or fold*; publish a run there (docs/public.md)")
    seen: dict[tuple, Path] = {}
    for run, settings in found.items():
        if _without_seed_and_fold(settings) != _without_seed_and_fold(found[runs[0]]):
            raise InputError(
                f"{run}: its config.yaml differs from {runs[0]}'s in more than the seed and the fold; "
                "move it to a folder of its own"
            )
        drawn = (settings.seed, settings.splits.fold)
        if drawn in seen:
            raise InputError(f"{run}: has the seed and the fold of {seen[drawn]}; remove one")
        seen[drawn] = run
    parts = [_read_run(run, settings).assign(run=run.name) for run, settings in found.items()]
    return found[runs[0]], pd.concat(parts, ignore_index=True)


def read_function(folder: Path) -> pd.DataFrame:
    """Read volumes, ejection fractions and LV mass in published runs, as `function_changes` takes them.

    Parameters
    ----------
    folder : Path
        As `read_runs` takes it.

    Returns
    -------
    DataFrame
        tables/patients_function.csv of every run, with the name of the run's folder in the column run.

    Raises
    ------
    InputError
        A run has no such table.
    """
    files = {run.name: run / "tables/patients_function.csv" for run in _runs(folder)}
    for file in files.values():
        if not file.exists():
            raise InputError(f"{file}: is missing; publish the run again (docs/public.md)")
    parts = [pd.read_csv(file, dtype={"patient": str}).assign(run=run) for run, file in files.items()]
    return pd.concat(parts, ignore_index=True)


def _runs(folder: Path) -> list[Path]:
    return sorted([*folder.glob("seed*"), *folder.glob("fold*")])


def _without_seed_and_fold(settings: Settings) -> dict:
    content = settings.model_dump()
    del content["seed"]
    if settings.splits.fold is not None:
        content["splits"]["fold"] = "any"
    return content


def _read_run(run: Path, settings: Settings) -> pd.DataFrame:
    files = [run / f"scores/{approach}/{cohort}.csv" for approach in settings.approaches for cohort in settings.cohorts]
    scores = read_scores(files, dict.fromkeys(settings.cohorts), dict.fromkeys(settings.approaches))
    regions = {
        name: pd.concat(_regions(run, row, cohort, settings) for cohort in settings.cohorts)
        for name, row in settings.approaches.items()
        if isinstance(row, Classified | Extent)
    }
    return with_right(scores, regions)


def _regions(run: Path, approach: Classified | Extent, cohort: str, settings: Settings) -> pd.DataFrame:
    """The regions of a cohort's slices by which an approach was routed."""
    if isinstance(approach, Extent):
        return read_regions(run / f"regions/{approach.reading_folder()}/{cohort}.csv")
    rule = RegionRule(**settings.regions.model_dump())
    if approach.head_of:
        of_head = read_probabilities(run / f"heads/{approach.head_of}/{cohort}.csv")
        return regions_by_reading(approach.reading, of_head, rule)
    files = {name: run / f"classifiers/{name}/{cohort}.csv" for name in settings.classification.networks}
    probabilities = chosen_probabilities(approach.networks, run / "classifiers/selected.yaml", files)
    return regions_by_reading(approach.reading, probabilities, rule)
