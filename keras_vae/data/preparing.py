"""Finds a TensorFlow Datasets builder with prepared data, or prepares the data; the network is tried last."""

import contextlib
import difflib
import io
import os
import re
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import numpy as np

from keras_vae.data.progress import notice
from keras_vae.errors import DatasetError
from keras_vae.runtime import upstream
from keras_vae.runtime.files import cache_folder, locked

PROBE_SECONDS = 3


def prepared_builder(name, data_dir, download):
    """Returns the builder of `name`, with its data on disk.

    Looks for prepared data in `data_dir`, in TensorFlow Datasets' own folder and in the cache. If there are none,
    prepares the data from the original files in `data_dir`, or else, if `download` is true and the host answers, from
    the network.

    Args:
      name: A name in TensorFlow Datasets: `name`, `name/config` or `name:version`.
      data_dir: Folder, or None.
      download: Whether the network may be used.
    """
    if data_dir is not None and not os.path.isdir(os.path.expanduser(data_dir)):
        raise DatasetError(
            f"{name}: data_dir {data_dir} is not a folder: give the folder with prepared or downloaded data"
        )
    with quiet():
        roots = _roots(name, data_dir)
        builders = [_builder(name, root) for root in roots]
        image_feature(name, builders[0])
        for builder in builders:
            if os.path.isdir(builder.data_dir):
                return builder
        root = next((root for root in roots if is_writable(root)), None)
        if root is None:
            raise DatasetError(
                f"{name}: none of {_listed(roots)} can be written to: give a writable --data_dir"
            )
        os.makedirs(root, exist_ok=True)
        with locked(root, wait=True):  # runs that are started together prepare it once
            builder = _builder(name, root)
            if not os.path.isdir(builder.data_dir):
                _prepare(name, builder, data_dir, download)
    return builder


def image_feature(name, builder):
    """Returns the image feature of `name`; raises a `DatasetError` that lists the features if there is none."""
    import tensorflow_datasets as tfds

    features = builder.info.features
    named = dict(features.items()) if isinstance(features, tfds.features.FeaturesDict) else {}
    image = named.get("image")
    if not isinstance(image, tfds.features.Image) or np.dtype(image.np_dtype) != np.uint8:
        held = ", ".join(named) or type(features).__name__
        raise DatasetError(f"{name} has no uint8 image feature (it has {held}): choose a dataset of images")
    return image


def is_writable(folder):
    """Whether `folder` is writable, or can be created.

    A folder without any write permission counts as read-only, even for the superuser.
    """
    folder = Path(folder).expanduser().absolute()
    while not folder.exists():
        folder = folder.parent
    return folder.is_dir() and bool(folder.stat().st_mode & 0o222) and os.access(folder, os.W_OK | os.X_OK)


@contextlib.contextmanager
def quiet():
    """Hides TensorFlow Datasets' prints, progress bars and warnings."""
    import tensorflow_datasets as tfds
    from absl import logging

    verbosity = logging.get_verbosity()
    logging.set_verbosity(logging.FATAL)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)


def _roots(name, data_dir):
    """Returns the folders for prepared data, in the order of search and writing."""
    default = os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"
    roots = [data_dir, default, cache_folder() / "tensorflow_datasets"]
    return [os.fspath(Path(root).expanduser().absolute()) for root in roots if root is not None]


def _builder(name, root):
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=root)
    except Exception as error:
        # Unknown configs or versions, missing packages and damaged metadata raise various errors.
        if isinstance(error, tfds.core.DatasetNotFoundError) or _base(name) not in _catalogue():
            raise _unknown(name) from error
        raise DatasetError(f"{name}: TensorFlow Datasets rejects this name: {_in_one_line(error)}") from error


def _unknown(name):
    """Returns the error for a name that TensorFlow Datasets does not have; the name may be a mistyped path."""
    if os.path.isdir(name):
        return DatasetError(f"{name}: there are no images in this folder, and no dataset has this name")
    if os.path.exists(name):
        return DatasetError(
            f"{name}: this file is not an .npz, .npy or image file: give one, or a folder of images"
        )
    if re.search(r"[/\\.~]", name):
        return DatasetError(f"{name}: there is no such file or folder")
    from keras_vae.data import built_in  # which imports this module

    close = difflib.get_close_matches(name, [*built_in(), *_catalogue()], 3)
    hint = f"did you mean {' or '.join(close)}?" if close else "see its catalogue"
    return DatasetError(
        f"{name!r} is not a folder, and TensorFlow Datasets has no dataset of this name: {hint}"
    )


