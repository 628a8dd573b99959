"""Reads what a run of helmholtz leaves. One file, numpy alone: copy it beside a notebook.

    from helmholtz_run import Run
    run = Run("runs/demo")
    run.summary["result"]["f"]              # {"value": ..., "error": ...}
    run.metrics["F"], run.units["F"]        # a number a step, and their unit
    run.steps("frozen")["S"].mean()         # of the steps with frozen parameters
    run.parameters["van/..."]               # arrays under their published names
    run.plots["energies"]["samples"]["P"]   # the numbers of a figure, curve by curve

`python3 helmholtz_run.py RUN...` prints results.
"""

import csv
import json
import pathlib
import sys

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "U64": "<u8", "U32": "<u4", "U8": "u1", "I8": "i1", "BOOL": "?"}


def number(text):
    """An empty cell is no number."""
    return float(text) if text else np.nan


def table(path):
    """Columns of a CSV file and their units; a torn last line (a run that was killed, or goes on) is left out."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    head = [cell.removesuffix("]").split(" [") for cell in rows[0]]
    rows = [row for row in rows[1:] if len(row) == len(head)]
    columns = {}
    for i, (name, *_) in enumerate(head):
        cells = [row[i] for row in rows]
        try:
            columns[name] = np.array([number(cell) for cell in cells])
        except ValueError:
            columns[name] = np.array(cells)
    return columns, {name: unit[0] if unit else "" for name, *unit in head}


def tensors(path):
    """Arrays of a safetensors file, and its remarks."""
    data = pathlib.Path(path).read_bytes()
    size = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + size]), data[8 + size :]
    remarks = header.pop("__metadata__", {})
    arrays = {}
    for name, tensor in header.items():
        begin, end = tensor["data_offsets"]
        arrays[name] = np.frombuffer(body[begin:end], DTYPES[tensor["dtype"]]).reshape(tensor["shape"])
    return arrays, remarks


class Run:
    """A run directory, a finished one or one that goes on."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.metrics, self.units = table(self.folder / "metrics.csv")
        summary = self.folder / "summary.json"
        self.summary = json.loads(summary.read_text(encoding="utf-8")) if summary.exists() else None

    def steps(self, phase):
        """The metrics of one phase: pretraining, training or frozen."""
        chosen = self.metrics["phase"] == phase
        return {name: column[chosen] for name, column in self.metrics.items()}

    @property
    def parameters(self):
        return tensors(self.folder / "params.safetensors")[0]

    @property
    def plots(self):
        """By figure, then by curve, then by column."""
        found = {}
        for path in sorted((self.folder / "plots").glob("*.csv")):
            columns, _ = table(path)
            curves = columns.pop("curve")
            found[path.stem] = {str(c): {n: v[curves == c] for n, v in columns.items()} for c in dict.fromkeys(curves)}
        return found


if __name__ == "__main__":
    for folder in sys.argv[1:]:
        run = Run(folder)
        result = run.summary["result"] if run.summary else {}
        print(folder, *(f"{name} = {e['value']} ± {e['error']}" for name, e in result.items()), sep="\n  ")
