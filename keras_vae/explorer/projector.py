"""Writes codes, labels and images for TensorBoard's Embedding Projector into `logs/projector/`.

projector_config.pbtxt   the paths of the other files, for the plugin
codes.tsv                one row of numbers per code
metadata.tsv             one label per row
sprite.png               the images, in rows of equal length
events.out.tfevents.*    makes TensorBoard treat the folder as a run
"""

import math

import numpy as np

from keras_vae.runtime.files import whole
from keras_vae.runtime.lazy import tf

MOST_SIDE = 8192  # pixels per side of a sprite sheet (TensorBoard's documentation)
MOST_NUMBERS = 4_000_000  # in codes.tsv, about 40 MB


def write_projector(world):
    """Writes the files of `world` into its run's `logs/projector` and returns that folder."""
    folder = world.run.logs / "projector"
    folder.mkdir(parents=True, exist_ok=True)
    height, width, _ = world.model.image_shape
    columns, rows = MOST_SIDE // width, MOST_SIDE // height
    count = min(len(world.images), columns * rows, max(MOST_NUMBERS // world.dims, 2))
    write(folder / "codes.tsv", codes_table(world.codes.mean[:count]))
    write(folder / "metadata.tsv", "".join(f"{name}\n" for name in label_column(world, count)))
    sheet = sprite(world.images[:count])
    with whole(folder / "sprite.png") as temporary:
        sheet.save(temporary)
    write(folder / "projector_config.pbtxt", CONFIG.format(width=width, height=height))
    if not any(folder.glob("events.out.tfevents.*")):
        with tf.summary.create_file_writer(str(folder)).as_default():
            tf.summary.text("projector", "codes of held-out images, for the tab Projector", step=0)
    return folder


# Paths are relative to the file itself. A single column of metadata has no heading.
CONFIG = """\
embeddings {{
  tensor_name: "codes of held-out images"
  tensor_path: "codes.tsv"
  metadata_path: "metadata.tsv"
  sprite {{
    image_path: "sprite.png"
    single_image_dim: {width}
    single_image_dim: {height}
  }}
}}
"""


def write(path, text):
    """Writes `text` to `path`, completely or not at all."""
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def codes_table(codes):
    """Returns codes, `[n, d]`, as lines of tab-separated numbers."""
    return "".join("\t".join(f"{value:.6g}" for value in code) + "\n" for code in codes)


def label_column(world, count):
    """Returns one label per image, without tabs and line breaks; without labels, a number."""
    labels = world.labels
    if labels is None:
        return [str(index) for index in range(count)]
    names = [" ".join(name.split()) or "-" for name in world.label_names]
    return [names[label] for label in labels[:count]]


def sprite(images):
    """Returns `images`, uint8 `[n, height, width, channels]`, as a PIL image with ceil(sqrt(n)) columns."""
    from PIL import Image

    count, height, width, channels = images.shape
    columns = math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    sheet = np.zeros((rows * columns, height, width, 3), "uint8")
    sheet[:count] = images[..., :3] if channels >= 3 else images[..., :1]
    joined = sheet.reshape(rows, columns, height, width, 3).transpose(0, 2, 1, 3, 4)
    return Image.fromarray(joined.reshape(rows * height, columns * width, 3))
