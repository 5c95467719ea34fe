#!/usr/bin/env python3
"""docs/prometheus: the rules and the dashboard are well-formed, do what they say, and name only metrics that dbtop has."""
import json
import re
import subprocess
import sys
from pathlib import Path

DOCS = Path("docs/prometheus")
RULES = [DOCS / "alerts.yaml", DOCS / "opentelemetry.yaml"]
PANEL_KEYS = {"id", "title", "type", "datasource", "gridPos", "fieldConfig", "options", "targets"}


def known_names():
    """The table of the sources, with what a histogram has instead of its own name."""
    source = Path("src/report/metrics.c").read_text()
    names = set()
    for name, kind in re.findall(r'\{ "(dbtop_\w+)", TYPE_(\w+)', source):
        names |= {name + "_bucket", name + "_count", name + "_sum"} if kind == "HISTOGRAM" else {name}
    assert len(names) > 20, names
    return names


def check_names(text, where, names):
    used = set(re.findall(r"\bdbtop_\w+", text))
    assert used, f"{where}: no metrics"
    assert used <= names, f"{where}: unknown metrics: {used - names}"
    return used


def check_dashboard(names):
    path = DOCS / "dashboard.json"
    board = json.loads(path.read_text())
    assert {"title", "uid", "schemaVersion", "templating", "panels"} <= board.keys()
    ids = [panel["id"] for panel in board["panels"]]
    assert len(ids) == len(set(ids)) > 0
    used = set()
    for panel in board["panels"]:
        assert PANEL_KEYS <= panel.keys(), panel["title"]
        for target in panel["targets"]:
            used |= check_names(target["expr"], panel["title"], names)
    missing = {name for name in names if not name.endswith(("_count", "_sum"))} - used
    assert not missing, f"{path}: without these metrics: {missing}"


def main():
    names = known_names()
    for path in RULES:
        check_names(path.read_text(), path, names)
    check_dashboard(names)
    for command in (["check", "rules", *map(str, RULES)], ["test", "rules", "tests/data/prometheus/alerts.yaml"]):
        run = subprocess.run(["promtool", *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if run.returncode:
            sys.exit(run.stdout)


main()
