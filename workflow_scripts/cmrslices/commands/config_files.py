"""Files that are generated from the configuration's models: the documented table of keys and the schema for editors.

After a change of `cmrslices.config`: PYTHONPATH=workflow_scripts python -m cmrslices.commands.config_files
"""

import json
from pathlib import Path
from typing import Any

from cmrslices.config import Settings, described_keys

PROJECT = Path(__file__).parents[3]
TABLES = ("cohorts", "models", "approaches")
"""Tables of the configuration from which a file can remove a row by setting it to null."""


def configuration_table() -> str:
    """The Markdown table of keys that docs/configuration.md shows."""
    rows = [f"| `{key}` | {text} |" for key, text in described_keys()]
    return "\n".join(["| key | meaning |", "|---|---|", *rows])


def with_table(document: str) -> str:
    """A document with the configuration table between its two markers renewed."""
    start, end = "<!-- configuration keys -->", "<!-- end of configuration keys -->"
    head, _, rest = document.partition(start)
    _, _, tail = rest.partition(end)
    return f"{head}{start}\n{configuration_table()}\n{end}{tail}"


def editor_schema() -> str:
    """JSON schema by which editors complete and check a configuration while it is typed.

    A file that is laid over `config.yaml` holds only what differs from it. So the schema requires no key, and a row of
    a table may be null. What only the merged configuration can violate, such as the name of a missing model, is checked
    when Snakemake loads it.
    """
    schema = _without_requirements(Settings.model_json_schema())
    tables = [schema["properties"][name] for name in TABLES]
    for table in (*tables, schema["$defs"]["Classification"]["properties"]["networks"]):
        _let_rows_be_null(table)
    about = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "Configuration of the cmrslices workflow"}
    return json.dumps({**schema, **about}, indent=1, ensure_ascii=False) + "\n"


def _without_requirements(part: Any) -> Any:
    """A schema that requires no key; of several forms of a row, any may fit."""
    if isinstance(part, list):
        return [_without_requirements(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {key: value for key, value in part.items() if key not in {"required", "discriminator", "title"}}
    changed = {"anyOf" if key == "oneOf" else key: _without_requirements(value) for key, value in kept.items()}
    if "properties" in part:  # here "title" is a key of the configuration
        changed["properties"] = {name: _without_requirements(value) for name, value in part["properties"].items()}
    if "patternProperties" in part:  # other names of rows are not allowed
        changed["additionalProperties"] = False
    return changed


def _let_rows_be_null(table: dict[str, Any]) -> None:
    table.pop("minProperties", None)
    rows = table.get("patternProperties", table)
    name = next(iter(rows)) if rows is not table else "additionalProperties"
    rows[name] = {"anyOf": [rows[name], {"type": "null"}]}


def main() -> None:
    """Write both."""
    document = PROJECT / "docs/configuration.md"
    document.write_text(with_table(document.read_text()))
    (PROJECT / "config.schema.json").write_text(editor_schema())


if __name__ == "__main__":
    main()
