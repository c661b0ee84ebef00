"""The command line; `main` is the entry point of `toolflow`."""


def main() -> None:
    """Run `toolflow` with the arguments of the process."""
    from toolflow_graph.cli.app import main as run  # noqa: PLC0415 - submodules can be imported without the app

    run()
