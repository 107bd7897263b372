"""Measures whether single units of a code correspond to single known factors of the images.

Every score takes codes, float `[n, d]` (the posterior means), and factors, int `[n, k]` (values 0, 1, ... of
each factor), and is between 0 and 1. Each docstring gives the value expected by chance. The definitions vary slightly
between implementations, so values are best compared within one. They depend on the axes: a rotation of all units keeps
the information, but brings the scores near 0. A factor with one value is left out. Reduce wide codes to the units with
the highest rate first: 50 units take about half a minute.

The scores of Higgins and of Kim and Mnih are defined with newly generated images that share one factor. Here the
factors are an array, so such groups are drawn from the given images that share a value. Training and evaluation groups
come from two halves of the images, because they would otherwise share random properties.
"""

import numpy as np

BINS = 20  # of a unit's histogram, over its range (Locatello et al. 2019)
GROUP_SIZE = 64  # images or pairs that one vote or point is taken from
LEAST_GROUP = 8  # images that must share a value for it to be used
TRAIN_GROUPS, TEST_GROUPS = 2000, 1000
TREE_IMAGES = 3000  # to train on, for the scores that fit trees
NUM_TREES = 20
LEAST_IN_LEAF = 3  # of a tree: fewer would let units without information share in the importances
LEAST_SPREAD = 0.05  # of the widest unit's standard deviation; narrower units are collapsed


def disentanglement_scores(codes, factors, seed=0):
    """Returns all scores: {"mig", "sap", "dci": {...}, "factor_vae", "beta_vae"}.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Decides the split into halves, the groups and the trees.
    """
    return {
        "mig": mutual_information_gap(codes, factors),
        "sap": separated_attribute_predictability(codes, factors, seed),
        "dci": dci(codes, factors, seed),
        "factor_vae": factor_vae_score(codes, factors, seed),
        "beta_vae": beta_vae_score(codes, factors, seed),
    }


def mutual_information_gap(codes, factors):
    """Returns MIG: how much more the best unit tells about a factor than the second best, averaged over factors.

    Chen, Li, Grosse and Duvenaud 2018, equation 6: `1/k sum_v (I(z_first; v) - I(z_second; v)) / H(v)`, from
    histograms of 20 bins. Useless codes have about 0, and so do perfect codes in which each unit occurs twice.
    Histograms find spurious information, about `19 (values - 1) / 2n` nats for every unit. It cancels in the
    difference, but the shares are too small if there are many values and few images.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
    """
    codes, factors = _check(codes, factors)
    bins = np.stack([_histogram_bins(unit) for unit in codes.T], axis=1)
    gaps = []
    for factor in factors.T:
        information = np.sort([_mutual_information(unit, factor) for unit in bins.T] + [0.0])
        gaps.append((information[-1] - information[-2]) / _entropy(np.bincount(factor)))
    return float(np.mean(gaps))


def separated_attribute_predictability(codes, factors, seed=0):
    """Returns SAP: how much better the best unit predicts a factor than the second best, the mean over factors.

    Kumar, Sattigeri and Balakrishnan 2018, section 3: thresholds on one unit are chosen for the smallest
    balanced error, here by a tree with as many leaves as the factor has values; the balanced accuracy on
    images that were held out counts. It is expressed as a share of the possible gain over chance, which raises perfect
    codes from 1 - 1 / values to 1. Useless codes and duplicated units have about 0. A linear classifier instead of the
    thresholds, as in disentanglement_lib, separates only a factor's outer values and gives lower scores for many
    values.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Decides which images are held out.
    """
    from sklearn.tree import DecisionTreeClassifier

    codes, factors = _check(codes, factors)
    train, test = _halves(len(codes), seed)
    train = train[:TREE_IMAGES]
    gaps = []
    for factor in factors.T:
        chance = 1 / max(2, len(np.unique(factor[test])))
        scores = [0.0]  # the score of an uninformative unit, for codes with a single unit
        for unit in codes.T[:, :, None]:
            tree = DecisionTreeClassifier(
                max_leaf_nodes=max(2, factor.max() + 1), class_weight="balanced", random_state=seed
            )
            predicted = tree.fit(unit[train], factor[train]).predict(unit[test])
            scores.append((_balanced_accuracy(predicted, factor[test]) - chance) / (1 - chance))
        gaps.append(np.diff(np.sort(scores)[-2:])[0])
    return float(np.mean(gaps))


