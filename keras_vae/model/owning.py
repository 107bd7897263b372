"""Components that own their weights."""

import copy


class Owner:
    """A component whose settings are dataclass fields and whose weights, once a model is made, are in its `layer`.

    Attributes:
        layer: The Keras layer with the weights; None before a model is made, and if nothing is learned.
    """

    layer = None

    def owning(self, layer, **facts):
        """Returns a copy that owns `layer`, and knows further `facts` of its model by name."""
        own = copy.copy(self)
        vars(own).update(layer=layer, **facts)
        return own
