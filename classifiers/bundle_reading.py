"""Loading a model bundle that need not be trusted: digests first, then shapes, finiteness and bounds."""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import numpy.typing as npt
import yaml
from pydantic import BaseModel, ValidationError

from annotations.codebook import Codebook, parse_codebook
from annotations.errors import CodebookError
from classifiers.errors import BundleError
from classifiers.features import KINDS, Block
from classifiers.linear import Combination, LinearModel, View
from classifiers.manifest import PROTOCOL, FileEntry, Manifest, Thresholds
from classifiers.model import Model
from classifiers.thresholds import TagRule

Array = npt.NDArray[np.float32]
_Checked = TypeVar("_Checked", bound=BaseModel)

MANIFEST = "manifest.json"
_MEBIBYTE = 1 << 20
_SMALL = 8 * _MEBIBYTE
_LARGEST_VOCABULARY = 256 * _MEBIBYTE
_LARGEST_DOCUMENT = 256 * _MEBIBYTE
_LARGEST_WEIGHTS = 4096 * _MEBIBYTE
_LONGEST_TERM = 200
_LARGEST_WEIGHT = 1e6
_COMBINATION = ("mix", "offset", "evidence-scale", "evidence-offset")
_NPY = b"\x93NUMPY\x01\x00"
_UNREADABLE = (
    zipfile.BadZipFile,
    ValueError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class LoadedBundle:
    """A checked bundle: its manifest and its model."""

    manifest: Manifest
    model: Model


def read_bundle(path: Path) -> LoadedBundle:
    """Load the bundle in the folder ``path``.

    Raises
    ------
    BundleError
        A file is missing, added, changed, too large, of another protocol, or holds what it must not; the
        error names the file.
    """
    manifest = read_manifest(path)
    files = _read_files(path, manifest)
    codebook = _codebook(files["codebook.yaml"], manifest, path)
    rules = _rules(files["thresholds.json"], codebook, manifest, path)
    terms = [_terms(files, path, block.kind, block.n_terms) for block in manifest.model.blocks]
    linear = _linear(manifest, terms, _arrays(files["weights.npz"], _shapes(manifest), path / "weights.npz"))
    model = Model(
        codebook,
        linear,
        rules,
        manifest.dataset_digest,
        manifest.options,
        manifest.metrics,
        manifest.training,
    )
    return LoadedBundle(manifest, model)


def read_manifest(path: Path) -> Manifest:
    """Read and check ``manifest.json`` alone, its own digest included.

    Raises
    ------
    BundleError
        It is missing, of another protocol, or not as it should be.
    """
    file = path / MANIFEST
    data = _read(file, _SMALL)
    try:
        protocol = json.loads(data).get("protocol")
    except (ValueError, AttributeError, RecursionError) as error:
        raise BundleError("is no manifest", where=str(file)) from error
    if protocol != PROTOCOL:
        raise BundleError(
            f"the bundle's protocol is {protocol!r}, this version reads {PROTOCOL}",
            where=str(file),
            hint="Train the model again, or use the version of Talking Points that wrote it.",
        )
    manifest = _checked(Manifest, data, file)
    try:
        digest = manifest.content_digest()
    except ValueError as error:
        raise BundleError("holds a number that is not finite", where=str(file)) from error
    if digest != manifest.digest:
        raise BundleError("the manifest is not what its digest says", where=str(file))
    expected = {"codebook.yaml", "thresholds.json", "weights.npz"}
    expected |= {f"vocabulary.{kind}.json" for kind in KINDS}
    if odd := sorted(expected ^ set(manifest.files)):
        kind = "is missing from" if odd[0] in expected else "must not be in"
        raise BundleError(f"{odd[0]!r} {kind} the list of files", where=str(file))
    for names in (manifest.model.views, manifest.model.tags):
        if len(set(names)) != len(names):
            raise BundleError("a name stands twice in the model's description", where=str(file))
    return manifest


def read_document(path: Path, name: str) -> bytes | None:
    """Return a document of a bundle, checked against its digest; None where the bundle has none of the name.

    Raises
    ------
    BundleError
        The manifest or the document is damaged.
    """
    entry = read_manifest(path).documents.get(name)
    return None if entry is None else _read_as_sealed(path / name, entry, _LARGEST_DOCUMENT)


def read_thresholds(path: Path) -> Thresholds:
    """Return the rules of a bundle's tags, checked against their digest; raises BundleError where damaged."""
    file = path / "thresholds.json"
    return _checked(Thresholds, _read_as_sealed(file, read_manifest(path).files[file.name], _SMALL), file)


def array_names(views: Sequence[str]) -> list[str]:
    """Return the names of the arrays of ``weights.npz``, in order."""
    of_views = [f"{what}.{name}" for name in views for what in ("weights", "bias")]
    return [f"idf.{kind}" for kind in KINDS] + of_views + list(_COMBINATION)


def _linear(manifest: Manifest, terms: Sequence[tuple[str, ...]], arrays: Mapping[str, Array]) -> LinearModel:
    entry = manifest.model
    blocks = [
        Block(block.kind, found, arrays[f"idf.{block.kind}"])
        for block, found in zip(entry.blocks, terms, strict=True)
    ]
    views = [View(name, arrays[f"weights.{name}"], arrays[f"bias.{name}"]) for name in entry.views]
    combination = Combination(*(arrays[name] for name in _COMBINATION))
    return LinearModel(blocks, views, combination, entry.tags, entry.languages)


def _read_files(path: Path, manifest: Manifest) -> dict[str, bytes]:
    """Read every file once, after checking that the folder holds them and nothing else."""
    found = {entry.name for entry in path.iterdir()}
    if odd := sorted(found ^ (set(manifest.files) | set(manifest.documents) | {MANIFEST})):
        kind = "is not in the manifest" if odd[0] in found else "is missing"
        raise BundleError(f"the file {kind}", where=str(path / odd[0]))
    files = {}
    for name, entry in manifest.files.items():
        most = _LARGEST_WEIGHTS if name == "weights.npz" else _SMALL
        most = _LARGEST_VOCABULARY if name.startswith("vocabulary.") else most
        files[name] = _read_as_sealed(path / name, entry, most)
    for name, entry in manifest.documents.items():
        _read_as_sealed(path / name, entry, _LARGEST_DOCUMENT)
    return files


def _read_as_sealed(file: Path, entry: FileEntry, most: int) -> bytes:
    data = _read(file, most)
    if len(data) != entry.size or hashlib.sha256(data).hexdigest() != entry.sha256:
        raise BundleError(
            "the file is not the one in the manifest", where=str(file), hint="Copy or train the model again."
        )
    return data


def _read(file: Path, most: int) -> bytes:
    try:
        if file.is_symlink() or not file.is_file():
            raise BundleError("the file is missing, or no plain file", where=str(file))
        if file.stat().st_size > most:
            raise BundleError(f"the file is larger than {most // _MEBIBYTE} MiB", where=str(file))
        return file.read_bytes()
    except OSError as error:
        raise BundleError(f"cannot be read: {error.strerror or error}", where=str(file)) from error


def _checked(kind: type[_Checked], data: bytes, file: Path) -> _Checked:
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"field '{field}': {first['msg']}", where=str(file)) from error


