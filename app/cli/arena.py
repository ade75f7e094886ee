"""python -m app arena replay: places a new model by a person's past questions."""

import argparse
from typing import Any

from app.bootstrap import Application, build
from app.cli.keys import owner_of
from app.cli.terminal import Terminal
from app.conversation.replay import replayed
from app.core.models import ModelProfile
from app.core.reports import UsageFilter
from app.core.strengths import strengths
from app.core.text import Text
from app.core.votes import Vote
from app.storage.migrations import apply
from app.view.errors import advice_for

NO_USER = Text(
    ru="Нет пользователя {name}.", uk="Немає користувача {name}.", en="There is no user {name}."
)
NOTHING = Text(
    ru="Нет вопросов, на которые отвечала бы другая модель.",
    uk="Немає запитань, на які відповідала б інша модель.",
    en="There are no questions that another model has answered.",
)
SENT = Text(
    ru="Вопросов: {count}. Их получит {model}; вопросы с обоими ответами получит судья {judge}.",
    uk="Запитань: {count}. Їх отримає {model}; запитання з обома відповідями отримає суддя {judge}.",
    en="Questions: {count}. {model} is sent them; the judge {judge} is sent them with both answers.",
)
AWAY = Text(
    ru="⚠ {model} — не на ваших машинах: вопросы уйдут туда.",
    uk="⚠ {model} — не на ваших машинах: запитання підуть туди.",
    en="⚠ {model} is not on a machine of yours: the questions go there.",
)
CONSENT = Text(
    ru="Это вопросы пользователя {name}, и он согласен? [д/Н]",
    uk="Це запитання користувача {name}, і він згоден? [т/Н]",
    en="These are the questions of {name}, who agrees? [y/N]",
)
NOT_ASKED = Text(
    ru="Ничего не отправлено. Без вопроса: --yes",
    uk="Нічого не надіслано. Без запитання: --yes",
    en="Nothing was sent. Without asking: --yes",
)
DONE = Text(
    ru="{at} из {count}: лучше {new} — {won}, лучше прежний ответ — {lost}, поровну — {drawn}",
    uk="{at} з {count}: краща {new} — {won}, краща попередня відповідь — {lost}, порівну — {drawn}",
    en="{at} of {count}: {new} better {won}, the former answer better {lost}, even {drawn}",
)
FEW = Text(ru="мало голосов", uk="мало голосів", en="not enough votes")


def register(subparsers: Any) -> None:
    """Adds the group."""
    group = subparsers.add_parser("arena", help="compare models by your own questions")
    commands = group.add_subparsers(required=True, metavar="replay")
    replay = commands.add_parser("replay", help="ask a model your past questions; a judge compares")
    replay.add_argument("--model", required=True, metavar="server/model", help="the new model")
    replay.add_argument("--judge", required=True, metavar="server/model")
    replay.add_argument("--questions", type=int, default=30, help="at most; unless given, 30")
    replay.add_argument("--user", help="whose questions; unless given, the local user's")
    replay.add_argument("--yes", action="store_true", help="they agree: do not ask")
    replay.set_defaults(run=run_replay)


async def run_replay(args: argparse.Namespace, terminal: Terminal) -> int:
    """Asks, judges, keeps the verdicts as the judge's votes, and prints where the models stand by them."""
    app = build(terminal.settings.model_copy(update={"log_level": "ERROR"}))
    await apply.upgrade(app.storage.database)
    try:
        await app.servers.catalogue.refresh()
        return await _replay(app, args, terminal)
    finally:
        await app.servers.aclose()
        await app.storage.database.aclose()


async def _replay(app: Application, args: argparse.Namespace, terminal: Terminal) -> int:
    store, models = app.storage, app.models
    user_id = await owner_of(args.user, store, terminal)
    if user_id is None:
        terminal.fail(NO_USER.format(name=args.user or ""))
        return 1
    new, judge = models.resolve(args.model), models.resolve(args.judge)
    past = await store.votes.past(user_id, max(1, args.questions), str(new))
    if not past:
        terminal.fail(NOTHING)
        return 1
    terminal.say(SENT.format(count=len(past), model=new, judge=judge))
    for profile in {new: models.profile(new), judge: models.profile(judge)}.values():
        _warn(profile, terminal)
    user = await store.users.by_id(user_id)
    name = user.identifier if user is not None else user_id
    if not (args.yes or terminal.ask(CONSENT.format(name=name))):
        terminal.fail(NOT_ASKED)
        return 1
    told = {"won": 0, "lost": 0, "drawn": 0}
    language = terminal.language
    at = 0
    async for one in replayed(models, new, judge, past, user_id, language):
        at += 1
        await store.usage.add(None, user_id, one.request_id, one.calls)
        if one.vote is not None:
            await store.votes.add(one.vote)
            told[{1: "won", 0: "lost", None: "drawn"}[one.vote.winner]] += 1
        elif one.error is not None:
            about = {"code": one.error.code, "server": new.server, "model": new.name}
            terminal.fail(str(advice_for(about, language)["title"]))
        terminal.line(f"{at}/{len(past)}")
    terminal.end_line()
    terminal.say(DONE.format(at=sum(told.values()), count=len(past), new=new, **told))
    over = UsageFilter(user_id=user_id)
    by_judge = [vote for vote in await store.votes.all(over) if vote.source == "judge"]
    terminal.table(_standing(by_judge, terminal))
    return 0 if any(told.values()) else 1


def _warn(profile: ModelProfile, terminal: Terminal) -> None:
    if not profile.local:
        terminal.say(AWAY.format(model=profile.ref))


def _standing(votes: list[Vote], terminal: Terminal) -> list[list[str]]:
    rows = []
    for one in strengths(votes):
        number = terminal.words(FEW)
        if one.strength is not None and one.low is not None and one.high is not None:
            number = f"{one.strength:.0f} ({one.low:.0f}–{one.high:.0f})"
        rows.append([one.model, number, f"{one.won} + {one.drawn} − {one.lost}"])
    return rows
