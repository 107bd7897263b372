"""One trial, from wherever it stands: `python -m benchmarks.study.one_trial PLACE NAME`, PLACE in JSON.

A process of its own, which has one core, returns its memory, and ends as soon as the study does.
"""

import json
import pathlib
import sys
import threading

from benchmarks.study.sections import trials_of
from benchmarks.study.trials import Place, write_record
from keras_vae.parallel.task import end_with_the_parent
from keras_vae.runtime import devices


def main():
    """Makes the trial and writes its record."""
    told, name = json.loads(sys.argv[1]), sys.argv[2]
    place = Place(
        **{**told, "output": pathlib.Path(told["output"]), "records": pathlib.Path(told["records"])}
    )
    threading.Thread(target=end_with_the_parent, daemon=True).start()
    devices.start()
    trial = trials_of()[name]
    write_record(place.record(trial), trial, trial.make(place))


if __name__ == "__main__":
    main()
