"""Compression of long conversations, measured with scripted models.

The dialogue: questions of about 60 tokens, answers of about 250; tokens are our own estimate, alike
for all columns. "Sent" is what goes to any model: each turn's prompt, and for a compressed one the
summariser's prompts and answers too. Beside it the classic rule: every 10 messages, all but the last
into one summary of 250 tokens, made anew from the last summary and what came since.
"""

import asyncio
import itertools
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta

from app.completion.tokens import MESSAGE_TOKENS, prompt_tokens, text_tokens
from app.core.errors import ServerUnavailable
from app.core.turns import Prompt
from app.core.usage import Purpose
from bench.report import Report
from tests.dialogues import (
    Planted,
    Talk,
    dialogue,
    honest,
    liar,
    planted_facts,
    stale_values,
    whole,
    wordy,
)
from tests.fakes import Script

NAME = "compression"
LENGTHS = (10, 20, 40, 100, 200)
FACTS_A_TURN = 0.52
"""All 52 statements are said in 200 messages."""
CLASSIC_EVERY, CLASSIC_SUMMARY, CLASSIC_INSTRUCTIONS = 10, 250, 60


@dataclass
class Sent:
    """Tokens sent in one whole dialogue."""

    full: int
    ours: int
    classic: int
    prompts: list[Prompt]


async def run(report: Report) -> None:
    facts = planted_facts()
    await _tokens(report, facts)
    await _facts_carried(report, facts)
    await _bad_summarisers(report, facts)
    await _never_dearer(report, facts)
    await _waiting(report, 20 if report.quick else 60)


