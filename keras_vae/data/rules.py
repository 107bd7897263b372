"""Versions of the rules for finding, splitting and scaling images and for numbering labels.

A run stores the version that it was trained with in its `config.json` (`data_rules`), so that it uses the same images
after the rules have changed. A file without the key has version 1.

    1  Splits by content alone. Folders are resized to 64x64. 16-bit files lose their low 8 bits. Labels are the
       numbers in the file. A folder's fingerprint covers names and sizes of its files.
    2  Splits stratified by label. Images of one size keep it. Values are scaled by the range of the set. Labels are
       numbered from 0. Fingerprints cover content, labels and given splits. TIFF files are read.
"""

FIRST, NEWEST = 1, 2
VERSIONS = (FIRST, NEWEST)
