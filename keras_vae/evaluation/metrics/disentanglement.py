"""Measures whether single units of a code correspond to single known factors of the images.

Every score takes codes, float `[n, d]` (the posterior means), and factors, int `[n, k]` (values 0, 1, ... of each
factor), and is between 0 and 1. Each docstring gives the value expected by chance. Implementations differ slightly, so
compare values of the same implementation only. The scores depend on the axes: a rotation of all units keeps the
information, but brings the scores near 0. A factor with a single value is ignored. Reduce wide codes to the units with
the highest rate first: 50 units take about half a minute.

The scores of Higgins et al. and of Kim and Mnih are defined with newly generated images that share one factor. Here,
groups of images that share a value are drawn from the given images. Training and evaluation groups come from two halves
of the images, because they would otherwise share random properties.
"""

import numpy as np

BINS = 20  # of a unit's histogram, over its range (Locatello et al. 2019)
GROUP_SIZE = 64  # images or pairs for one vote or point
LEAST_GROUP = 8  # a factor's value is used only if at least this many images share it
TRAIN_GROUPS, TEST_GROUPS = 2000, 1000
TREE_IMAGES = 3000  # training images of the scores that fit trees
NUM_TREES = 20
LEAST_IN_LEAF = 3  # images in a leaf; with fewer, uninformative units would get importance
LEAST_SPREAD = 0.05  # of the widest unit's standard deviation; narrower units are collapsed


def disentanglement_scores(codes, factors, seed=0):
    """Returns all scores: {"mig", "sap", "dci": {...}, "factor_vae", "beta_vae"}.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Seed for the split into halves, the groups and the trees.
    """
    return {
        "mig": mutual_information_gap(codes, factors),
        "sap": separated_attribute_predictability(codes, factors, seed),
        "dci": dci(codes, factors, seed),
        "factor_vae": factor_vae_score(codes, factors, seed),
        "beta_vae": beta_vae_score(codes, factors, seed),
    }


