"""Streams of batches that are checked as they arrive: every kind that Keras accepts, on every backend.

`fit` and similar methods get the adapter of their data from Keras and pass it back wrapped in `CheckedStream`. Keras
accepts an adapter instead of data (`get_data_adapter`). This is undocumented and works in Keras 3.3 to 3.15;
`tests/test_inputs.py` fails if it stops working.
"""

import contextlib
import dataclasses
import types

from keras_vae.model.inputs import CLEAN, Batch, unpack
from keras_vae.runtime.lazy import keras, tf
from keras_vae.runtime.upstream import data_adapters

OF_A_BATCH = " of a batch"  # after "the images"
adapters = data_adapters()


class CheckedStream(adapters.data_adapter.DataAdapter):
    """A stream of batches, an adapter of Keras, whose batches are checked by an `InputSpec` and packed.

    Attributes:
        refusal: The message about a batch that was rejected in a graph, else None.
        noticed: A function that is called for batches of noisy images with clean targets, or None.
    """

    def __init__(self, adapter, spec, for_call, noticed=None):
        self.adapter, self.spec, self.for_call, self.noticed = adapter, spec, for_call, noticed
        self.refusal = None

    def packed(self, batch):
        """Returns a `Batch` in the form that the steps expect."""
        if self.for_call:
            return (batch.inputs(),)
        return batch.pack()

    def get_tf_dataset(self):
        """Returns the batches as a `tf.data.Dataset`. Distributed datasets are not checked."""
        dataset = self.adapter.get_tf_dataset()
        if not isinstance(dataset, tf.data.Dataset):
            return dataset
        # Checked in parallel with the training steps.
        return dataset.map(tf.autograph.experimental.do_not_convert(self.in_graph), tf.data.AUTOTUNE)

    def get_jax_iterator(self):
        """Yields the batches as arrays."""
        return map(self.checked, self.adapter.get_jax_iterator())

    def get_numpy_iterator(self):
        """Yields the batches as NumPy arrays."""
        return map(self.checked, self.adapter.get_numpy_iterator())

    def checked(self, data):
        """Checks a batch of arrays and returns it packed."""
        batch = self.spec.unpack(data)
        self.spec.check_values(batch, OF_A_BATCH)
        if self.noticed is not None and batch.is_noisy():
            self.noticed()
        return self.packed(batch)

    def in_graph(self, *parts):
        """Returns a batch of tensors, packed. It is checked in Python only if its values fail the fast tests."""
        batch = self.spec.unpack(parts if len(parts) > 1 else parts[0])
        fields = [field.name for field in dataclasses.fields(Batch) if getattr(batch, field.name) is not None]

        def look(*arrays):
            return self.look(Batch(**dict(zip(fields, arrays))))

        values = [getattr(batch, name) for name in fields]
        plain = self.is_plain(batch)
        looked = tf.cond(plain, lambda: True, lambda: tf.numpy_function(look, values, tf.bool))
        with tf.control_dependencies([looked]):
            held = Batch(**{name: tf.identity(value) for name, value in zip(fields, values)})
        return self.packed(with_shapes(held, self.spec.image_shape))

    def look(self, batch):
        """Returns True; raises and records a ValueError if the model does not accept a batch of arrays."""
        try:
            self.checked(batch.pack())
        except ValueError as error:
            self.refusal = str(error)
            raise
        return True

    def is_plain(self, batch):
        """Returns whether a batch of tensors passes fast tests that imply those of `InputSpec.check_values`."""
        tests = [tf.size(batch.images) > 0]
        most = self.spec.bounds(batch) if self.noticed is None else CLEAN
        for images, bounds in ((batch.images, most), (batch.targets, CLEAN)):
            if images is not None:
                tests += [has_shape(images, self.spec.image_shape), bounds.hold(tf.cast(images, "float32"))]
        if batch.labels is not None:
            labels = tf.cast(batch.labels, "float32")
            within = (labels >= 0) & (labels <= self.spec.num_classes - 1)
            tests.append(tf.reduce_all(within & tf.equal(labels, tf.round(labels))))
        if batch.weights is not None:
            weights = tf.cast(batch.weights, "float32")
            tests.append(tf.reduce_all((weights >= 0) & (weights < float("inf"))))
            tests.append(tf.equal(tf.size(weights), tf.shape(batch.images)[0]))
        return tf.reduce_all(tf.stack(tests))

    @property
    def num_batches(self):
        return self.adapter.num_batches

    @property
    def batch_size(self):
        return self.adapter.batch_size

    @property
    def has_partial_batch(self):
        return self.adapter.has_partial_batch

    @property
    def partial_batch_size(self):
        return self.adapter.partial_batch_size

    def on_epoch_begin(self):
        self.adapter.on_epoch_begin()

    def on_epoch_end(self):
        self.adapter.on_epoch_end()


