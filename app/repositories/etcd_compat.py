"""Make etcd3 0.12.0 importable beside a current protobuf; nothing else imports etcd3 or grpc.

The message modules of etcd3 were generated in 2018, and protobuf 4 and later refuse to run such code. Yet they carry
the serialized descriptions of their messages, and from those protobuf builds the same classes today. The patch is
applied on the first use of etcd and only where the plain import fails.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MESSAGE_MODULES = ("kv_pb2", "auth_pb2", "rpc_pb2")
"""In the order of their dependencies."""

_PACKAGE = "etcd3.etcdrpc"
_lock = threading.Lock()


@dataclass(frozen=True)
class Driver:
    """What the rest needs of etcd3 and grpc: a client's constructor, the messages, and the error that calls raise."""

    connect: Callable[..., Any]
    messages: Any
    error: type[Exception]


def load() -> Driver:
    """Import etcd3 and grpc, mended where that is needed.

    They are imported here and not at the top because they cost a third of a second, which ``mao --help`` need not pay.
    """
    with _lock:
        try:
            etcd3 = importlib.import_module("etcd3")
        except TypeError:
            # This is protobuf's "Descriptors cannot be created directly".
            _forget_half_imported()
            _build_message_modules()
            etcd3 = importlib.import_module("etcd3")
        grpc = importlib.import_module("grpc")
    return Driver(connect=etcd3.Etcd3Client, messages=etcd3.etcdrpc, error=grpc.RpcError)


def _forget_half_imported() -> None:
    for name in [name for name in sys.modules if name == "etcd3" or name.startswith("etcd3.")]:
        del sys.modules[name]


def _build_message_modules() -> None:
    spec = importlib.util.find_spec("etcd3")
    assert spec is not None and spec.origin is not None, "the import just found it"
    folder = Path(spec.origin).parent / "etcdrpc"
    for name in _MESSAGE_MODULES:
        full_name = f"{_PACKAGE}.{name}"
        sys.modules[full_name] = _message_module(full_name, folder / f"{name}.py")


def _message_module(full_name: str, path: Path) -> types.ModuleType:
    from google.protobuf import descriptor_pool
    from google.protobuf.internal import builder

    module = types.ModuleType(full_name)
    module.__file__ = str(path)
    description = descriptor_pool.Default().AddSerializedFile(_serialized_description(path))
    module.__dict__["DESCRIPTOR"] = description
    builder.BuildMessageAndEnumDescriptors(description, module.__dict__)
    builder.BuildTopDescriptorsAndMessages(description, full_name, module.__dict__)
    return module


def _serialized_description(path: Path) -> bytes:
    """Read the ``serialized_pb=_b('...')`` literal of a generated module without executing the module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "serialized_pb" and isinstance(node.value, ast.Call):
            text = ast.literal_eval(node.value.args[0])
            assert isinstance(text, str)
            return text.encode("latin-1")
    raise ImportError(f"{path.name} of etcd3 carries no description of its messages.")
