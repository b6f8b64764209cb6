"""The whole way from the films to the bundle, one step after another, in this order and no other.

    python reproduce.py --data ../../../shared/data/chest-radiographs --runs runs
"""

import argparse
import subprocess
import sys
from pathlib import Path

from dataset import DATA

HERE = Path(__file__).parent


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--data", type=Path, default=DATA)
    options.add_argument("--runs", type=Path, default=Path("runs"))
    options = options.parse_args()
    data, runs = ["--data", str(options.data)], ["--runs", str(options.runs)]
    step("train.py", *data, "--out", str(options.runs))
    step("fine_tune.py", *data, "--out", str(options.runs))
    step("calibrate.py", *data, *runs)
    step("export.py", *runs, "--out", str(options.runs / "model.onnx"))
    step("evaluate.py", *data, *runs)
    step("distribution.py", *data, "--model", str(options.runs / "model.onnx"))
    step("bundle.py", *runs)


def step(script: str, *arguments: str) -> None:
    print(f"== {script}", flush=True)
    subprocess.run([sys.executable, str(HERE / script), *arguments], check=True)


if __name__ == "__main__":
    main()
