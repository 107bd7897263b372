"""SavedModels of a decoder and of an encoder, which plain TensorFlow and TF Serving load.

    serving/decoder/1/    decode (also serving_default): latent -> image;  sample: seed -> image, latent
    serving/encoder/1/    encode (also serving_default): image -> mean, log_var;  reconstruct: image -> image

The batch size is free and all tensors are float32, whatever precision the model was trained in: a float32 twin
of the model is exported. On a CPU it gives a float32 model's own images bit for bit, and its own rows too where
the batch is larger or smaller, but for float32 rounding: convolutions choose their algorithm by the batch's size.
"""

import contextlib
import errno
import os
import random
import re
import shutil
import uuid
import warnings
from pathlib import Path

from keras_vae.latents import show_shape
from keras_vae.lazy import keras, tf
from keras_vae.samplers import Prior

# What a rename answers where another process has just taken the name.
TAKEN = (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR)


def export(model, folder, sampler=None):
    """Writes the next version of a model's decoder and encoder, each whole or not at all.

    Args:
        model: An `Autoencoder`, of any precision.
        folder: The folder of both, a run's `serving`; it is made where there is none.
        sampler: What `sample` draws codes from (`keras_vae.samplers`); by default N(0, I), for a plain
            autoencoder too.

    Returns:
        The folders written, a dict of `decoder` and `encoder`, such as `serving/decoder/1`.

    Raises:
        OSError: The folder cannot be written. A decoder that was complete by then stays.
        ValueError: The sampler's codes are not what the decoder takes.
    """
    twin = float32_twin(model)
    return {
        "decoder": write_version(Path(folder) / "decoder", decoder_endpoints(twin, sampler)),
        "encoder": write_version(Path(folder) / "encoder", encoder_endpoints(twin)),
    }


def export_decoder(model, folder, sampler=None):
    """Writes the next version of the decoder alone, `folder/decoder/N`; as `export`, and returns its path."""
    return write_version(Path(folder) / "decoder", decoder_endpoints(float32_twin(model), sampler))


def export_encoder(model, folder):
    """Writes the next version of the encoder alone, `folder/encoder/N`; as `export`, and returns its path."""
    return write_version(Path(folder) / "encoder", encoder_endpoints(float32_twin(model)))


def float32_twin(model):
    """Returns a model of the same weights that computes in float32.

    Building it draws initial weights, so the generator that Keras takes their seeds from is put back: an
    export in the middle of a program changes nothing that the program draws later.
    """
    state = random.getstate()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the model's own advice has been given already
        twin = type(model).from_config({**model.get_config(), "dtype": "float32"})
    random.setstate(state)
    twin.set_weights(model.get_weights())
    return twin


def decoder_endpoints(model, sampler=None):
    """Returns the decoder's signatures: a function and its input by name, the default first."""
    sampler = sampler or Prior(model.latent_shape)
    decode_rows = of_any_count(model.decode)

    def decode(latent):
        return {"image": decode_rows(latent)}

    def sample(seed):
        latent = sampler.sample(seed)
        if tuple(latent.shape[1:]) != model.latent_shape:
            raise ValueError(
                f"the sampler draws codes of shape {show_shape(latent.shape[1:])}: the decoder takes"
                f" {show_shape(model.latent_shape)} (fit the sampler to this model's codes)"
            )
        return {"image": decode_rows(latent), "latent": latent}

    return {
        "decode": (decode, tf.TensorSpec((None, *model.latent_shape), "float32", "latent")),
        "sample": (sample, tf.TensorSpec((None,), "int64", "seed")),
    }


def encoder_endpoints(model):
    """Returns the encoder's signatures: a function and its input by name, the default first."""
    encode_rows = of_any_count(model.encode)
    reconstruct_rows = of_any_count(lambda image: model.decode(model.encode(image)[0]))

    def encode(image):
        mean, log_var = encode_rows(image)
        return {"mean": mean, "log_var": log_var}

    def reconstruct(image):
        return {"image": reconstruct_rows(image)}

    images = tf.TensorSpec((None, *model.image_shape), "float32", "image")
    return {"encode": (encode, images), "reconstruct": (reconstruct, images)}


def of_any_count(function):
    """Returns `function` of a batch, made to work where the batch has no rows.

    oneDNN's fused convolution gives an empty batch a wrong shape, and the next convolution refuses it
    (TensorFlow 2.21: "input depth must be evenly divisible by filter depth"). So a row of zeros stands in, and
    its results are cut off.
    """

    def padded(rows):
        count = tf.shape(rows)[0]
        # Not by tf.pad: TensorFlow fuses that into a 1x1 convolution, which pads height and width alone.
        spare = tf.zeros(tf.concat([[tf.cast(tf.equal(count, 0), "int32")], rows.shape[1:]], axis=0))
        some_rows = tf.concat([rows, spare], axis=0)
        some_rows.set_shape(rows.shape)
        return tf.nest.map_structure(lambda result: result[:count], function(some_rows))

    return padded


def write_version(servable, endpoints):
    """Writes a SavedModel as the next version below the folder `servable` and returns its folder.

    It is written beside the versions under a name that is no number, which TF Serving passes over, and renamed
    when it is complete.
    """
    # Nothing is tracked: what the functions use is stored anyway, and what is tracked is stored once more.
    archive = keras.export.ExportArchive()
    for name, (function, signature) in endpoints.items():
        archive.add_endpoint(name, function, [signature]).get_concrete_function()
    unfinished = servable / f".unfinished-{uuid.uuid4().hex}"
    try:
        servable.mkdir(parents=True, exist_ok=True)
        archive.write_out(str(unfinished), verbose=False)
        return publish(unfinished)
    except (OSError, tf.errors.OpError) as error:
        raise OSError(
            f"cannot write a SavedModel into {servable}: {reason(error)}"
            " (it takes a folder that can be written and room for the weights)"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        with contextlib.suppress(OSError):
            servable.rmdir()  # goes only where it is empty: no version was there, and none came


def publish(unfinished):
    """Renames a complete version to the next number in its folder, and returns the new path.

    A folder cannot be renamed to one that has content, so of two processes that want the same number one is
    refused, and takes the next.
    """
    while True:
        version = unfinished.parent / str(next_version(unfinished.parent))
        try:
            return unfinished.rename(version)
        except OSError as error:
            if error.errno not in TAKEN or not version.exists():
                raise


def next_version(servable):
    """Returns one more than the largest number that names anything in the folder `servable`."""
    names = (name for name in os.listdir(servable) if re.fullmatch("[0-9]+", name))
    return max(map(int, names), default=0) + 1


def reason(error):
    """Returns what the system said, such as "No space left on device", of an error of Python's or TensorFlow's."""
    if isinstance(error, OSError):
        return error.strerror or error
    return re.sub(r"^.*; | \[Op:.*", "", error.message)  # it stands between the path and the operation's name
