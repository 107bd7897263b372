"""Components that own their weights."""

import copy


class Owner:
    """A component whose settings are dataclass fields and whose weights are in its `layer`.

    Attributes:
        layer: The Keras layer with the weights; None before a model is built, and if nothing is learned.
    """

    layer = None

    def owning(self, layer, **facts):
        """Returns a copy with `layer` and `facts` about its model as attributes."""
        own = copy.copy(self)
        vars(own).update(layer=layer, **facts)
        return own
