"""What the repair exports, and what it does not export again."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from test_older import OLDER

from keras_vae.evaluation.repair import repair
from keras_vae.evaluation.subject import load_model
from keras_vae.samplers import Codes, GaussianSampler, Mixture
from keras_vae.training.run_folder import Run


def codes(shape, seed):
    means = np.random.default_rng(seed).normal(3, 2, (60, *shape)).astype("float32")
    return Codes(means, np.full_like(means, -2))


@pytest.mark.filterwarnings("ignore::UserWarning")  # the version of that run stored no variance
def test_a_decoder_is_exported_again_only_if_the_newest_does_not_draw_from_the_same_sampler(tmp_path):
    shutil.unpack_archive(OLDER / "run.zip", tmp_path / "run")
    run = Run(tmp_path / "run")
    model, checksum = load_model(run), run.model_checksum()
    shape = model.latent_shape
    fitted = {
        "gaussian": GaussianSampler(shape).fit(codes(shape, 0)),
        "mixture": Mixture(shape).fit(codes(shape, 0)),
    }

    def version(best, classes=()):
        results = {"generation_gap": {"best_sampler": best}}
        done = repair(run, model, SimpleNamespace(samplers=fitted, results=results), checksum, classes)
        assert (done.outcome, done.sampler) == ("exported", best)
        return int(done.version.removeprefix("serving/decoder/"))

    first = version("mixture")
    assert version("mixture") == first
    assert version("gaussian") == first + 1
    assert version("mixture") == first + 2  # the newest is what is served
    fitted["mixture"] = Mixture(shape).fit(codes(shape, 1))
    assert version("mixture") == first + 3
    assert version("mixture", ("cat", "dog")) == first + 4
    shutil.rmtree(run.serving / "decoder" / str(first + 4))
    assert version("mixture", ("cat", "dog")) == first + 4
