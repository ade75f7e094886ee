"""python -m bench [--quick] [--soak] [name ...]: runs the benchmarks and prints one table, a row as
soon as it is measured.

python -m bench council --data DIR --models ...: whether a council helps (bench/evidence.py).
python -m bench judges --data DIR --models ...: how models judge pairs of answers (bench/judges.py).
python -m bench citations --models ...: how models check citations (bench/citations.py).
"""

import argparse
import asyncio
import importlib
import pkgutil
import time
from pathlib import Path

import bench
from bench import citations, evidence, judges
from bench.report import Report


def main() -> None:
    """Runs the named benchmarks, or all; every module with a coroutine function `run(report)`."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--soak", action="store_true", help="the long runs with faults")
    parser.add_argument("--data", type=Path, help="a folder of questions with known answers")
    parser.add_argument("--models", help="server/model,..., or recorded, or independent")
    parser.add_argument("--questions", type=int, help="at most so many of them")
    arguments = parser.parse_args()
    if arguments.data is not None:
        measures = {"council": evidence.main, "judges": judges.main}
        if len(arguments.names) != 1 or not arguments.models or arguments.names[0] not in measures:
            parser.error("--data goes with: council --models ..., or judges --models ...")
        measures[arguments.names[0]](arguments.data, arguments.models, arguments.questions)
        return
    if arguments.models is not None:
        if arguments.names != ["citations"]:
            parser.error("--models without --data goes with: citations")
        citations.main(arguments.models, arguments.questions)
        return
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
        report.add(found.name, "the whole of it", time.perf_counter() - start, "s")
    print(f"\n{report.save()}")


if __name__ == "__main__":
    main()