def _base(name):
    return re.split("[/:]", name)[0]


def _catalogue():
    import tensorflow_datasets as tfds

    return tfds.list_builders(with_community_datasets=False)


def _prepare(name, builder, data_dir, download):
    """Prepares the data from the dataset's files in `data_dir`, or else from the network."""
    held = _held_files(builder, data_dir)
    if not (held and _prepare_offline(name, builder, data_dir, held)):
        _prepare_online(name, builder, data_dir, download)


def _held_files(builder, data_dir):
    """Returns the names of the dataset's own download files in `data_dir`."""
    if data_dir is None:
        return []
    folder = Path(data_dir).expanduser()
    return [name for name in _expected_files(builder) if (folder / name).is_file()]


def _expected_files(builder):
    return sorted({info.filename for info in builder.url_infos.values() if info.filename})


class _NotHereError(Exception):
    """A required file is not in the folder of downloads."""


def _prepare_offline(name, builder, data_dir, held):
    """Prepares the data from files in `data_dir`, whose checksums must match; returns whether the files sufficed."""
    import tensorflow_datasets as tfds

    folder = os.fspath(Path(data_dir).expanduser().absolute())
    try:
        with (
            upstream.without_downloads(builder, _NotHereError),
            notice(f"Preparing {name} from the files in {data_dir} (only once)"),
        ):
            builder.download_and_prepare(download_config=tfds.download.DownloadConfig(manual_dir=folder))
        return True
    except _NotHereError:
        return False
    except Exception as error:
        if not upstream.is_wrong_checksum(error):
            raise DatasetError(
                f"{name}: cannot be prepared from {data_dir}: {_in_one_line(error)}"
            ) from error
        raise DatasetError(
            f"{name}: {', '.join(held)} in {data_dir} are not this dataset's files (their checksums differ): "
            f"put the original downloads there, or leave --data_dir out"
        ) from error


def _prepare_online(name, builder, data_dir, download):
    """Prepares the data from the network, or raises an error that says why that failed and what to do."""
    import tensorflow_datasets as tfds

    expected = [*_expected_files(builder)]
    missing = [file for file in expected if file not in _held_files(builder, data_dir)]
    files = _listed(missing) if missing else "prepared data"
    ways = f"put {files} into a folder and give it with --data_dir, or run once with a network connection"
    manual = builder.MANUAL_DOWNLOAD_INSTRUCTIONS
    if manual and data_dir is None:
        raise DatasetError(f"{name} must be downloaded by hand into --data_dir: {' '.join(manual.split())}")
    if not download:
        raise DatasetError(f"{name} is not prepared here and downloading is off: {ways}")
    if not manual:
        host = _unreachable_host(next(iter(builder.url_infos), "https://storage.googleapis.com"))
        if host:
            raise DatasetError(f"{name} is not prepared here and {host} cannot be reached: {ways}")
    config = tfds.download.DownloadConfig(
        manual_dir=data_dir and os.fspath(Path(data_dir).expanduser().absolute())
    )
    tfds.enable_progress_bar()  # a download takes minutes
    try:
        builder.download_and_prepare(download_config=config)
    except Exception as error:
        raise DatasetError(
            f"{name} cannot be downloaded and prepared ({_in_one_line(error)}): {ways}"
        ) from error


def _unreachable_host(url):
    """Returns the host of `url` if it does not answer in time, else None."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname, parts.port or (80 if parts.scheme == "http" else 443)
    answered = []

    def probe():
        with contextlib.suppress(OSError):
            if urllib.request.getproxies().get(parts.scheme) and not urllib.request.proxy_bypass(host):
                try:
                    request = urllib.request.Request(f"{parts.scheme}://{host}", method="HEAD")
                    urllib.request.urlopen(request, timeout=PROBE_SECONDS).close()
                except urllib.error.HTTPError as error:
                    if error.code in (403, 407, 502, 503, 504) and parts.scheme == "http":
                        return  # the proxy's answer, not the host's
            else:
                socket.create_connection((host, port), timeout=PROBE_SECONDS).close()
            answered.append(True)

    thread = threading.Thread(target=probe, daemon=True)  # a DNS lookup has no time limit of its own
    thread.start()
    thread.join(PROBE_SECONDS)
    return None if answered else host


def _in_one_line(error):
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text[:300]}{'...' if text[300:] else ''}"


def _listed(names, most=6):
    return ", ".join(str(name) for name in names[:most]) + (
        f" and {len(names) - most} more" if names[most:] else ""
    )
