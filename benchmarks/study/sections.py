"""The six sections, in the order in which they are worth most."""

from benchmarks.study import advice, continuity, question, remedies, small_set, verdicts

SECTIONS = {
    1: question,
    4: remedies,
    6: verdicts,
    5: advice,
    2: continuity,
    3: small_set,
}


def trials_of(numbers=tuple(SECTIONS)):
    """Returns the trials of sections by name, in their order; what several sections need is there once."""
    return {trial.name: trial for number in numbers for trial in SECTIONS[number].TRIALS}


def covering(trials):
    """Returns, of trials by name, the cheapest of each kind: together they do all that the others do."""
    cheapest = {}
    for trial in sorted(trials.values(), key=lambda trial: trial.cost):
        cheapest.setdefault(trial.kind, trial.name)
    return {name: trial for name, trial in trials.items() if name in cheapest.values()}
