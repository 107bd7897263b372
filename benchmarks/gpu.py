"""What does a GPU gain, in which precision, through which backend of Keras? `python benchmarks/gpu.py` takes ten minutes.

Through JAX and PyTorch, whichever are installed, each in processes of its own: a training step of the two networks of
`training.py`, of a wide residual one at 64x64, and of flow matching's velocity network; and drawing codes by it. In
bfloat16, float32 and float16, each against the roofline of `roofline.py`, on a batch that stays on the device. On JAX a
step is the package's own. `import keras_vae` refuses PyTorch; its networks run there and are trained by Keras' own step
(`peers/parts.py`). Numbers of steps a call are tried in the first precision: 1, 4 and 16.

What is not measured when the time is over is named. On a CPU, `--quick` tries that everything runs: small batches,
which say nothing about speed.
"""

import json
import os
import subprocess
import sys
import time

from measure import arguments, can_import, machine, peer_command, publish, run, table
from roofline import HEADER, row_of
from roofline import PRECISIONS as PRECISION_NAMES

BACKENDS = ("jax", "torch")
CASES = ("keras_io", "pythae", "residual, 64x64", "flow matching, an update", "flow matching, codes")
PRECISIONS = ("mixed_bfloat16", "float32", "mixed_float16")
ONLY_FLOAT32 = CASES[3:]  # the sampler's layers are float32 in every model
MINUTES = 9.5


def asked_of(case, asked, ceilings):
    """Returns the command of the process that measures `case` in the precisions whose ceiling is known."""
    known = [one for one in asked.precisions if PRECISION_NAMES[one] in ceilings.get("products", ())]
    precisions = [one for one in known if case not in ONLY_FLOAT32 or one == "float32"]
    flags = ["--case", case, "--precisions", *(precisions or ["float32"])]
    flags += (
        ["--seconds", 0.1, "--together", 1, 2, "--quick"] if asked.quick else ["--seconds", asked.seconds]
    )
    return peer_command("on_device", *flags)


def answer(command, backend, until):
    """Returns what a process answers, or what failed, as `{"error": ...}`; it is stopped when the time is over."""
    left = until - time.monotonic()
    if left <= 0:
        return {"error": "not started: the time was over"}
    try:
        return run(command, env={**os.environ, "KERAS_BACKEND": backend}, timeout=left)
    except subprocess.TimeoutExpired as stopped:
        return {**said_before(stopped.stdout), "error": "stopped: the time was over"}
    except (SystemExit, json.JSONDecodeError) as error:
        return {"error": str(error)[-2000:]}


def said_before(output):
    """Returns the last answer in the `output` of a process that was stopped, which answers after each precision."""
    text = output.decode(errors="replace") if isinstance(output, bytes) else output or ""
    for line in reversed(text.splitlines()):
        try:
            return json.loads(line)
        except json.JSONDecodeError:  # cut off
            continue
    return {}


def rows_of(backend, case, found, ceilings):
    """Returns the table's rows of a case."""
    for point in found.get("points", ()):
        *row, memory = row_of(case, point["precision"], [point], [ceilings])
        yield (backend, *row, point["together"], memory)


def left_out(found):
    """Returns lines on what was not measured, from the answers by backend and case."""
    for backend, cases in found.items():
        for case, result in cases.items():
            reasons = {"": result["error"]} if "error" in result else result.get("failed", {})
            for precision, reason in reasons.items():
                words = " ".join(filter(None, (backend, case, precision)))
                yield f"- {words}: {reason.strip().splitlines()[-1]}"


def main():
    """Measures, prints tables and writes all answers."""
    parser = arguments(__doc__, rounds=1, output="build/benchmarks/gpu.json")
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=list(BACKENDS))
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--precisions", nargs="+", choices=PRECISIONS, default=list(PRECISIONS))
    parser.add_argument("--seconds", type=float, default=1.0, help="for each number of steps a call")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for everything")
    parser.add_argument("--quick", action="store_true", help="small batches and matrices, to try it on a CPU")
    asked = parser.parse_args()
    until, facts = time.monotonic() + 60 * asked.minutes, {"machine": machine(), "quick": asked.quick}
    sizes = ["--sizes", 256, "--seconds", 0.1] if asked.quick else []
    installed = [one for one in asked.backends if can_import(sys.executable, one)]
    facts["ceilings"] = {one: answer(peer_command("device", *sizes), one, until) for one in installed}
    facts["found"] = {one: {} for one in installed}
    for case in asked.cases:
        for backend in installed:
            print(f"{case}, {backend}", file=sys.stderr, flush=True)
            facts["found"][backend][case] = answer(
                asked_of(case, asked, facts["ceilings"][backend]), backend, until
            )
    rows = [
        row
        for case in asked.cases
        for backend in installed
        if "error" not in facts["ceilings"][backend]
        for row in rows_of(backend, case, facts["found"][backend][case], facts["ceilings"][backend])
    ]
    limits = [
        (
            backend,
            found["device"],
            *(f"{found['products'].get(one, 0):,.2f}" for one in ("float32", "bfloat16", "float16")),
            f"{found['copy']:,.0f}",
        )
        for backend, found in facts["ceilings"].items()
        if "error" not in found
    ]
    header = ("backend", *HEADER[:-1], "steps a call", HEADER[-1])
    ceilings = ("ceilings", "device", "float32, TFLOP/s", "bfloat16", "float16", "copying, GB/s")
    missing = [f"- {one}: not installed" for one in asked.backends if one not in installed]
    missing += [
        f"- {one}, ceilings: {found['error'][-300:]}"
        for one, found in facts["ceilings"].items()
        if "error" in found
    ]
    missing += left_out(facts["found"])
    publish(
        asked.output,
        facts,
        table(header, rows),
        table(ceilings, limits),
        *(["Not measured:", "\n".join(missing)] if missing else []),
    )


if __name__ == "__main__":
    main()
