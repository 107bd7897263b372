"""Distinguishes folders that are splits of a set, such as `train` and `test`, from folders that are classes."""

import os
import re

from keras_vae.errors import DatasetError

NAMES = {
    "train": ("train", "training", "trn"),
    "validation": ("val", "valid", "validation", "dev", "devel", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "holdout"),
}
SPLIT_OF = {name: split for split, names in NAMES.items() for name in names}
# Common suffixes: training_set, test-images, valData, train2017.
SUFFIX = re.compile(r"(sets?|split|data|images|imgs|img|samples|folder|20\d\d)$")
DEEPEST = 2  # levels of folders in which splits are looked for


def split_of(folder):
    """Returns "train", "validation" or "test" if a folder's name says so in upper or lower case; else None."""
    plain = re.sub(r"[-_ .]", "", folder.lower())
    return SPLIT_OF.get(plain) or SPLIT_OF.get(SUFFIX.sub("", plain))


def _splits_of(folders):
    """Returns {folder: split or None}; one word of a name is enough (`asl_train`) if each folder has such a word.

    Single words must name both training and held-out images: `bullet_train` and `steam_train` are classes.
    """
    plain = {folder: split_of(folder) for folder in folders}
    words = {folder: plain[folder] or _split_of_word(folder) for folder in folders}
    return words if None not in words.values() and {"train"} < set(words.values()) else plain


def _split_of_word(folder):
    """Returns the split that the words of a folder's name indicate; None without a match or with several splits."""
    found = {SPLIT_OF.get(word) for word in re.split(r"[-_ .]", folder.lower())} - {None}
    return found.pop() if len(found) == 1 else None


def find_splits(path, names):
    """Returns (splits or None, names without the folders of the splits, notes).

    The folders at one level are splits if all of them are named like splits and one has training images. They are in
    `path`, or one level below it (`archive/Training/cat` or `cat/Training`). The first result is "train", "validation"
    or "test" for each name, or None if there are no such folders.

    Args:
      path: Name of the dataset for error messages.
      names: Relative paths of files, sorted.

    Raises:
      DatasetError: There are held-out but no training images, or images beside the split folders.
    """
    notes = ()
    for level in range(DEEPEST):
        found = {}
        for name in names:
            found.setdefault(_folder(name, level), name)  # an example from each folder
        splits = _splits_of([folder for folder in found if folder is not None])
        kinds = {split for split in splits.values() if split}
        strays = [folder for folder in found if folder is None or not splits[folder]]
        if not kinds:
            continue
        if not strays:
            return _divided(path, names, level, splits, kinds)
        named = sorted(folder for folder in splits if splits[folder])
        is_held_out_beside_files = level == 0 and strays == [None] and kinds != {"train"}
        if {"train"} < kinds or is_held_out_beside_files:
            stray = min(found[folder] for folder in strays)
            raise DatasetError(
                f"{path}: {stray} lies outside the folders {_listed(named)}: move it into one of them, or rename"
                " them if they are classes"
            )
        # cat, dog and test are three classes.
        notes += (f"{_listed(named)}: not treated as a split, because there are other images beside it",)
    return None, names, notes


def _divided(path, names, level, splits, kinds):
    """Returns the result of `find_splits` if the folders at `level` are the splits."""
    shown = sorted(splits)
    if "train" not in kinds:
        raise DatasetError(
            f"{path}: there are only held-out images ({_listed(shown)}) and no training images: add a folder train, or"
            f" give the path of {shown[0]} itself to divide its images"
        )
    below = [_without(name, level) for name in names]
    if level and len({_folder(name, 0) for name in names}) == 1:
        # archive/train/cat: a single folder around all images is not a class.
        below = [_without(name, 0) for name in below]
    if kinds == {"train"}:
        note = f"the images in {_listed(shown)} are divided into training, validation and test images"
        return None, below, (note,)
    given = [splits[_folder(name, level)] for name in names]
    listed = ", ".join(f"{folder} is {splits[folder]}" for folder in shown)
    missing = [split for split in ("validation", "test") if split not in kinds]
    rest = f"; {' and '.join(missing)} images are taken from the training images" if missing else ""
    return given, below, (f"splits found: {listed}{rest}",)


def _folder(name, level):
    """Returns the folder at `level` of the relative path `name`; None if the file is above it."""
    parts = name.split(os.sep)
    return parts[level] if len(parts) > level + 1 else None


def _without(name, level):
    parts = name.split(os.sep)
    return os.sep.join(parts[:level] + parts[level + 1 :])


def _listed(names, most=6):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if names[most:] else "")