def _codebook(data: bytes, manifest: Manifest, path: Path) -> Codebook:
    where = str(path / "codebook.yaml")
    try:
        text = data.decode("utf-8")
        # Aliases can make a small file expand without bound; we never write any.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise BundleError("a codebook of a bundle holds no YAML aliases", where=where)
        codebook = parse_codebook(text, where=where)
    except (CodebookError, yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"is no codebook: {error}", where=where) from error
    if codebook.digest != manifest.codebook_digest:
        raise BundleError("is not the codebook that the manifest names", where=where)
    return codebook


def _rules(data: bytes, codebook: Codebook, manifest: Manifest, path: Path) -> tuple[TagRule, ...]:
    file = path / "thresholds.json"
    entries = _checked(Thresholds, data, file).tags
    if [entry.tag_id for entry in entries] != list(codebook.tag_ids):
        raise BundleError("does not have the codebook's tags in its order", where=str(file))
    for entry in entries:
        if (entry.threshold is None) != bool(entry.reason):
            raise BundleError(f"tag '{entry.tag_id}' has neither a threshold nor a reason", where=str(file))
    if [entry.tag_id for entry in entries if entry.threshold is not None] != manifest.model.tags:
        raise BundleError("does not predict the tags that the manifest names", where=str(file))
    return tuple(TagRule(**entry.model_dump()) for entry in entries)


