"""The places that settings come from, each read into a layer."""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from shared.config.layers import Layer, Tree
from shared.config.problems import ConfigurationError, Problem
from shared.config.unique_keys import UniqueKeyLoader
from shared.config.variables import PREFIX, is_group, is_section, path_of, type_at, value_of

_LONGEST_SECRET = 64 * 1024
_MAY_READ = "Let the user that runs the service read it, as UTF-8 text."


def environment_layer(settings_type: type[BaseModel], environment: Mapping[str, str]) -> Layer:
    """Read the ``PENSTOCK_`` variables; one that is set to nothing counts as not set."""
    return _variables_layer(
        settings_type, {name: (text, f"environment {name}") for name, text in environment.items()}
    )


def secrets_layer(settings_type: type[BaseModel], secrets: Mapping[str, tuple[str, str]]) -> Layer:
    """Take the settings out of what :func:`secret_files` read."""
    return _variables_layer(settings_type, secrets)


def secret_files(folder: Path, *, usual: Container[str]) -> dict[str, tuple[str, str]]:
    """Read Docker secrets: one file a variable, named like it in lower or upper case.

    Args:
        folder: Where they are; other files in it are left alone.
        usual: Variables that count beside those of Penstock, e.g. ``OPENAI_API_KEY``.

    Returns:
        By variable name in upper case: the text without the newline at its end, and its source.

    Raises:
        ConfigurationError: A file cannot be read.
    """
    found = {}
    try:
        for file in sorted(folder.iterdir()) if folder.is_dir() else ():
            name = file.name.upper()
            if (name.startswith(PREFIX) or name in usual) and file.is_file():
                found[name] = (_secret_text(file), f"secret file {file}")
    except OSError as error:
        raise _unusable(str(folder), f"cannot be read ({type(error).__name__})", _MAY_READ) from None
    return found


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
        content = yaml.load(file.read_text("utf-8"), Loader=UniqueKeyLoader)  # noqa: S506 - a safe loader
    except (FileNotFoundError, NotADirectoryError):
        return Layer()
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(shown_as, f"cannot be read ({type(error).__name__})", _MAY_READ) from None
    except yaml.MarkedYAMLError as error:
        # Only the position: what the parser stumbled over can be a password.
        mark = error.problem_mark or error.context_mark
        at = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise _unusable(shown_as, f"is not valid YAML{at}", _look_at(file)) from None
    except yaml.YAMLError:
        raise _unusable(shown_as, "is not valid YAML", _look_at(file)) from None
    if content is None:
        return Layer()
    if not isinstance(content, dict):
        raise _unusable(shown_as, "is not a mapping of settings", _look_at(file))
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


def _secret_text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8") as opened:
            text = opened.read(_LONGEST_SECRET + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise _unusable(str(file), f"cannot be read as text ({type(error).__name__})", _MAY_READ) from None
    if len(text) > _LONGEST_SECRET:
        raise _unusable(str(file), f"has more than {_LONGEST_SECRET} characters", "Is it the right file?")
    return text.rstrip("\r\n")


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


def _look_at(file: Path) -> str:
    return f"Look at {file}; quote values that hold special characters."


def _unusable(name: str, fault: str, remedy: str) -> ConfigurationError:
    return ConfigurationError([Problem(name, fault, "", remedy)])
