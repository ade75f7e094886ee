"""python -m tests.simulators ollama|openai --port N --models a,b: a simulator in its own process."""

import argparse
import asyncio
import contextlib
import signal

import uvloop

from tests.simulators import OllamaSimulator, OpenAISimulator
from tests.simulators.base import DEFAULT_MODELS, Simulator


async def serve(simulator: Simulator) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with simulator:
        print(simulator.url, flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulators", description=__doc__)
    parser.add_argument("kind", choices=("ollama", "openai"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--models", default=",".join(DEFAULT_MODELS))
    parser.add_argument("--key", help="OpenAI: the API key to demand")
    given = parser.parse_args()
    models = [name for name in given.models.split(",") if name]
    simulator: Simulator
    if given.kind == "ollama":
        simulator = OllamaSimulator(models, port=given.port)
    else:
        simulator = OpenAISimulator(models, port=given.port, key=given.key)
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(serve(simulator))


if __name__ == "__main__":
    main()
