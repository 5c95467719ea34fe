"""Builds the wheel of dbtop-pages: an in-tree backend of PEP 517.

pip would fetch setuptools from the network into each build's environment. The package is some files of Python: to
zip them takes less."""

import base64
import hashlib
import os
import re
import tarfile
import zipfile

_FOLDER = os.path.dirname(os.path.abspath(__file__))
_PACKAGE = "dbtop_pages"


def _project():
    with open(os.path.join(_FOLDER, "pyproject.toml"), encoding="utf-8") as file:
        return dict(re.findall(r'^([a-z-]+) = "(.*)"$', file.read(), re.MULTILINE))


def _metadata():
    project = _project()
    with open(os.path.join(_FOLDER, project["readme"]), encoding="utf-8") as file:
        readme = file.read()
    return (f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
            f"Summary: {project['description']}\nRequires-Python: {project['requires-python']}\n"
            f"Description-Content-Type: text/markdown\n\n{readme}")


def _files():
    """The package's files by their names in a wheel."""
    for name in sorted(os.listdir(os.path.join(_FOLDER, _PACKAGE))):
        if name.endswith(".py"):
            with open(os.path.join(_FOLDER, _PACKAGE, name), "rb") as file:
                yield f"{_PACKAGE}/{name}", file.read()


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    version = _project()["version"]
    info = f"{_PACKAGE}-{version}.dist-info"
    files = dict(_files())
    files[f"{info}/METADATA"] = _metadata().encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: dbtop\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = f"{_PACKAGE}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0)), text)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    name = f"{_PACKAGE}-{_project()['version']}"
    with tarfile.open(os.path.join(sdist_directory, f"{name}.tar.gz"), "w:gz") as archive:
        for path in ("pyproject.toml", "build_wheel.py", "README.md"):
            archive.add(os.path.join(_FOLDER, path), f"{name}/{path}")
        for path, _ in _files():
            archive.add(os.path.join(_FOLDER, path), f"{name}/{path}")
    return f"{name}.tar.gz"
