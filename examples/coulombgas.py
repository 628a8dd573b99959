"""Files of the published code CoulombGas (doi 10.21468/SciPostPhys.14.6.154), both ways. Needs numpy and helmholtz_run.py beside it.

    python3 coulombgas.py parameters epoch_003000.pkl params.safetensors   # for helmholtz train … --params params.safetensors
    python3 coulombgas.py log runs/demo > data.txt                         # the twelve columns that its notebooks read

Nothing in a pickle runs: it may name numpy's arrays and jax's, which are read as such; whatever else it names is left out.
"""

import json
import pathlib
import pickle
import re
import sys

import numpy as np


class Inert(tuple):
    """What stands for an object of any other class; made of anything, does nothing."""

    def __new__(cls, *_, **__):
        return super().__new__(cls)

    def __setstate__(self, _):
        pass


def jax_array(make, arguments, state, _=None):
    """A jax array is pickled as the numpy array that it holds."""
    array = make(*arguments)
    array.__setstate__(state)
    return array


class Arrays(pickle.Unpickler):
    def find_class(self, module, name):
        numpy = module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer")
        if numpy:
            return super().find_class(module, name)
        if module.startswith("jax") and name.startswith(("_reconstruct_array", "reconstruct_device_array")):
            return jax_array
        return dict if name in ("OrderedDict", "FlatMapping", "FlatMap") else Inert


def parameters(checkpoint, out):
    """Writes the parameters of a checkpoint as safetensors, under the names that helmholtz reads."""
    with open(checkpoint, "rb") as file:
        saved = Arrays(file).load()
    leaves = {}
    for key, prefix in (("params_van", "van"), ("params_flow", "flow")):
        for module, arrays in saved[key].items():
            for name, array in arrays.items():
                leaves[f"{prefix}/{module}/{name}"] = np.ascontiguousarray(array, "<f8")
    header, end = {}, 0
    for name, array in sorted(leaves.items()):
        header[name] = {"dtype": "F64", "shape": array.shape, "data_offsets": [end, end + array.nbytes]}
        end += array.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    body = b"".join(array.tobytes() for _, array in sorted(leaves.items()))
    pathlib.Path(out).write_bytes(len(head).to_bytes(8, "little") + head + body)


def log(folder):
    """Training steps in the format of data.txt: step, F, E, K, V, S of all electrons (Ry, k_B), each with its error; acceptance."""
    from helmholtz_run import Run

    run = Run(folder)
    if run.units["F"] != "Ry":
        sys.exit(f"{folder}: F is in {run.units['F']}; the log is of electrons in Ry, rs > 0")
    n = int(re.search(r"^n = (\d+)", (run.folder / "config.toml").read_text(encoding="utf-8"), re.MULTILINE)[1])
    steps = run.steps("training")
    columns = [n * steps[name + end] for name in "FEKVS" for end in ("", "_err")]
    for step, *values, acceptance in zip(steps["step"], *columns, steps["acceptance"]):
        print("%6d" % step + "".join("  %.6f" % v for v in values) + "  %.4f" % acceptance)


if __name__ == "__main__":
    command, *arguments = sys.argv[1:] or [""]
    if command == "parameters" and len(arguments) == 2:
        parameters(*arguments)
    elif command == "log" and len(arguments) == 1:
        log(*arguments)
    else:
        sys.exit(__doc__)
