"""The project's files agree with each other: environments, profiles, rules, captions and documents."""

import ast
import os
import re
import subprocess
import sys
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from places import ROOT
from snakemake.utils import update_config

from cmrslices.config import load_settings
from cmrslices.runtime.code_digest import code_files
from cmrslices.runtime.provenance import workflow_version

CONDA_FILES = sorted((ROOT / "envs").glob("*.yaml"))
LOCK = (ROOT / "envs/requirements.lock").read_text()
PROFILES = [ROOT / name / "config.yaml" for name in ("slurm", "demo", "public")]
RULES = {}
for path in [ROOT / "Snakefile", *sorted((ROOT / "rules").glob("*.smk"))]:
    _, *parts = re.split(r"^ *rule (\w+):$", path.read_text(), flags=re.M)
    RULES |= dict(zip(parts[::2], parts[1::2], strict=True))
JOBS = {name: body for name, body in RULES.items() if name != "all"}
PIP_NAMES = {"pytorch": "torch"}
IMAGE_FORMATS = (".nii", ".nii.gz", ".dcm", ".ima", ".npz", ".npy", ".b2nd", ".mha", ".nrrd", ".cvi42wsx", ".pth")


def relative(path):
    return str(path.relative_to(ROOT))


def pinned(conda_file):
    """Version by package of a conda file, its pip section included."""
    dependencies = yaml.safe_load(conda_file.read_text())["dependencies"]
    from_pip = [entry for part in dependencies if isinstance(part, dict) for entry in part["pip"]]
    entries = [entry for entry in dependencies if isinstance(entry, str) and entry != "pip"] + from_pip
    versions = dict(re.split("==?", entry) for entry in entries)
    return {canonicalize_name(PIP_NAMES.get(name, name)): version for name, version in versions.items()}


def locked(python_version):
    """Version by package of the lock, on Linux with a version of Python."""
    python = {"python_version": python_version, "python_full_version": f"{python_version}.0", "sys_platform": "linux"}
    lines = [line.removesuffix(" \\") for line in LOCK.splitlines() if "==" in line and not line.startswith(" ")]
    return {name: str(specifier).removeprefix("==") for name, specifier in applying(lines, python).items()}


def applying(lines, environment):
    """Version specifier by package of the requirements that apply in an environment."""
    requirements = [Requirement(line) for line in lines]
    return {
        canonicalize_name(requirement.name): requirement.specifier
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }


def imported_packages(script):
    """Distributions that a script imports, directly or through the library."""
    distributions = metadata.packages_distributions()
    modules = set()
    for path in code_files(script):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                modules.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                modules.add(node.module.partition(".")[0])
    foreign = modules - set(sys.stdlib_module_names) - {"cmrslices"}
    return {canonicalize_name(distributions[module][0]) for module in foreign}


def with_requirements(packages):
    """The packages and what they require directly."""
    lines = [line for package in packages for line in metadata.requires(package) or []]
    return {*packages, *applying(lines, {"extra": ""})}


@pytest.mark.parametrize("conda_file", CONDA_FILES, ids=relative)
def test_conda_file_has_the_versions_of_the_lock(conda_file):
    versions = pinned(conda_file)
    expected = locked(versions.pop("python"))
    assert versions == {name: expected.get(name) for name in versions}


@pytest.mark.parametrize("rule", [name for name, body in JOBS.items() if "script:" in body])
def test_conda_file_has_what_the_rules_script_imports(rule):
    conda_file = ROOT / "rules" / re.search(r'conda:\s+"(.+)"', JOBS[rule])[1]
    script = ROOT / "rules" / re.search(r'script:\s+"(.+)"', JOBS[rule])[1]
    assert imported_packages(script.resolve()) <= with_requirements(pinned(conda_file).keys() - {"python"})


def test_each_locked_package_has_an_exact_version_and_a_hash():
    packages = re.split(r"\n(?! )", LOCK.strip())
    exact = re.compile(r"[\w.-]+==[\w.+]+.*--hash=sha256:[0-9a-f]{64}", re.S)
    assert [package for package in packages if not exact.match(package)] == []


@pytest.mark.parametrize("lock", sorted((ROOT / "envs").glob("*.lock")), ids=relative)
def test_lock_names_no_registry(lock):
    assert not re.search(r"://|--(extra-)?index-url|--find-links", lock.read_text())


def test_direct_requirements_are_in_the_lock():
    lines = [line.partition("#")[0].strip() for line in (ROOT / "envs/requirements.txt").read_text().splitlines()]
    wanted = applying(filter(None, lines), {})
    versions = locked("3.11")
    assert {name: versions.get(name) for name in wanted if versions.get(name) not in wanted[name]} == {}


def test_ci_runs_the_tests_and_stops_at_a_failure():
    script = ROOT / ".ci/run"
    lines = script.read_text().splitlines()
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in lines
    assert "make test" in lines


@pytest.mark.parametrize("profile", PROFILES, ids=relative)
def test_profile_names_rules_that_exist(profile):
    settings = yaml.safe_load(profile.read_text())
    named = {rule for key in ("set-threads", "set-resources") for rule in settings.get(key, {})}
    assert named
    assert named <= RULES.keys()


