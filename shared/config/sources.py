"""The places that settings come from, each read into a layer."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from shared.config.layers import Layer, Tree
from shared.config.problems import ConfigurationError, Problem
from shared.config.variables import is_group, is_section, path_of, type_at, value_of

_LARGEST_SECRET_BYTES = 64 * 1024


def environment_layer(settings_type: type[BaseModel], environment: Mapping[str, str]) -> Layer:
    """Read the ``PENSTOCK_`` variables; one that is set to nothing counts as not set."""
    return _variables_layer(
        settings_type, {name: (text, f"environment {name}") for name, text in environment.items()}
    )


def secrets_layer(settings_type: type[BaseModel], secrets: Mapping[str, tuple[str, str]]) -> Layer:
    """Take the settings out of what :func:`secret_files` read."""
    return _variables_layer(settings_type, secrets)


def secret_files(folder: Path) -> dict[str, tuple[str, str]]:
    """Read Docker secrets: one file a variable, named like it in lower or upper case.

    Returns:
        By variable name in upper case: the text without the newline at its end, and its source.

    Raises:
        ConfigurationError: A file cannot be read.
    """
    return dict(_read_secrets(folder)) if folder.is_dir() else {}


def yaml_layer(settings_type: type[BaseModel], file: Path, *, shown_as: str) -> Layer:
    """Read a YAML file; one that does not exist says nothing, and so does an empty section.

    Args:
        settings_type: Tells sections from values.
        file: Where it is.
        shown_as: Its name as a source, e.g. ``penstock.yaml``.

    Raises:
        ConfigurationError: It exists and cannot be read, or is not a YAML mapping.
    """
    try:
        content = yaml.safe_load(file.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Layer()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(shown_as, f"cannot be read ({type(error).__name__})", file) from error
    except yaml.MarkedYAMLError as error:
        # Only the position: what the parser stumbled over can be a password.
        mark = error.problem_mark or error.context_mark
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _unusable(shown_as, f"is not valid YAML{at}", file) from None
    except yaml.YAMLError:
        raise _unusable(shown_as, "is not valid YAML", file) from None
    if content is None:
        return Layer()
    if not isinstance(content, dict):
        raise _unusable(shown_as, "is not a mapping of settings", file)
    return Layer.of(_spelt_out(settings_type, content), shown_as)


def _variables_layer(settings_type: type[BaseModel], variables: Mapping[str, tuple[str, str]]) -> Layer:
    layer, problems = Layer(folds_names=True), []
    ours = [(path, *found) for name, found in variables.items() if (path := path_of(name))]
    for path, text, source in sorted(ours, key=lambda variable: len(variable[0])):
        if not text or type_at(settings_type, path[:1]) is None:
            continue
        try:
            layer.put(path, value_of(text, type_at(settings_type, path)), source)
        except ValueError:
            remedy = "Write it as JSON, or set its members one by one."
            problems.append(Problem(".".join(path), "is not the JSON that it should be", source, remedy))
    if problems:
        raise ConfigurationError(problems)
    return layer


def _read_secrets(folder: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    try:
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.stat().st_size <= _LARGEST_SECRET_BYTES:
                text = file.read_text("utf-8").rstrip("\r\n")
                yield file.name.upper(), (text, f"secret file {file}")
    except (OSError, UnicodeDecodeError) as error:
        name = getattr(error, "filename", None) or str(folder)
        raise _unusable(str(name), f"cannot be read as text ({type(error).__name__})", folder) from error


def _spelt_out(declared: Any, content: Mapping[Any, Any]) -> Tree:
    """Read ``log:`` without members as nothing said, and ``providers: {ollama: }`` as all its defaults."""
    tree: Tree = {}
    for key, value in content.items():
        name = str(key)
        inner = type_at(declared, (name,))
        if isinstance(value, dict):
            tree[name] = _spelt_out(inner, value)
        elif value is not None or not is_group(inner):
            tree[name] = value
        elif not is_section(declared):
            tree[name] = {}
    return tree


def _unusable(name: str, fault: str, where: Path) -> ConfigurationError:
    remedy = f"Look at {where}; quote values that hold special characters."
    return ConfigurationError([Problem(name, fault, "", remedy)])
