"""Files of models: `.keras` with everything, `.weights.h5` or `.safetensors` with weights alone.

A `.keras` file is a zip archive as Keras' own is, with `metadata.json`, `config.json` and, in place
of HDF5, `model.safetensors`.  A file of weights is safetensors whatever it is called.  Files are
replaced whole or not at all, and reading one runs no code in it.
"""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import warnings
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograd import Tensor
from nn import files
from nn.atomic import write_file
from nn.files import FileError
from nn.keras.registry import CustomObjectScope
from nn.keras.serialization import deserialize_keras_object, serialize_keras_object
from nn.keras.tracking import set_value

__all__ = ["FileError", "load_model", "load_weights", "save_model", "save_weights"]

FORMAT = 1
CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.safetensors"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP = b"PK"


# Saving


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, zipped: bool | None = None, **kwargs: Any
) -> None:
    """Write architecture, weights, optimizer and what `compile` was given to one `.keras` file.

    `overwrite=False`: FileExistsError where the file is there already.  A subclassed model or layer
    must have a `get_config`, or be made of plain arguments.
    """
    path = _path(filepath)
    with_optimizer = bool(kwargs.pop("include_optimizer", True))
    if kwargs.pop("save_format", "keras") != "keras" or kwargs:
        raise ValueError(
            f"save: the only format is `.keras`; unexpected arguments {sorted(kwargs) or 'format'}"
        )
    if zipped is False:
        raise ValueError("save: zipped=False is not supported: a model is one file")
    if path.endswith((".h5", ".hdf5")):
        warnings.warn(
            f"{path} will hold the `.keras` format, not HDF5: tapegrad writes no HDF5. Name it"
            " `.keras`",
            UserWarning,
            stacklevel=3,
        )
    elif not path.endswith(".keras"):
        raise ValueError(
            "Invalid filepath extension for saving. Please add a `.keras` extension. Received:"
            f" filepath={path}."
        )
    _check_overwrite(path, overwrite)
    if not model.built:
        warnings.warn(
            f"model '{model.name}' is saved before it is built: the file has its architecture, and"
            " no weights. Build it first: call it on data, or model.build(input_shape)",
            UserWarning,
            stacklevel=3,
        )
    config = serialize_keras_object(model)
    state: dict[str, Any] = {"weights": _weights(model)}
    optimizer = getattr(model, "optimizer", None)
    if with_optimizer and optimizer is not None and getattr(optimizer, "built", False):
        state["optimizer"] = _own_variables(optimizer)
    if not with_optimizer:
        config.pop("compile_config", None)
    write_file(path, [_archive(config, state)])


