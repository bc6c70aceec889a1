#
# Copyright 2026 gr-csifeedback authors.
#
# SPDX-License-Identifier: GPL-3.0-or-later
#
"""HDF5 files of others: arrays that are in the file itself, and in no other file.

HDF5 has four ways to make a file show the content of another: external links, soft links to
them, external storage and virtual data sets. The library follows all of them when an array is
read, so a small file that somebody sends could bring any file of this machine into a data set.

Nor does the library bound what a compressed piece of an array unpacks to.
"""

import itertools
import zlib
from typing import Any

import h5py
import numpy as np

#: filters that are in the HDF5 library or in h5py; the library would load others from a plugin
FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32,
           h5py.h5z.FILTER_SZIP, 5, 6, h5py.h5z.FILTER_LZF}
PACKING = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SZIP, h5py.h5z.FILTER_LZF}
#: what a byte of deflate unpacks to at most
DEFLATE_RATIO = 1032


def own_array(file: Any, name: str) -> Any:
    """The array `name` of an h5py.File, or None if there is none of this name.

    Raises ValueError, without the name of the file, if it is a link or its content is not in the
    file itself. Nothing outside the file is opened.
    """
    group = file
    parts = name.split("/")
    for part in parts[:-1]:
        group = _child(group, part, name)
        if not isinstance(group, h5py.Group):
            return None
    array = _child(group, parts[-1], name)
    if not isinstance(array, h5py.Dataset):
        return None
    if elsewhere(array):
        raise ValueError(f"array '{name}' takes its content from other files (external storage or "
                         "a virtual data set), which are not read")
    return array


def _child(group, part, name):
    link = group.get(part, getlink=True)
    if link is None:
        return None
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"array '{name}' is a link, which is not followed")
    return group[part]


def elsewhere(array: Any) -> bool:
    """Whether the content of an h5py.Dataset is in other files, or may be."""
    settings = array.id.get_create_plist()
    return settings.get_layout() == h5py.h5d.VIRTUAL or settings.get_external_count() > 0


def number_type(array: Any) -> Any:
    """NumPy's type for an h5py.Dataset. Compounds of halves that have the names r and i are no
    complex numbers there, which is what h5py takes them for."""
    try:
        return array.dtype
    except TypeError:
        kind = array.id.get_type()
        return np.dtype([(kind.get_member_name(i).decode(), kind.get_member_type(i).dtype)
                         for i in range(kind.get_nmembers())])


class Array:
    """An h5py.Dataset of untrusted content, to be indexed.

    array: from own_array. most_bytes: that a piece (HDF5: chunk) may unpack to.

    Raises ValueError for pieces that are larger, and for filters that are not built in.
    """

    def __init__(self, array: Any, most_bytes: int) -> None:
        self._array, self._most = array, most_bytes
        self.shape, self.dtype = array.shape, number_type(array)
        #: axes of an element whose type is an array itself, as of pairs; NumPy has them as the last axes
        self._inner: Any = ()
        self._type = self.dtype
        if self.dtype.subdtype:
            self.dtype, self._inner = self.dtype.subdtype
            self.shape += self._inner
        settings = array.id.get_create_plist()
        filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
        unknown = set(filters) - FILTERS
        if unknown:
            raise ValueError(f"the array '{array.name}' is packed with the filter {min(unknown)}, "
                             "which is not read")
        if len([f for f in filters if f in PACKING]) > 1:
            raise ValueError(f"the array '{array.name}' is packed more than once")
        self._chunks = array.chunks
        if self._chunks:
            self._piece = self._type.itemsize
            for n in self._chunks:
                self._piece *= n
            if self._piece > most_bytes:
                raise ValueError(f"the array '{array.name}' has pieces of {self._piece / 1e9:.3g} "
                                 f"GB, allowed is {most_bytes / 1e9:.3g} GB")
        self._deflated = self._chunks and h5py.h5z.FILTER_DEFLATE in filters
        self._checked: Any = set()

    def __getitem__(self, index):
        if self._deflated:
            self._check_pieces(index)
        if not self._inner:
            return self._array.astype(self.dtype)[index]
        outer = len(self.shape) - len(self._inner)
        return self._array[index[:outer]][(slice(None),) * outer + tuple(index[outer:])]

    def _check_pieces(self, index):
        """The library unpacks a piece to its end, whatever its size should be."""
        ranges = [range(start // c, -(-stop // c)) for (start, stop, _), c in zip(
            (part.indices(n) for part, n in zip(index, self.shape)), self._chunks)]
        for piece in itertools.product(*ranges):
            if piece in self._checked:
                continue
            self._checked.add(piece)
            at = tuple(i * c for i, c in zip(piece, self._chunks))
            stored = self._array.id.get_chunk_info_by_coord(at).size
            if stored * DEFLATE_RATIO <= self._most:
                continue
            packed = self._array.id.read_direct_chunk(at)[1]
            unpack = zlib.decompressobj()
            size = 0
            while packed and not unpack.eof:
                size += len(unpack.decompress(packed, 1 << 20))
                packed = unpack.unconsumed_tail
                if size > self._piece:
                    raise ValueError(f"a piece of the array '{self._array.name}' unpacks to more "
                                     f"than its {self._piece} bytes")
