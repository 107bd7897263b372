"""The types of the public interface: every callable has them, and they are those of real values."""

import inspect
import subprocess
import sys
import typing

import numpy as np
import pytest

import keras_vae
from keras_vae.data import Dataset, Split
from keras_vae.runtime.lazy import keras, ops
from keras_vae.runtime.tensor import Tensor
from keras_vae.training.run_folder import Run

RETURNED = [Run, Dataset, Split, keras_vae.show(np.zeros((1, 2, 2, 1))).__class__]


def public_methods(kind):
    """The public methods of a class that are written in this package."""
    for name, member in inspect.getmembers_static(kind):
        member = getattr(member, "__func__", member.fget if isinstance(member, property) else member)
        ours = inspect.isfunction(member) and member.__module__.startswith("keras_vae.")
        if ours and (name == "__init__" or not name.startswith("_")):
            yield name, member


def unannotated(name, function):
    signature = inspect.signature(function)
    missing = [
        parameter.name
        for place, parameter in enumerate(signature.parameters.values())
        if parameter.annotation is inspect.Parameter.empty
        and not (place == 0 and parameter.name in ("self", "cls", "_cls"))
    ]
    if signature.return_annotation is inspect.Signature.empty and not name.endswith("__init__"):
        missing.append("return")
    return [f"{name}: {what}" for what in missing]


@pytest.mark.parametrize("name", keras_vae.__all__)
def test_a_public_name_has_types(name):
    value = getattr(keras_vae, name)
    if inspect.isclass(value):
        assert [fault for method in public_methods(value) for fault in unannotated(*method)] == []
    elif callable(value):
        assert unannotated(name, value) == []
    else:
        module = sys.modules[f"keras_vae.{keras_vae.PUBLIC[name]}"]
        assert name in module.__annotations__


@pytest.mark.parametrize("kind", RETURNED, ids=lambda kind: kind.__name__)
def test_what_public_functions_return_has_types(kind):
    assert [fault for method in public_methods(kind) for fault in unannotated(*method)] == []


def test_a_fault_would_be_found():
    assert unannotated("f", lambda x: x) == ["f: x", "f: return"]


def test_types_are_those_of_the_values():
    model = keras_vae.VAE((4, 4, 1), latent=(2, 2, 1))
    images = np.zeros((3, 4, 4, 1), "float32")
    mean, log_var = model.encode(images)
    for values in (mean, log_var, model.decode(mean), model.sample(2), model.score(images), images):
        assert isinstance(values, Tensor), type(values)
    assert not isinstance([1.0], Tensor)
    assert all(isinstance(values, Tensor) for values in model.terms(images).values())
    assert isinstance(model.predict(images, verbose=0), np.ndarray)
    assert isinstance(ops.zeros(2), Tensor)
    model.compile()
    assert isinstance(model.fit(images, verbose=0), keras.callbacks.History)
    assert {type(value) for value in model.evaluate(images, verbose=0, return_dict=True).values()} == {float}
    assert isinstance(model.test_on_batch(images, return_dict=True), dict)
    digits = keras_vae.load_dataset("digits")
    hints = typing.get_type_hints(Dataset, vars(sys.modules[Dataset.__module__]))
    assert hints["image_shape"] == tuple[int, int, int]
    assert [type(size) for size in digits.image_shape] == [int, int, int]
    assert isinstance(digits.test.images(), np.ndarray)


WRONG = """
import keras_vae
model = keras_vae.VAE((8, 8, 1), latent="8x8x1")
model.sample("ten")
keras_vae.load_dataset("digits", limit="5")
keras_vae.Config(latent=8, epochs=2.5)
keras_vae.LadderDisplay.from_results(3)
"""


@pytest.mark.long
def test_a_type_checker_of_a_user_finds_wrong_arguments(tmp_path):
    """`py.typed` makes the types count outside the package, and the lazy names have those of what they name."""
    pytest.importorskip("mypy")
    (tmp_path / "wrong.py").write_text(WRONG)
    words = [sys.executable, "-m", "mypy", "--ignore-missing-imports", "--follow-imports=silent", "wrong.py"]
    said = subprocess.run(words, capture_output=True, text=True, cwd=tmp_path, check=False).stdout
    lines = [line.split(":")[1] for line in said.splitlines() if "arg-type" in line]
    assert lines == ["4", "5", "6", "7"], said
