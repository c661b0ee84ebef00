"""What holds for every test: nothing leaves the loopback, and the bundled catalog is encoded once."""

import fcntl
import ipaddress
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter

import pytest

os.environ.update(HF_HUB_OFFLINE="1", LANGSMITH_TRACING="false", TOKENIZERS_PARALLELISM="false")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # torch's threads and the workers' would get in each other's way


def pytest_configure(config):
    """Name one cache of embeddings before workers start, who inherit it as the next run does; let Ctrl-C interrupt."""
    if "TOOLFLOW_CACHE_DIR" not in os.environ:
        if config.pluginmanager.has_plugin("cacheprovider"):
            folder = config.cache.mkdir("toolflow")
        else:
            folder = tempfile.mkdtemp(prefix="toolflow-")
            config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ["TOOLFLOW_CACHE_DIR"] = str(folder)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # so in a shell's background, and what is started inherits it
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers():
    """One worker more than there are cores: much of what is tested waits for processes, servers and browsers."""
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items):
    """Begin with the files that have most slow tests: a file is one worker's, and none should begin late."""
    slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: -slow[item.path])


def _is_local(host):
    if host in (None, "", "localhost", b"localhost", socket.gethostname()):
        return True
    try:
        address = ipaddress.ip_address(host.decode() if isinstance(host, bytes) else host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


@pytest.fixture(autouse=True, scope="session")
def loopback_only():
    """Fail a test that reaches for another host, whatever it does about errors."""
    patch = pytest.MonkeyPatch()
    for name in ("connect", "connect_ex"):
        patch.setattr(socket.socket, name, _guard_connection(getattr(socket.socket, name)))
    patch.setattr(socket, "getaddrinfo", _guard_lookup(socket.getaddrinfo))
    yield
    patch.undo()


def _guard_connection(connect):
    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            pytest.fail(f"a test reached for {address[0]!r}; tests stay on the loopback")
        return connect(self, address)

    return guarded


def _guard_lookup(look_up):
    def guarded(host, *args, **kwargs):
        if not _is_local(host):
            pytest.fail(f"a test looked up {host!r}; tests stay on the loopback")
        return look_up(host, *args, **kwargs)

    return guarded


@pytest.fixture(autouse=True, scope="session")
def browser_ends():
    """End the browser with the tests that used it."""
    yield
    if "browser" in sys.modules:
        sys.modules["browser"].close_browser()


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    """A folder with a small catalog, which the tests of a module may change."""
    from runs import copy_catalog  # noqa: PLC0415 - imports the package

    return copy_catalog(tmp_path_factory.mktemp("catalog"))


@pytest.fixture(scope="session")
def bundled_catalog():
    """The tools that come with the package."""
    from toolflow_graph.catalog import load_catalog  # noqa: PLC0415

    return load_catalog()


@pytest.fixture(scope="session")
def bundled_graph(bundled_catalog, tmp_path_factory):
    """The Tool Graph of the bundled catalog; of several workers one encodes and the others wait for its cache."""
    from toolflow_graph.encoder import load_encoder  # noqa: PLC0415
    from toolflow_graph.tool_graph import build_tool_graph  # noqa: PLC0415

    folder = tmp_path_factory.getbasetemp()
    lock = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "bundled_graph.lock"
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        return build_tool_graph(bundled_catalog.tools.values(), load_encoder())
