"""All figures of docs/performance.md: `python benchmarks RUN` runs one program after the other and prints their tables.

RUN is a run of train.py, whose decoder and evaluation are measured. Without --peers_python there are no rows of PyTorch
and Pythae. Takes hours; each program alone is shorter, and says with --help how to make it shorter still.
"""

import argparse
import subprocess
import sys

from measure import FOLDER


def programs(asked):
    """Returns the programs by name, each with its arguments."""
    peers = ["--peers_python", asked.peers_python] if asked.peers_python else []
    data = ["--data_dir", asked.data_dir] if asked.data_dir else []
    return {
        "training": peers,
        "onednn": [],
        "pipeline": data,
        "decoding": [asked.run, *peers, *data],
        "sizes": [],
        "folders": [],
        "roofline": [],
    }


def main():
    """Runs them; one that fails does not keep the others from running."""
    parser = argparse.ArgumentParser(
        prog="python benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("run", help="a run of train.py")
    parser.add_argument(
        "--peers_python", help="an interpreter that has benchmarks/requirements.txt installed"
    )
    parser.add_argument("--data_dir", help="folder of prepared or downloaded data, as train.py takes it")
    failed = []
    for name, flags in programs(parser.parse_args()).items():
        print(f"## {name}\n", flush=True)
        if subprocess.run([sys.executable, FOLDER / f"{name}.py", *flags]).returncode:
            failed.append(name)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
