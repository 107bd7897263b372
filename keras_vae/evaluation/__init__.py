"""Whether a model's latent space can generate, and why not.

Data flows one way: subject -> measurements -> repair -> verdict; the report (`keras_vae.report`) comes after. Each is
a function of what came before it.
"""

from keras_vae import devices
from keras_vae.evaluation.settings import Evaluation

__all__ = ["Evaluation", "evaluate"]


def evaluate(model, dataset, **settings):
    """Returns the results of measuring `model` on `dataset`, as in results.json.

    Args:
        model: An `Autoencoder`, or a `Subject` (`keras_vae.evaluation.subject.from_functions(encode, decode)`).
        dataset: A `Dataset` (`load_dataset`).
        **settings: Fields of `Evaluation`: `seed`, `features`, `extended`, `nll_samples`.
    """
    from keras_vae.evaluation.conclusion import conclude
    from keras_vae.evaluation.repair import Repair
    from keras_vae.evaluation.sections import measure
    from keras_vae.evaluation.subject import Subject, from_model

    devices.need_tensorflow("evaluate")
    subject = model if isinstance(model, Subject) else from_model(model)
    return conclude(measure(subject, dataset, Evaluation(**settings)), Repair("program"))