def mutual_information_gap(codes, factors):
    """Returns MIG: the mean over factors of the gap in mutual information between the two best units.

    Chen, Li, Grosse and Duvenaud 2018, equation 6: `1/k sum_v (I(z_first; v) - I(z_second; v)) / H(v)`, from
    histograms of 20 bins. Useless codes have about 0, and so do perfect codes in which each unit occurs twice.
    Histograms overestimate the information of every unit by about `19 (values - 1) / 2n` nats. This cancels in the
    difference, but with many values and few images the scores are too small.

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
    """Returns SAP: the mean over factors of the gap in accuracy between the two units that predict it best.

    Kumar, Sattigeri and Balakrishnan 2018, section 3: thresholds on one unit are chosen for the smallest balanced
    error, here by a tree with as many leaves as the factor has values. The score is the balanced accuracy on held-out
    images, as a share of the possible gain over chance, which raises perfect codes from 1 - 1 / values to 1. Useless
    codes and duplicated units have about 0. A linear classifier instead of thresholds, as in disentanglement_lib,
    separates only a factor's outer values, so scores are lower for many values.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Seed for the split into training and held-out images.
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

    Eastwood and Williams 2018, section 2: a random forest predicts each factor from all units and gives the importance
    of each unit, R `[d, k]`. Disentanglement is 1 minus the entropy of a unit's row (base k), with rows weighted by
    their share in R: does each unit represent one factor? Completeness is 1 minus the entropy of a factor's column
    (base d): is each factor in one unit? Informativeness is the forests' accuracy on held-out images.

    Useless codes have about 0, 0 and the share of the most frequent value. Duplicated units keep their disentanglement
    and lose log 2 / log d of completeness. Rotated codes lose both and keep informativeness if there are many images.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Seed for the forests and for the split into training and held-out images.

    Returns:
        {"disentanglement", "completeness", "informativeness"}, floats.
    """
    from sklearn.ensemble import RandomForestClassifier

    codes, factors = _check(codes, factors)
    train, test = _halves(len(codes), seed)
    train = train[:TREE_IMAGES]
    importances, accuracies = [], []
    for factor in factors.T:
        # All units are tried at every split: random subsets would force splits on uninformative units.
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
    """Returns the accuracy with which the unit that varies least in a group identifies the shared factor.

    Kim and Mnih 2018, section 4: among 64 images that share the value of one factor, the unit with the smallest
    variance (divided by its variance in all images) votes for that factor. Each unit predicts the factor with most of
    its votes, and the score is the accuracy on further groups. Chance is about 1/k. Collapsed units, with a standard
    deviation below 0.05 of the widest unit's, do not vote. Perfect codes have 1, also with duplicated units.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Seed for the groups.
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
    """Returns the accuracy with which a linear classifier predicts the shared factor from mean differences of pairs.

    Higgins et al. 2017, section 3: from the mean of `|z - z'|` over 64 pairs of images that share the value of one
    factor, logistic regression predicts the factor. Each unit is scaled to variance 1 first. Chance is about 1/k. It is
    the most lenient score: duplicated units leave it at 1, and a rotation of all units lowers it only a little.

    Args:
        codes: `[n, d]`.
        factors: int `[n, k]`.
        seed: Seed for the pairs.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    codes, factors = _check(codes, factors)
    if factors.shape[1] == 1:
        return 1.0  # the only factor
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
    """Returns float64 codes, and factors numbered 0, 1, ... without those that have a single value."""
    codes, factors = np.asarray(codes, np.float64), np.asarray(factors)
    if codes.ndim != 2 or factors.ndim != 2 or len(codes) != len(factors) or len(codes) < 2 * LEAST_GROUP:
        raise ValueError(
            f"codes are {codes.shape} and factors {factors.shape}: expected [n, d] and [n, k] with the same n,"
            f" at least {2 * LEAST_GROUP}"
        )
    numbered = [np.unique(factor, return_inverse=True)[1] for factor in factors.T]
    varying = [factor for factor in numbered if factor.max() > 0]
    if not varying:
        raise ValueError("every factor has the same value in all images: give factors that vary")
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
    """Returns the mean over the values in `truth` of the share that was predicted correctly."""
    totals = np.bincount(truth)
    right = np.bincount(truth[predicted == truth], minlength=len(totals))
    return float(np.mean(right[totals > 0] / totals[totals > 0]))


def _concentration(importances):
    """Returns 1 minus the entropy of each row's shares, as a share of the largest possible entropy, `[rows]`."""
    rows, columns = importances.shape
    if columns == 1:
        return np.ones(rows)
    shares = (importances + 1e-12) / (importances + 1e-12).sum(axis=1, keepdims=True)
    return 1 + (shares * np.log(shares)).sum(axis=1) / np.log(columns)


def _standardised(codes):
    """Returns the units that are not collapsed, scaled to variance 1."""
    spread = codes.std(axis=0)
    if not spread.max() > 0:
        return np.zeros((len(codes), 1))
    alive = spread >= LEAST_SPREAD * spread.max()
    return codes[:, alive] / spread[alive]


def _draw_groups(factors, num_groups, num_each, generator):
    """Draws groups whose images share the value of one factor.

    Each group has one factor. In a group of single images (num_each 1), all share one value of the factor; in a group
    of pairs (num_each 2), the two images of each pair share a value.

    Returns:
        (factors int `[groups]`, images int `[groups, 64, num_each]`).
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
                f"no value of factor {index} is shared by {LEAST_GROUP} images in each half: give more images"
            )
        groups = np.flatnonzero(shared == index)
        values = generator.choice(usable, size=(len(groups), GROUP_SIZE if num_each == 2 else 1, 1))
        # With replacement, because a value may have fewer images than a group.
        offsets = generator.random((len(groups), GROUP_SIZE, num_each)) * counts[values]
        members[groups] = order[starts[values] + offsets.astype(np.int64)]
    return shared, members


def _by_group(codes, members, measure):
    """Returns `measure(codes of some groups [g, 64, e, d]) -> [g, d]` over all groups, in batches."""
    parts = np.array_split(members, max(1, members.size * codes.shape[1] // 2**22))
    return np.concatenate([measure(codes[part]) for part in parts])


def _mean_difference(pairs):
    return np.abs(pairs[:, :, 0] - pairs[:, :, 1]).mean(axis=1)
