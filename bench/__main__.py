"""python -m bench [--quick] [--soak] [name ...]: runs the benchmarks and prints one table."""

import argparse
import asyncio
import importlib
import pkgutil
import time

import bench
from bench.report import Report


def main() -> None:
    """Runs the named benchmarks, or all; every module with a coroutine function `run(report)`."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--soak", action="store_true", help="the long runs with faults")
    arguments = parser.parse_args()
    report = Report(quick=arguments.quick, soak=arguments.soak)
    for found in pkgutil.iter_modules(bench.__path__):
        if arguments.names and found.name not in arguments.names:
            continue
        if found.name.startswith("_") or found.name == "report":
            continue
        module = importlib.import_module(f"bench.{found.name}")
        entry = getattr(module, "soak" if arguments.soak else "run", None)
        if entry is None:
            continue
        start = time.perf_counter()
        asyncio.run(entry(report))
        print(f"{found.name}: {time.perf_counter() - start:.0f} s", flush=True)
    print(report.table())
    print(f"\n{report.save()}")


if __name__ == "__main__":
    main()
