"""Usage records like those of a busy house, made alike every time from a seed."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

USERS = {"u-anna": "Анна", "u-bohdan": "Богдан", "u-chris": "Chris"}
MODELS = {
    ("ollama", "gemma2:2b"): (Decimal(0), 45.0),
    ("ollama", "qwen3:8b"): (Decimal(0), 18.0),
    ("yandex", "yandexgpt-lite"): (Decimal("0.2"), 70.0),
    ("yandex", "aliceai-llm"): (Decimal("1.2"), 55.0),
    ("openrouter", "meta/llama-3.3"): (None, 90.0),
}
HITS = ("exact", "near", "taken")
"""Answers that the cache gave."""
MODES = ("chat", "chat", "chat", "consultation", "dialogue", "best_of")
END = datetime(2026, 9, 30, 21, 0, tzinfo=UTC)


def usage_rows(
    count: int, *, days: float = 30, end: datetime = END, seed: int = 1, per_turn: int = 2
) -> Iterator[dict[str, Any]]:
    """Rows of the table `usage`, `count` of them over `days` days before `end`, oldest first."""
    chance = random.Random(seed)
    step = timedelta(days=days) / count
    turn: dict[str, Any] = {}
    for number in range(count):
        if number % per_turn == 0:
            turn = {
                "turn_id": f"turn-{seed}-{number}",
                "thread_id": f"thread-{number // 20}",
                "user_id": chance.choice(list(USERS)),
                "mode": chance.choice(MODES),
            }
        started_at = end - timedelta(days=days) + step * number
        yield _row(chance, f"call-{seed}-{number}", started_at, number, per_turn) | turn


def _row(
    chance: random.Random, id: str, started_at: datetime, number: int, per_turn: int
) -> dict[str, Any]:
    (server, model), (price, speed) = chance.choice(list(MODELS.items()))
    cache = chance.choices((None, "miss", "exact", "near", "taken"), (80, 13, 4, 2, 1))[0]
    hit = cache in HITS
    outcome = chance.choices(("completed", "failed", "stopped"), (94, 3, 3))[0]
    tokens_in, tokens_out = chance.randint(20, 6000), chance.randint(5, 900)
    failed = outcome == "failed"
    first = None if failed else round(chance.lognormvariate(-1, 0.8), 6)
    cost = None if price is None or failed else price * (tokens_in + tokens_out) / 1000
    spared = cost if hit else None
    if hit:
        cost = Decimal(0)
    return {
        "id": id,
        "started_at": started_at,
        "key_id": None,
        "step_id": f"step-{id}",
        "purpose": "answer" if number % per_turn == 0 else "summary",
        "server": server,
        "model": model,
        "outcome": outcome,
        "input_tokens": None if failed else tokens_in,
        "output_tokens": None if failed else tokens_out,
        "cached_tokens": tokens_in // 2 if chance.random() < 0.3 else None,
        "reasoning_tokens": None,
        "estimated": number % 3 == 0,
        "load_s": None,
        "prompt_s": None,
        "generation_s": tokens_out / speed if server == "ollama" and not failed else None,
        "first_token_s": 0.002 if hit else first,
        "total_s": 0.01 if hit else (first or 5.0) + tokens_out / speed,
        "characters": tokens_out * 4,
        "cost_amount": cost,
        "cost_currency": "RUB" if cost is not None else None,
        "cost_rub": cost,
        "finish_reason": "stop" if outcome == "completed" else None,
        "cache": cache,
        "error": "server_busy" if failed else None,
        "request_id": id,
        "streaming": chance.random() < 0.9,
        "saved_tokens": chance.randint(100, 3000) if hit or chance.random() < 0.2 else None,
        "saved_rub": spared,
        "parallel": chance.choices((1, 2, 3, 5), (70, 15, 10, 5))[0],
    }