async def _tokens(report: Report, facts: list[Planted]) -> None:
    for length in LENGTHS[:3] if report.quick else LENGTHS:
        sent = await _held(length // 2, facts)
        full, ours, classic = sent.full, sent.ours, sent.classic
        goal = 70.0 if length >= 100 else None
        label = f"{length} messages:"
        report.add(NAME, f"{label} sent, full history", full, "tokens")
        report.add(NAME, f"{label} sent, classic rule", classic, "tokens")
        report.add(NAME, f"{label} sent, compressed", ours, "tokens", 1.05 * full)
        report.add(NAME, f"{label} saved, classic rule", _saved(classic, full), "%")
        report.add(NAME, f"{label} saved", _saved(ours, full), "%", goal, at_least=True)
        report.add(NAME, f"{label} a turn on average", ours / (length / 2), "tokens")
        last = sent
    sent = await _held(LENGTHS[1 if report.quick else -1] // 2, facts, wordy(facts))
    label = f"{len(sent.prompts) * 2} messages, a summariser with a line more a turn: saved"
    report.add(NAME, label, _saved(sent.ours, sent.full), "%")
    kept, all_kept = _prefixes(last.prompts)
    report.add(NAME, "prompt kept as prefix of the next", kept, "%")
    report.add(NAME, "same between compactions", all_kept, "%", 100.0, at_least=True)


def _saved(sent: int, full: int) -> float:
    return 100 * (1 - sent / full)


async def _held(turns: int, facts: list[Planted], summariser: Script | None = None) -> Sent:
    """One dialogue of that many turns, held three ways."""
    talk = Talk(summariser or honest(facts))
    full: list[int] = []
    ours: list[int] = []
    prompts: list[Prompt] = []
    for question, answer in dialogue(turns, facts, FACTS_A_TURN):
        prompt = await talk.turn(question, answer)
        prompts.append(prompt)
        ours.append(prompt_tokens(prompt.messages))
        full.append(prompt_tokens(message.as_message() for message in talk.history[:-1]))
    messages = [message.as_message() for message in talk.history]
    sizes = [prompt_tokens([message]) for message in messages]
    return Sent(sum(full), sum(ours) + _summaries(talk), sum(_classic(sizes)), prompts)


def _classic(sizes: list[int]) -> list[int]:
    """Tokens sent a turn under the classic rule; a summary is counted in the turn before it."""
    sent: list[int] = []
    summary, since = 0, 0
    for at in range(0, len(sizes), 2):
        sent.append(summary + sum(sizes[since : at + 1]))
        if at + 2 - since >= CLASSIC_EVERY:
            read = summary + sum(sizes[since : at + 1])
            sent[-1] += CLASSIC_INSTRUCTIONS + read + CLASSIC_SUMMARY
            summary, since = CLASSIC_SUMMARY + MESSAGE_TOKENS, at + 1
    return sent


def _prefixes(prompts: list[Prompt]) -> tuple[float, float]:
    """Share of each prompt (without its question) that begins the next one, in characters: on average,
    and as a share of turns without a new compaction in which all of it does."""
    kept: list[float] = []
    whole_between: list[bool] = []
    for before, after in itertools.pairwise(prompts):
        if len(before.messages) < 2:
            continue
        first = "\0".join(m.role + m.text for m in before.messages[:-1])
        second = "\0".join(m.role + m.text for m in after.messages[:-1])
        same = next(
            (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b),
            min(len(first), len(second)),
        )
        kept.append(same / len(first))
        corrected = "not " in after.question.text or "instead of" in after.question.text
        if (
            before.compression.version == (after.compression and after.compression.version)
            and not corrected
        ):
            whole_between.append(same == len(first))
    return 100 * statistics.mean(kept), 100 * statistics.mean(whole_between)


async def _facts_carried(report: Report, facts: list[Planted]) -> None:
    """Planted facts in the outgoing prompt after 1, 3 and 10 compactions: carriage, an upper bound on
    what a model recalls."""
    for label, drops, goal in (("honest", 0.0, 95.0), ("drops 30 %", 0.3, 90.0)):
        talk = Talk(honest(facts, drops))
        said: set[Planted] = set()
        at: dict[int, float] = {}
        stale = 0
        for question, answer in dialogue(46, facts, per_turn=1.3):
            prompt = await talk.turn(question, answer)
            said |= {fact for fact in facts if fact.said in question}
            stale += len(stale_values(prompt, said))
            text = whole(prompt)
            expected = [fact.value for fact in said if fact.value]
            present = sum(value in text for value in expected)
            at[prompt.compression.version] = 100 * present / max(1, len(expected))
        for compactions in (1, 3, 10):
            report.add(
                NAME,
                f"{label}: facts carried after {compactions} compactions",
                at[compactions],
                "%",
                goal if compactions == 10 else None,
                at_least=True,
            )
        report.add(NAME, f"{label}: stale values in any prompt", stale, "", 0)
        lost = sum(
            kept.text != asked
            for kept, (asked, _) in zip(
                talk.history[::2], dialogue(46, facts, per_turn=1.3), strict=True
            )
        )
        report.add(NAME, f"{label}: originals lost", lost, "", 0)


async def _bad_summarisers(report: Report, facts: list[Planted]) -> None:
    """What goes out when the summariser is no good: the originals, all of them, and nothing else."""
    scripts = {
        "lies": liar(facts),
        "fails": ServerUnavailable("down"),
        "hangs": [timedelta(seconds=60)],
        "answers nonsense": "As a language model I cannot.",
    }
    for label, script in scripts.items():
        talk = Talk(script, summary_seconds=0.01)
        for question, answer in dialogue(14, facts):
            prompt = await talk.turn(question, answer)
        text = whole(prompt)
        missing = sum(message.text not in text for message in talk.history[:-2])
        invented = sum(lie in text for lie in ("99,999", "31337", "Fake Person", "Bogus"))
        report.add(
            NAME, f"summariser {label}: messages missing or invented", missing + invented, "", 0
        )


async def _never_dearer(report: Report, facts: list[Planted]) -> None:
    """The most that a conversation has cost at any length, as a share of its full history."""
    scripts = {
        "honest": honest(facts),
        "drops 60 %": honest(facts, 0.6),
        "wordy": wordy(facts),
        "lies": liar(facts),
        "fails": ServerUnavailable("down"),
        "answers nonsense": "As a language model I cannot.",
    }
    for label, script in scripts.items():
        talk = Talk(script)
        sent, full, shares = 0, 0, []
        for question, answer in dialogue(30 if report.quick else 100, facts, FACTS_A_TURN):
            sent += prompt_tokens((await talk.turn(question, answer)).messages)
            full += prompt_tokens(message.as_message() for message in talk.history[:-1])
            shares.append((sent + _summaries(talk)) / full)
        name = f"summariser {label}: most sent at any length, share of full history"
        report.add(NAME, name, max(shares), "", 1.05)


def _summaries(talk: Talk) -> int:
    """Tokens that the summariser read and wrote."""
    asked = [r for _, r in talk.models.requests if r.purpose is Purpose.SUMMARY]
    return sum(prompt_tokens(r.messages) for r in asked) + sum(map(text_tokens, talk.summaries))


async def _waiting(report: Report, turns: int) -> None:
    """The time a turn waits for its prompt while a summary of 5 s is under way, beside the same
    conversation without compression."""

    async def waits(talk: Talk) -> list[float]:
        found: list[float] = []
        for question, answer in dialogue(turns, []):
            request = talk.request(question)
            start = time.perf_counter()
            await talk.build(request)
            found.append(1000 * (time.perf_counter() - start))
            talk.say(request.question, answer)
            await talk.settle(request)
            await asyncio.sleep(0.001)
        await talk.compressor.aclose()
        return found

    rounds = []
    for _ in range(3):  # the quietest round: other work on the machine is not the question
        slow = _p95(await waits(Talk([timedelta(seconds=5), "{}"])))
        plain = _p95(await waits(Talk(compress_context=False)))
        rounds.append((max(0.0, slow - plain), slow))
    added, built = min(rounds)
    report.add(NAME, "foreground wait added, p95, summariser of 5 s", round(added), "ms", 0)
    report.add(NAME, "building a prompt, p95", built, "ms")


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]