def _archive(config: Any, state: Any) -> memoryview:
    from nn.keras import __version__

    now = dt.datetime.now().astimezone().strftime("%Y-%m-%d@%H:%M:%S")
    about = {"keras_version": __version__, "format": FORMAT, "engine": "tapegrad"}
    weights = io.BytesIO()
    files.save(state, weights)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(METADATA, json.dumps({**about, "date_saved": now}))
        archive.writestr(CONFIG, json.dumps(config))
        archive.writestr(WEIGHTS, weights.getbuffer())
    return out.getbuffer()


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Write the weights of a model or layer, by path, to a safetensors file."""
    path = _path(filepath)
    if not path.endswith((".weights.h5", ".safetensors")):
        raise ValueError(
            "The filename must end in `.weights.h5` or `.safetensors` (the format is safetensors in"
            f" both cases). Received: filepath={path}"
        )
    _check_overwrite(path, overwrite)
    files.save({"weights": _weights(model)}, path)


def _weights(model: Any) -> dict[str, Tensor]:
    """The weights in their order, by path; a path that comes again with a number."""
    found: dict[str, Tensor] = {}
    for i, w in enumerate(model.weights):
        path = plain = str(getattr(w, "path", f"weight_{i}")).replace("#", "_")
        count = 1
        while path in found:
            count += 1
            path = f"{plain}#{count}"
        found[path] = Tensor.wrap(w.detach().array)
    return found


def _own_variables(optimizer: Any) -> dict[str, Tensor]:
    store: dict[str, Any] = {}
    optimizer.save_own_variables(store)
    return {str(k): Tensor.wrap(np.array(_bare(v))) for k, v in store.items()}


def _bare(v: Any) -> Any:
    return v.detach().array if isinstance(v, Tensor) else np.asarray(v)


def _path(filepath: Any) -> str:
    if not isinstance(filepath, (str, os.PathLike)):
        raise TypeError(f"expected a path, received {type(filepath).__name__}")
    return os.fspath(filepath)


def _check_overwrite(path: str, overwrite: bool) -> None:
    if not overwrite and os.path.exists(path):
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace it")


# Loading


def load_model(
    filepath: Any,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """The model that `model.save` wrote: compiled, with its optimizer's state, unless `compile`.

    FileError (a ValueError) for a file that is damaged or something else.  `safe_mode`: refuse
    files with Python lambdas, which loading would have to trust.
    """
    path = _path(filepath)
    config, state = _read_archive(path)
    if not compile:
        config.pop("compile_config", None)
    try:
        with CustomObjectScope(custom_objects or {}):
            model = deserialize_keras_object(config, safe_mode=safe_mode)
    except RecursionError:
        raise FileError(f"{path}: its architecture is nested too deeply") from None
    if not hasattr(model, "weights"):
        raise FileError(f"{path}: holds a {type(model).__name__}, not a model")
    _set_weights(path, model, _part(path, state, "weights"), False)
    optimizer = getattr(model, "optimizer", None)
    if compile and optimizer is not None and "optimizer" in state:
        optimizer.build(model.trainable_variables)
        optimizer.load_own_variables(
            {k: v.detach().array for k, v in _part(path, state, "optimizer").items()}
        )
    return model


def load_weights(model: Any, filepath: Any, skip_mismatch: bool = False, **kwargs: Any) -> None:
    """Set the weights of a model from a file, in their order; nothing changes on a mismatch.

    `skip_mismatch=True`: set those that fit, and warn of the others.
    """
    if kwargs.pop("by_name", False):
        raise ValueError("load_weights: by_name is not supported: weights are set by their order")
    if kwargs:
        raise ValueError(f"load_weights: unexpected {sorted(kwargs)}")
    path = _path(filepath)
    raw = _read(path)
    state = _read_archive(path)[1] if raw[:2] == _ZIP else _load_state(path, io.BytesIO(raw))
    if "weights" not in state:  # a flat file of another program, or a state_dict
        state = {"weights": state}
    _set_weights(path, model, _part(path, state, "weights"), skip_mismatch)


def _set_weights(path: str, model: Any, given: dict[str, Tensor], skip: bool) -> None:
    own, names, values = model.weights, list(given), list(given.values())
    if not own and values and not model.built:
        raise ValueError(
            f"{path}: model '{model.name}' is not built, so it has no weights to load into. Call it"
            " on data first, or model.build(input_shape)"
        )
    if len(own) != len(values) and not skip:
        raise ValueError(
            f"{path}: {len(values)} weights, but '{model.name}' has {len(own)}. In the file:"
            f" {_listed(names, values)}. In the model: {_listed(map(_name, own), own)}"
        )
    wrong = [
        f"'{name}' {value.shape} for '{_name(w)}' {w.shape} of {_owner(model, w)}"
        for name, value, w in zip(names, values, own)
        if value.shape != w.shape
    ]
    if wrong and not skip:
        raise ValueError(
            f"{path}: the shapes of {len(wrong)} of {len(own)} weights do not match those of"
            f" '{model.name}'; nothing was loaded: {'; '.join(wrong[:5])}"
        )
    if wrong or len(own) != len(values):
        missing = f"{len(values)} weights for {len(own)}; " if len(own) != len(values) else ""
        warnings.warn(
            f"{path}: not all weights of '{model.name}' were loaded: {missing}{'; '.join(wrong)}",
            UserWarning,
            stacklevel=4,
        )
    for value, w in zip(values, own):
        if value.shape == w.shape:
            set_value(w, value.detach().array)


def _name(w: Any) -> str:
    return str(getattr(w, "path", "a parameter"))


def _owner(model: Any, w: Any) -> str:
    """The layer that a weight is of, as errors name it."""
    for layer in model._flatten_layers():
        own = [
            *getattr(layer, "_parameters", {}).values(),
            *getattr(layer, "_buffers", {}).values(),
        ]
        if any(v is w for v in own):
            return f"layer '{getattr(layer, 'name', type(layer).__name__)}'"
    return f"'{model.name}'"


def _listed(names: Any, weights: Any) -> str:
    found = [f"{name} {w.shape}" for name, w in zip(names, weights)]
    return ", ".join(found[:8]) + (f", and {len(found) - 8} more" if len(found) > 8 else "")


# Reading


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        raise ValueError(
            f"File not found: filepath={path}. Please ensure the file is an accessible `.keras` or"
            " weights file."
        ) from None


def _read_archive(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The config and the state in a `.keras` file; FileError where it is none."""
    raw = _read(path)
    if raw[:2] != _ZIP:
        raise FileError(f"{path}: {_other(raw)}; load_model reads what model.save wrote")
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = archive.namelist()
            if "model.weights.h5" in names:
                raise FileError(
                    f"{path}: written by Keras itself: its weights are HDF5, which tapegrad does"
                    " not read. In Keras, save them with np.savez(path, *model.get_weights()), and"
                    " here make the model from config.json, with model_from_json, and set_weights"
                )
            missing = {CONFIG, WEIGHTS, METADATA} - set(names)
            if missing:
                raise FileError(f"{path}: a zip archive without {', '.join(sorted(missing))}")
            parts = {name: archive.read(name) for name in (METADATA, CONFIG, WEIGHTS)}
        about, config = json.loads(parts[METADATA]), json.loads(parts[CONFIG])
    except FileError:
        raise
    except (zipfile.BadZipFile, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise FileError(f"{path}: a damaged .keras file ({error}). Use a backup") from None
    if not isinstance(about, dict) or not isinstance(config, dict):
        raise FileError(f"{path}: a damaged .keras file (its JSON is no object). Use a backup")
    if not isinstance(about.get("format"), int) or about["format"] > FORMAT:
        raise FileError(
            f"{path}: format {about.get('format')} of a newer tapegrad (this one knows {FORMAT});"
            " upgrade tapegrad"
        )
    return config, _load_state(path, io.BytesIO(parts[WEIGHTS]))


def _load_state(path: str, file: Any) -> dict[str, Any]:
    raw = file.getvalue()
    if raw[:8] == _HDF5:
        raise FileError(f"{path}: {_other(raw)}")
    try:
        state = files.load(file)
    except FileError as error:
        raise FileError(f"{path}: {str(error).partition(': ')[2]}") from None
    if not isinstance(state, dict):
        raise FileError(f"{path}: holds a {type(state).__name__}, not weights")
    return state


def _part(path: str, state: Any, name: str) -> dict[str, Tensor]:
    part = state.get(name)
    if not isinstance(part, dict) or not all(isinstance(v, Tensor) for v in part.values()):
        raise FileError(f"{path}: a damaged file ({name} are no tensors by name). Use a backup")
    return part


def _other(raw: bytes) -> str:
    """What a file is that is no archive of ours."""
    if raw[:8] == _HDF5:
        return "an HDF5 file, which tapegrad does not read"
    if not raw:
        return "an empty file"
    return "not a .keras file"
