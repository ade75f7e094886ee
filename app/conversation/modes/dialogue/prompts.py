"""The words for the participants, and those the person reads."""

from collections.abc import Mapping

from app.core.text import Text

END_MARK = "[END]"

FRAME = Text(
    ru="Ты — {name}. Ты участвуешь в беседе, собеседники: {others}. Ведёт беседу {person}. Тема: {topic}",
    uk="Ти — {name}. Ти береш участь у бесіді, співрозмовники: {others}. Веде бесіду {person}. Тема: {topic}",
    en="You are {name}. You take part in a conversation with {others}, led by {person}. The topic: {topic}",
)
ANCHOR = Text(
    ru="""Сейчас говоришь ты, {name}.{role} Тема: {topic}{asked}
Ответь собеседникам одной репликой, от своего лица, без имени в начале; за других не говори. Скажи новое: не \
повторяй сказанного и не рассыпайся в любезностях, несогласие объясняй. Говори на языке темы. Если добавить по \
существу нечего, закончи реплику знаком {mark}.""",
    uk="""Зараз говориш ти, {name}.{role} Тема: {topic}{asked}
Відповідай співрозмовникам однією реплікою, від свого імені, без імені на початку; за інших не говори. Скажи нове: \
не повторюй сказаного й не розсипайся в люб'язностях, незгоду пояснюй. Говори мовою теми. Якщо додати по суті \
нічого, закінчи репліку знаком {mark}.""",
    en="""Now you speak, {name}.{role} The topic: {topic}{asked}
Answer the others in one turn, in your own voice, without your name in front; do not speak for others. Say something \
new: do not repeat what was said, do not exchange courtesies, explain where you disagree. Speak the language of the \
topic. If there is nothing of substance to add, end your turn with the mark {mark}.""",
)
ROLE = Text(ru=" Твоя роль: {role}", uk=" Твоя роль: {role}", en=" Your role: {role}")
ASKED = Text(
    ru="\nПоследние слова ведущего: {text}",
    uk="\nОстанні слова ведучого: {text}",
    en="\nThe host's last words: {text}",
)
CHECK = Text(
    ru="""Это последние реплики беседы:

{lines}

Кончена ли беседа: осталось ли собеседникам только прощаться, благодарить, мириться и соглашаться? Если они ещё \
торгуются, играют, спорят, рассказывают, кого-то обслуживают или ждут ответа, то не кончена. Ответь одним словом: да \
или нет.""",
    uk="""Це останні репліки бесіди:

{lines}

Чи скінчено бесіду: чи лишилося співрозмовникам тільки прощатися, дякувати, миритися й погоджуватися? Якщо вони ще \
торгуються, грають, сперечаються, розповідають, когось обслуговують або чекають відповіді, то не скінчено. Відповідай \
одним словом: так або ні.""",
    en="""These are the last lines of a conversation:

{lines}

Is the conversation over: is there nothing left but to part, to thank, to make up and to agree? If they still \
bargain, play, argue, tell a story, serve somebody or wait for an answer, it is not. Answer with one word: yes or no.""",
)
WISHES = Text(
    ru="Пожелания человека:\n{system}",
    uk="Побажання людини:\n{system}",
    en="What the person wants:\n{system}",
)
HOST = Text(ru="ведущий", uk="ведучий", en="the host")
OMITTED = Text(
    ru="[начало беседы опущено]", uk="[початок бесіди пропущено]", en="[the beginning is left out]"
)
LEFT_OUT = Text(
    ru="Первые реплики диалога ({n}) уже не помещались в окно модели и не отправлялись.",
    uk="Перші репліки діалогу ({n}) вже не вміщувалися у вікно моделі й не надсилалися.",
    en="The first lines of the dialogue ({n}) no longer fitted the model's window and were not sent.",
)
CONTINUE = Text(
    ru="Продолжайте: ещё {turns}.", uk="Продовжуйте: ще {turns}.", en="Go on: {turns} more."
)
TURNS = (
    Text(ru="{n} реплика", uk="{n} репліка", en="{n} turn"),
    Text(ru="{n} реплики", uk="{n} репліки", en="{n} turns"),
    Text(ru="{n} реплик", uk="{n} реплік", en="{n} turns"),
)
SPEAKING = Text(ru="Говорит {name}…", uk="Говорить {name}…", en="{name} is speaking…")
PAUSED = Text(
    ru="Пауза. Можно вставить слово или продолжить.",
    uk="Пауза. Можна вставити слово або продовжити.",
    en="Paused. You may put in a word, or go on.",
)
LEFT = Text(
    ru="{name} не может ответить и выходит из диалога.",
    uk="{name} не може відповісти й виходить із діалогу.",
    en="{name} cannot answer and leaves the dialogue.",
)
ENDS: Mapping[str, Text] = {
    "turns": Text(
        ru="Все реплики сказаны.", uk="Усі репліки сказано.", en="All turns have been taken."
    ),
    "mark": Text(
        ru="{name} завершает диалог: добавить нечего.",
        uk="{name} завершує діалог: додати нічого.",
        en="{name} ends the dialogue: there is nothing to add.",
    ),
    "courtesy": Text(
        ru="Диалог свёлся к любезностям и остановлен.",
        uk="Діалог звівся до люб'язностей, його зупинено.",
        en="The dialogue had come down to courtesies and was stopped.",
    ),
    "repetition": Text(
        ru="{name} повторяется, диалог остановлен.",
        uk="{name} повторюється, діалог зупинено.",
        en="{name} repeats itself; the dialogue was stopped.",
    ),
    "silence": Text(
        ru="Участники молчат, диалог остановлен.",
        uk="Учасники мовчать, діалог зупинено.",
        en="The participants are silent; the dialogue was stopped.",
    ),
    "time": Text(
        ru="Время диалога вышло.",
        uk="Час діалогу вийшов.",
        en="The time for the dialogue is over.",
    ),
}
