"""What is done, in training, to the images that the encoder sees and the decoder is not to give."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NoCorruption:
    """The images as they are."""

    def __call__(self, images, seed):
        """Returns `images`."""
        del seed
        return images


CORRUPTIONS = {"none": NoCorruption}