def test_slurm_profile_sends_every_rule_with_a_gpu_to_the_gpus():
    settings = yaml.safe_load((ROOT / "slurm/config.yaml").read_text())
    with_gpu = {rule for rule, body in JOBS.items() if re.search(r"^ +gpu=1,$", body, re.M)}
    partitions = {rule: row["slurm_partition"] for rule, row in settings["set-resources"].items()}
    assert partitions == dict.fromkeys(with_gpu, "gpu")


def test_slurm_profile_explains_every_value():
    lines = (ROOT / "slurm/config.yaml").read_text().splitlines()
    values = [line for line in lines if re.match(r"\s*(- )?[\w-]+[:=] *[^{\s#]", line)]
    assert values
    assert [line for line in values if "#" not in line and line != "executor: slurm"] == []


@pytest.mark.parametrize("rule", [name for name, body in JOBS.items() if "localrule: True" not in body])
def test_rule_that_is_submitted_has_resources_that_grow(rule):
    assert re.search(r"^ +threads: \d+$", JOBS[rule], re.M)
    assert re.search(r"^ +mem_mb=lambda wildcards, attempt: \d+ \* attempt,$", JOBS[rule], re.M)
    assert re.search(r"^ +runtime=(\"\d+h\"|training_minutes),$", JOBS[rule], re.M)


@pytest.mark.parametrize("rule", JOBS)
def test_rule_has_docstring_log_and_environment(rule):
    assert re.match(r'\s+"""\w', JOBS[rule])
    assert re.search(r"^ +log:$", JOBS[rule], re.M)
    assert re.search(r"^ +conda:$", JOBS[rule], re.M)


def test_every_script_belongs_to_one_rule():
    named = sorted(re.findall(r'script:\s+"\.\./workflow_scripts/(\w+\.py)"', "".join(JOBS.values())))
    commands = {"accept_code.py", "answer_runs.py", "bundle.py", "plan_run.py", "publish.py", "training_status.py"}
    assert named == sorted({path.name for path in (ROOT / "workflow_scripts").glob("*.py")} - commands)


def test_every_caption_is_a_file_and_every_file_is_a_caption():
    captions = re.findall(r'caption\(\s*"(\w+)"', "".join(JOBS.values()))
    description = re.search(r'^ *report: "report/(\w+)\.rst"', (ROOT / "Snakefile").read_text(), re.M)[1]
    assert {*captions, description} == {path.stem for path in (ROOT / "report").glob("*.rst")}


def test_the_report_explains_every_category_of_its_menu():
    categories = set(re.findall(r'caption\(\s*"\w+",\s*"(\d [^"]+)"', "".join(JOBS.values())))
    description = (ROOT / "report/workflow.rst").read_text()
    assert len(categories) == 9
    assert {category for category in categories if category not in description} == set()


DOCS = sorted(
    str(path.relative_to(ROOT)) for place in ("docs/*.md", "results/published/*/README.md") for path in ROOT.glob(place)
)


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "results/README.md", *DOCS])
def test_links_of_a_document_lead_to_files_and_headings(document):
    """A file without a name after ``](`` is the document itself."""
    path = ROOT / document
    links = re.findall(r"\]\((?!https?://)([^)#]*)#?([^)]*)\)", path.read_text())
    assert [link for link in links if not leads_somewhere(path, *link)] == []


def leads_somewhere(path, name, heading):
    target = path.parent / name if name else path
    return target.exists() and (not heading or heading in headings(target))


def headings(document):
    """The headings of a Markdown file as GitHub names them in links."""
    text = re.sub(r"^```.*?^```", "", document.read_text(), flags=re.M | re.S)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^#+ (.*)", text, re.M)}


EXAMPLES = [
    "README.md",
    *(f"docs/{name}.md" for name in ("bundles", "changes", "controls", "new_patients", "quality_flags")),
]


@pytest.mark.parametrize("document", EXAMPLES)
def test_configurations_in_a_document_are_valid(document):
    examples = re.findall(r"^```yaml\n(.*?)^```", (ROOT / document).read_text(), re.M | re.S)
    assert examples
    for example in examples:
        settings = yaml.safe_load((ROOT / "config.yaml").read_text())
        update_config(settings, yaml.safe_load(example))
        load_settings(settings)


def test_the_public_data_leave_all_other_values_to_the_paper():
    paper, settings = (yaml.safe_load((ROOT / "config.yaml").read_text()) for _ in range(2))
    public = yaml.safe_load((ROOT / "public/public.yaml").read_text())
    update_config(settings, public)
    load_settings(settings)
    assert public.keys() == {"results", "cohorts", "training_cohort", "splits"}
    assert {key for key in paper if settings[key] != paper[key]} == public.keys()


def test_the_small_run_on_public_data_repeats_what_the_large_one_says_about_them():
    small, public = (yaml.safe_load((ROOT / f"public/{name}.yaml").read_text()) for name in ("small", "public"))
    assert {key: small[key] for key in public} == public


def test_no_image_or_weight_file_is_tracked():
    listing = subprocess.run(["git", "-C", str(ROOT), "ls-files"], capture_output=True, text=True, check=False)
    if listing.returncode:
        pytest.skip("not a git checkout")
    assert [name for name in listing.stdout.splitlines() if name.lower().endswith(IMAGE_FORMATS)] == []


def test_the_version_is_the_same_everywhere():
    version = workflow_version()
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version
    assert re.search(r"^## (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.M)[1] == version