def has_shape(images, image_shape):
    """Returns whether a batch of tensors has images of that shape, as a tensor."""
    if images.shape.rank is not None and images.shape[1:].is_fully_defined():
        return tf.constant(True)  # already checked by `InputSpec.unpack`
    sizes = tf.shape(images)
    is_batch = tf.equal(tf.size(sizes), 4)
    return tf.cond(is_batch, lambda: tf.reduce_all(tf.equal(sizes[1:], image_shape)), lambda: False)


def with_shapes(batch, image_shape):
    """Returns a batch of tensors with known shapes, which streams from Python or files may lack."""
    shape = (None, *image_shape)

    def shaped(value, to_shape):
        return None if value is None else to_shape(value)

    return Batch(
        shaped(batch.images, lambda images: tf.ensure_shape(images, shape)),
        shaped(batch.labels, flat_if_unknown),
        shaped(batch.targets, lambda images: tf.ensure_shape(images, shape)),
        shaped(batch.weights, flat_if_unknown),
    )


def flat_if_unknown(values):
    """Returns one number per image as `[n]` if the rank is unknown."""
    return tf.reshape(values, (-1,)) if values.shape.rank is None else values


def checked_stream(x, y, sample_weight, spec, for_call=False, noticed=None, **how):
    """Returns a `CheckedStream` of data that are not arrays.

    Args:
        x: Any such data that Keras accepts: a `tf.data.Dataset`, a `PyDataset`, a generator, a `DataLoader`.
        y: None, like `sample_weight`: both come with the images.
        spec: An `InputSpec`.
        for_call: Whether the batches are inputs of the model's call rather than of a step.
        noticed: As in `CheckedStream`.
        **how: `shuffle` and `steps_per_epoch`.
    """
    if isinstance(x, types.GeneratorType):
        x = in_tuples(x, bool(spec.num_classes))
    elif isinstance(x, keras.utils.PyDataset):
        x = WithoutNone(x, bool(spec.num_classes))
    elif isinstance(x, CheckedStream):
        return x
    adapter = adapters.get_data_adapter(x=x, y=y, sample_weight=sample_weight, **how)
    if adapter.num_batches == 0:
        raise ValueError("there are no images in the dataset: at least one is needed")
    return CheckedStream(adapter, spec, for_call, noticed)


def in_tuples(batches, conditional):
    """Yields the batches of a generator as tuples, the only form that Keras accepts from one."""
    for batch in batches:
        batch = without_none(batch, conditional)
        yield batch if isinstance(batch, tuple) else (batch,)


def without_none(batch, conditional):
    """Returns a batch that Keras accepts: `(images, None, weights)` as a dict, all others unchanged."""
    batch = tuple(batch) if isinstance(batch, list) else batch
    lacking = isinstance(batch, tuple) and any(part is None for part in batch)
    return unpack(batch, conditional).pack() if lacking else batch


class WithoutNone(keras.utils.PyDataset):
    """A `PyDataset` whose batches Keras accepts."""

    def __init__(self, batches, conditional):
        super().__init__(batches.workers, batches.use_multiprocessing, batches.max_queue_size)
        self.batches, self.conditional = batches, conditional

    def __getitem__(self, index):
        return without_none(self.batches[index], self.conditional)

    @property
    def num_batches(self):
        return self.batches.num_batches

    def on_epoch_begin(self):
        self.batches.on_epoch_begin()

    def on_epoch_end(self):
        self.batches.on_epoch_end()


def is_arrays(values):
    """Returns whether Keras treats a structure of values as arrays."""
    return adapters.array_data_adapter.can_convert_arrays(values)


@contextlib.contextmanager
def refusing(*given):
    """Raises the original error for a rejected batch instead of TensorFlow's wrapped one."""
    try:
        yield
    except Exception as error:
        refusals = [one.refusal for one in given if isinstance(one, CheckedStream) and one.refusal]
        if not refusals:
            raise
        raise ValueError(refusals[0]) from error