def dci(codes, factors, seed=0):
    """Returns disentanglement, completeness and informativeness.

    Eastwood and Williams 2018, section 2: a random forest predicts each factor from all units and tells how
    important each unit is, R `[d, k]`. Disentanglement is 1 minus the entropy of a unit's row (base k), with rows
    weighted by their share in R: does a unit represent one factor? Completeness is 1 minus the entropy
    of a factor's column (base d): is a factor in one unit? Informativeness is the forests' accuracy on
    images that were held out.

    Useless codes have about 0, 0 and the share of the most frequent value. Duplicated units keep their disentanglement
    and lose log 2 / log d of completeness. Rotated codes lose both and keep informativeness if there are many images.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Decides the forests and which images are held out.

    Returns:
        {"disentanglement", "completeness", "informativeness"}, floats.
    """
    from sklearn.ensemble import RandomForestClassifier

    codes, factors = _check(codes, factors)
    train, test = _halves(len(codes), seed)
    train = train[:TREE_IMAGES]
    importances, accuracies = [], []
    for factor in factors.T:
        # All units at every split: a random choice of them would have to use uninformative units.
        forest = RandomForestClassifier(
            NUM_TREES, max_features=None, min_samples_leaf=LEAST_IN_LEAF, random_state=seed, n_jobs=-1
        )
        forest.fit(codes[train], factor[train])
        importances.append(forest.feature_importances_)
        accuracies.append(forest.score(codes[test], factor[test]))
    importances = np.stack(importances, axis=1)
    shares = importances.sum(axis=1) / max(importances.sum(), np.finfo(float).tiny)
    return {
        "disentanglement": float(shares @ _concentration(importances)),
        "completeness": float(np.mean(_concentration(importances.T))),
        "informativeness": float(np.mean(accuracies)),
    }


def factor_vae_score(codes, factors, seed=0):
    """Returns how well the unit that varies least in a group identifies the factor that the group shares.

    Kim and Mnih 2018, section 4: in 64 images that share the value of one factor, the unit with the smallest
    variance (over its variance in all images) votes for that factor; the accuracy of the majority's choice
    for each unit on further groups. Chance is about 1/k. Collapsed units, with a standard deviation below
    0.05 of the widest unit's, do not vote. Perfect codes have 1, also with duplicated units.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Decides the groups.
    """
    codes, factors = _check(codes, factors)
    codes = _standardised(codes)
    rounds = []
    for number, (half, num_groups) in enumerate(zip(_halves(len(codes), seed), (TRAIN_GROUPS, TEST_GROUPS))):
        generator = np.random.default_rng([seed, number])
        shared, members = _draw_groups(factors[half], num_groups, 1, generator)
        variances = _by_group(codes[half], members, lambda group: group[:, :, 0].var(axis=1))
        rounds.append((np.argmin(variances, axis=1), shared))
    votes = np.zeros((codes.shape[1], factors.shape[1]), int)
    np.add.at(votes, rounds[0], 1)
    units, shared = rounds[1]
    return float(np.mean(votes.argmax(axis=1)[units] == shared))