def _terms(files: Mapping[str, bytes], path: Path, block: str, n_terms: int) -> tuple[str, ...]:
    name = f"vocabulary.{block}.json"
    try:
        terms = json.loads(files[name])
    except (ValueError, RecursionError) as error:
        raise BundleError("is no JSON", where=str(path / name)) from error
    if not isinstance(terms, list) or len(terms) != n_terms:
        raise BundleError(f"is no list of {n_terms} terms", where=str(path / name))
    if not all(isinstance(term, str) and 0 < len(term) <= _LONGEST_TERM for term in terms):
        raise BundleError("holds what is no term", where=str(path / name))
    if len(set(terms)) != len(terms):
        raise BundleError("holds a term twice", where=str(path / name))
    return tuple(terms)


def _shapes(manifest: Manifest) -> dict[str, tuple[int, ...]]:
    model = manifest.model
    n_tags, n_views = len(model.tags), len(model.views)
    n_terms = {block.kind: block.n_terms for block in model.blocks}
    shapes: dict[str, tuple[int, ...]] = {f"idf.{kind}": (n,) for kind, n in n_terms.items()}
    for view in model.views:
        n = n_terms["stems"] if view == "sentences" else sum(n_terms.values())
        shapes |= {f"weights.{view}": (n, n_tags), f"bias.{view}": (n_tags,)}
    combined = ((n_views, n_tags, n_tags), (n_tags,), (n_views, n_tags), (n_tags,))
    return shapes | dict(zip(_COMBINATION, combined, strict=True))


def _arrays(data: bytes, shapes: Mapping[str, tuple[int, ...]], file: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = {entry.filename: entry for entry in archive.infolist()}
            if sorted(entries) != sorted(f"{name}.npy" for name in shapes) or len(archive.infolist()) != len(
                shapes
            ):
                raise BundleError("does not hold the arrays that the manifest implies", where=str(file))
            arrays = {}
            for name, shape in shapes.items():
                entry = entries[f"{name}.npy"]
                # Stored, not compressed: no entry can be larger than the file that holds it.
                if entry.compress_type != zipfile.ZIP_STORED or entry.file_size > len(data):
                    raise BundleError(f"the array '{name}' is compressed or too large", where=str(file))
                with archive.open(entry) as stream:
                    arrays[name] = _array(stream, name, shape, file)
    except _UNREADABLE as error:
        raise BundleError(f"is no archive of arrays: {error}", where=str(file)) from error
    return arrays


def _array(stream: IO[bytes], name: str, expected: tuple[int, ...], file: Path) -> Array:
    """Read one array, whose header must be the one expected; it is compared, not parsed."""
    prefix = stream.read(len(_NPY) + 2)
    if not prefix.startswith(_NPY):
        raise BundleError(f"the array '{name}' is of an unknown format", where=str(file))
    header = stream.read(int.from_bytes(prefix[len(_NPY) :], "little")).replace(b" ", b"").strip()
    if header != f"{{'descr':'<f4','fortran_order':False,'shape':{expected},}}".replace(" ", "").encode():
        raise BundleError(f"the array '{name}' is not float32 of shape {expected}", where=str(file))
    data = stream.read()
    if len(data) != 4 * int(np.prod(expected, dtype=np.int64)):
        raise BundleError(f"the array '{name}' is cut off or too long", where=str(file))
    array = np.frombuffer(data, dtype="<f4").reshape(expected)
    if not np.isfinite(array).all() or (len(data) and np.abs(array).max() > _LARGEST_WEIGHT):
        raise BundleError(
            f"the array '{name}' holds a value that is not finite, or absurdly large", where=str(file)
        )
    if name.startswith("idf.") and len(array) and array.min() <= 0:
        raise BundleError(f"the array '{name}' holds a value that is not positive", where=str(file))
    return array
