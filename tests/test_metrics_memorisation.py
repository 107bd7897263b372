import numpy as np
import pytest

from keras_vae.evaluation.metrics.manifold import density_and_coverage
from keras_vae.evaluation.metrics.memorisation import (
    CopyingScores,
    authentic,
    closeness_z,
    copies,
    copying_scores,
    nearest_training_images,
)

WIDTH = 6


def draw(count, seed, spread=1.0):
    """Rows around four centres."""
    generator = np.random.default_rng(seed)
    centres = 4 * np.eye(4, WIDTH)[generator.integers(4, size=count)]
    return centres + spread * generator.standard_normal((count, WIDTH))


def scored(samples, test, training):
    return copying_scores(samples, nearest_training_images(test, training)[1][:, 0], training)


def judged(samples, reconstructions, test, training):
    scores, reconstruction, real = (scored(s, test, training) for s in (samples, reconstructions, test))
    return copies(scores, reconstruction, real, density_and_coverage(samples, draw(700, 77))["density"])


def test_nearest_training_images_of_copies_are_the_images_themselves():
    training = draw(300, 0).astype("float32")
    indices, distances = nearest_training_images(training[[5, 250, 17]], training, 2)
    np.testing.assert_array_equal(indices[:, 0], [5, 250, 17])
    assert (distances[:, 0] == 0).all()
    assert (distances[:, 1] > 0).all()


def test_z_is_scipys_mann_whitney_without_its_continuity_correction():
    from scipy.stats import mannwhitneyu, norm

    generator = np.random.default_rng(0)
    first, second = np.round(generator.random(40), 1), np.round(generator.random(60) ** 2, 1)
    result = mannwhitneyu(first, second, alternative="less", method="asymptotic", use_continuity=False)
    assert norm.cdf(closeness_z(first, second)) == pytest.approx(result.pvalue, rel=1e-9)


def test_z_by_hand():
    # Of the pairs (1, 2, 4) against (3, 5), 4 > 3 alone: U = 1, mean 3, variance 3 * 2 * 6 / 12 = 3
    assert closeness_z(np.array([1.0, 2, 4]), np.array([3.0, 5])) == pytest.approx(-2 / np.sqrt(3))


def test_z_changes_its_sign_with_the_order_and_is_zero_for_equal_sets():
    first, second = np.random.default_rng(0).random((2, 50))
    assert closeness_z(first, second) == pytest.approx(-closeness_z(second, first))
    assert closeness_z(first, first) == 0
    assert closeness_z(np.ones(5), np.ones(5)) == 0


def test_z_of_equal_distributions_is_standard_normal():
    z = [closeness_z(*np.random.default_rng(seed).random((2, 80))) for seed in range(400)]
    assert np.mean(z) == pytest.approx(0, abs=0.15)
    assert np.std(z) == pytest.approx(1, abs=0.1)


def test_authentic_by_hand():
    # Training 0, 1, 10: their own nearest are at 1, 1 and 9. Samples: 0.4 (0.4 < 1), 3 (2 > 1), 17 (7 < 9).
    training = np.array([[0.0], [1], [10]])
    np.testing.assert_array_equal(authentic(np.array([[0.4], [3], [17]]), training), [False, True, False])


def test_real_test_images_score_a_z_of_zero_and_the_authenticity_of_unseen_images():
    test, training = draw(600, 0), draw(3000, 1)
    scores = scored(test, test, training)
    assert scores.z == 0
    assert scores.authenticity == authentic(test, training).mean()
    assert 0.5 < scores.authenticity < 0.75
    assert scores.num_images == 600


def test_exact_and_near_copies_are_flagged():
    test, training, reconstructions = draw(600, 0), draw(3000, 1), draw(600, 2)
    exact = training[:600]
    flag, sentence = judged(exact, reconstructions, test, training)
    assert flag is True
    assert "authenticity 0.00" in sentence
    near = exact + 0.1 * np.random.default_rng(3).standard_normal(exact.shape)
    assert judged(near, reconstructions, test, training)[0] is True


def test_a_lookup_table_whose_reconstructions_are_copies_too_is_flagged():
    test, training = draw(600, 0), draw(3000, 1)
    reconstructions = training[nearest_training_images(test, training)[0][:, 0]]
    assert scored(reconstructions, test, training).authenticity == 0
    assert judged(training[:600], reconstructions, test, training)[0] is True


def test_unseen_real_images_are_not_flagged():
    assert judged(draw(600, 5), draw(600, 2), draw(600, 0), draw(3000, 1))[0] is False


def test_half_copies_are_flagged():
    training = draw(3000, 1)
    samples = np.concatenate([training[:300], draw(300, 5)])
    assert judged(samples, draw(600, 2), draw(600, 0), training)[0] is True


def test_blur_is_not_taken_for_copying():
    # Tricky: blur draws images towards the middle of their class, where training images are dense. Z alone flags.
    test, training = draw(600, 0), draw(3000, 1)
    blurred, reconstructions = draw(600, 5, spread=0.5), draw(600, 2, spread=0.5)
    assert scored(blurred, test, training).z < -10
    flag, sentence = judged(blurred, reconstructions, test, training)
    assert flag is False
    assert "no closer" in sentence


def test_garbage_is_not_judged():
    garbage = np.random.default_rng(3).standard_normal((600, WIDTH)) + 9
    flag, sentence = judged(garbage, draw(600, 2), draw(600, 0), draw(3000, 1))
    assert flag is None
    assert "density" in sentence


def test_of_few_images_copies_alone_are_told():
    training = draw(3000, 1)
    assert judged(training[:200], draw(600, 2), draw(600, 0), training)[0] is True
    flag, sentence = judged(draw(200, 3), draw(600, 2), draw(600, 0), training)
    assert flag is None
    assert "200 images are too few" in sentence
    assert judged(training[:90], draw(600, 2), draw(600, 0), training)[0] is None


def test_a_model_that_leaves_the_noise_out_is_not_taken_for_a_lookup_table():
    """A plane's points lie closer to training images around it than these lie to each other: few are authentic."""
    generator = np.random.default_rng(9)
    clean = generator.standard_normal((4200, 2)) @ generator.standard_normal((2, 20))
    noisy = clean + 0.5 * generator.standard_normal(clean.shape)
    training, test, reconstructions, samples = noisy[:3000], noisy[3000:3600], clean[3000:3600], clean[3600:]
    scores, reconstruction, real = (scored(part, test, training) for part in (samples, reconstructions, test))
    assert scores.authenticity < 0.1
    assert scores.z < -5
    assert copies(scores, reconstruction, real, density=0.9)[0] is False


def test_each_condition_alone_does_not_flag():
    real = CopyingScores(0.0, 0.64, 0.02, 500)
    reconstruction = CopyingScores(-6.0, 0.54, 0.02, 500)

    def flag(z, authenticity, density=0.9):
        return copies(CopyingScores(z, authenticity, 0.02, 500), reconstruction, real, density)[0]

    assert flag(-33.7, 0.03) is True
    assert flag(-10.9, 0.03) is False  # within 5 of the reconstructions' z
    assert flag(-33.7, 0.50) is False  # within 0.15 of real images
    assert flag(-33.7, 0.03, density=0.5) is None
    assert flag(-33.7, 0.03, density=float("nan")) is None