def beta_vae_score(codes, factors, seed=0):
    """Returns how well a linear classifier finds the shared factor from mean absolute differences of pairs.

    Higgins et al. 2017, section 3: the mean over 64 pairs of `|z - z'|`, where both images of each pair share
    the value of one factor; logistic regression says which factor. Codes are brought to unit variance per
    unit first. Chance is about 1/k. It is the most lenient score: duplicated units leave it at 1, and a rotation of all
    units lowers it little.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Decides the pairs.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    codes, factors = _check(codes, factors)
    if factors.shape[1] == 1:
        return 1.0  # there is one factor to choose from
    codes = _standardised(codes)
    points = []
    for number, (half, num_groups) in enumerate(zip(_halves(len(codes), seed), (TRAIN_GROUPS, TEST_GROUPS))):
        generator = np.random.default_rng([seed, number])
        shared, members = _draw_groups(factors[half], num_groups, 2, generator)
        differences = _by_group(codes[half], members, _mean_difference)
        points.append((differences, shared))
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return float(classifier.fit(*points[0]).score(*points[1]))


def _check(codes, factors):
    """Returns float64 codes, and factors as 0, 1, ... without those that have one value."""
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or len(codes) < 2 * LEAST_GROUP:
        raise ValueError(
            f"codes are {codes.shape} and factors {factors.shape}: expected [n, d] and [n, k] with the same n,"
            f" at least {2 * LEAST_GROUP}"
        )
    numbered = [np.unique(factor, return_inverse=True)[1] for factor in factors.T]
    varying = [factor for factor in numbered if factor.max() > 0]
    if not varying:
        raise ValueError("every factor has one value in all images: there is nothing to disentangle")
    return codes, np.stack(varying, axis=1)


def _halves(count, seed):
    order = np.random.default_rng(seed).permutation(count)
    return order[: (count + 1) // 2], order[(count + 1) // 2 :]


def _histogram_bins(unit):
    edges = np.linspace(unit.min(), unit.max(), BINS + 1)[1:-1]
    return np.digitize(unit, edges)


def _mutual_information(unit, factor):
    """Returns I(unit; factor) in nats of two integer arrays `[n]`."""
    counts = np.bincount(unit * (factor.max() + 1) + factor, minlength=BINS * (factor.max() + 1))
    counts = counts.reshape(BINS, -1)
    return _entropy(counts.sum(axis=1)) + _entropy(counts.sum(axis=0)) - _entropy(counts.ravel())


def _entropy(counts):
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _balanced_accuracy(predicted, truth):
    """Returns the mean over the values in `truth` of the share that was predicted right."""
    totals = np.bincount(truth)
    right = np.bincount(truth[predicted == truth], minlength=len(totals))
    return float(np.mean(right[totals > 0] / totals[totals > 0]))


def _concentration(importances):
    """Returns 1 less the entropy of each row's shares, in units of the entropy of equal shares, `[rows]`."""
    rows, columns = importances.shape
    if columns == 1:
        return np.ones(rows)
    shares = (importances + 1e-12) / (importances + 1e-12).sum(axis=1, keepdims=True)
    return 1 + (shares * np.log(shares)).sum(axis=1) / np.log(columns)


def _standardised(codes):
    """Returns the units that are not collapsed, with variance 1."""
    spread = codes.std(axis=0)
    if not spread.max() > 0:
        return np.zeros((len(codes), 1))
    alive = spread >= LEAST_SPREAD * spread.max()
    return codes[:, alive] / spread[alive]


def _draw_groups(factors, num_groups, num_each, generator):
    """Draws groups whose images share the value of one factor.

    Each group has one factor. For a group of single images (num_each 1) all share one value of it; of pairs
    (num_each 2) each pair shares a value of its own.

    Returns:
        (int `[groups]`, the factor; int `[groups, 64, num_each]`, the images).
    """
    shared = generator.integers(factors.shape[1], size=num_groups)
    members = np.empty((num_groups, GROUP_SIZE, num_each), np.int64)
    for index in range(factors.shape[1]):
        order = np.argsort(factors[:, index], kind="stable")
        counts = np.bincount(factors[:, index])
        starts = np.cumsum(counts) - counts
        usable = np.flatnonzero(counts >= LEAST_GROUP)
        if not len(usable):
            raise ValueError(
                f"no value of factor {index} is shared by {LEAST_GROUP} images of a half: give more images"
            )
        groups = np.flatnonzero(shared == index)
        values = generator.choice(usable, size=(len(groups), GROUP_SIZE if num_each == 2 else 1, 1))
        # With replacement: a value may be shared by fewer images than a group has.
        offsets = generator.random((len(groups), GROUP_SIZE, num_each)) * counts[values]
        members[groups] = order[starts[values] + offsets.astype(np.int64)]
    return shared, members


def _by_group(codes, members, measure):
    """Returns `measure(codes of some groups [g, 64, e, d]) -> [g, d]` over all groups, some at a time."""
    parts = np.array_split(members, max(1, members.size * codes.shape[1] // 2**22))
    return np.concatenate([measure(codes[part]) for part in parts])


def _mean_difference(pairs):
    return np.abs(pairs[:, :, 0] - pairs[:, :, 1]).mean(axis=1)
