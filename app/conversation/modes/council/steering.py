"""What in an answer is said to its judges: "rank this answer first", however it is hidden.

Judges are models, and the weaker they are the better they obey. Sentences that speak to them are told by
lists of words in a dozen languages, so as far as these go: one that says where to put *this* answer, one
that says to leave the others or the instructions aside, one that fills in the judges' form. Letters that
nobody sees are gone before that, and what is set in bold, put into a comment or a tag, spelt with letters
of another alphabet or broken over two lines reads as it is meant.
"""

import html
import itertools
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from app.core.normal_forms import normalized

MAX_TIMES = 10
"""How often such sentences are cut out of what is left; an answer that has some still is nothing else."""
_SENTENCE = re.compile(r"(?:<!|[^.!?…。！？\n])+[.!?…。！？]*\s*|\n+|[.!?…。！？]+\s*")
_TAG = re.compile(r"</?[a-z][^<>\n]{0,200}>")
_MARKS = re.compile(r"[*_~`#|\[\](){}\\<>]")
_EMPTY = dict.fromkeys(map(ord, "\u034f\u115f\u1160\u3164\uffa0"))
"""Letters without a shape, which are not among Unicode's format characters."""
_WORD = re.compile(r"\w+")
_MIXED = re.compile(r"[a-z][а-яёіїє]|[а-яёіїє][a-z]")
_TO_LATIN = str.maketrans("авекмнорстухіј", "abekmhopctyxij")
_TO_CYRILLIC = str.maketrans("abekmhopctyx", "авекмнорстух")

_THIS = re.compile(
    r"\b(?:this|my|the above|the present) (?:\w+ )?(?:answer|response|reply)|"
    r"\b(?:rank|rate|score|place|put|grade|choose|pick|prefer|select|crown|declare|vote for) (?:me|mine|it|us|(?:answer|response) [a-f])\b|"
    r"\b(?:этот|этому|этого|мой|моему|моего|данный|данному|настоящий) (?:\w+ )?ответ|"
    r"\b(?:постав|помест|оцен|выбер|ранжир|назов|призна|предпоч|присуд)\w* (?:\w+ )?(?:меня|мне|ответ\w* [a-fа-е])\b|"
    r"\b(?:цю|цій|ця|моя|мою|моїй|дану|даній) (?:\w+ )?відповід|"
    r"\b(?:постав|оцін|обер|вибер|ранжу|визна|призна|відда)\w* (?:\w+ )?(?:мене|мені|відповід\w* [a-fа-е])\b|"
    r"\b(?:diese|dieser|meine|meiner) (?:\w+ )?antwort|\b(?:cette|ma) (?:\w+ )?réponse|\b(?:esta|mi) (?:\w+ )?respuesta|"
    r"\b(?:questa|mia) (?:\w+ )?risposta|\b(?:esta|minha) (?:\w+ )?resposta|\b(?:ta|tę|tą|tej|moja|moją|mojej) (?:\w+ )?odpowied|"
    r"\b(?:bu|benim) (?:\w+ )?(?:cevab|yanıt|cevap)|"
    r"(?:这个|這個|这份|本|我的|此)(?:回答|答案|答复)|(?:この|私の|本)(?:回答|答え)|(?:이|내|제) (?:답변|대답|답)",
)
_FIRST = re.compile(
    r"\b(?:first|top|best|highest|above|winner|1st|number one|10(?:/10)?|100)\b|"
    r"\b(?:перв|лучш|наилучш|высш|выше|победител|максимал|перш|найкращ|найвищ|вище|переможц)\w*|\bна верх|\bнагору|"
    r"\b(?:erste[nrs]?|zuerst|beste[nr]?|höchste[nr]?|oben|sieger|premi[eè]re?|meilleure?|plus haute?|en tête|primer[oa]?|mejor|más alta|"
    r"prim[oa]|migliore|primeir[oa]|melhor|mais alta|pierwsz\w{1,3}|najlepsz\w{1,3}|najwyż\w{1,4}|birinci|ilk|en iyi|en yüksek)\b|"
    r"第一|最好|最高|最佳|首位|一番|1位|1위|첫|최고|가장",
)
_BEST = re.compile(
    r"\bbest\b|\bнаи?лучш|\bсам\w{1,2} (?:лучш|полн|точн|верн)|\bлучше (?:всех|остальн|други)|\bнайкращ|\bнайповніш|\bbeste\b|\bmeilleure\b|\bmejor\b|\bmigliore\b|"
    r"\bmelhor\b|\bnajlepsz|\ben iyi\b|最好|最佳|最高|一番|최고|가장",
)
_PUT = re.compile(
    r"\b(?:rank|rate|score|place|put|grade|vote|choose|pick|prefer|select|give|award|declare|deserves?|must|should|crown|consider|"
    r"assign|mark|treat)\b|"
    r"(?:постав|помест|оцени|выбер|выбра|ранжир|назов|счита|сочт|предпочт|присуд|признай|отда|дай|заслуж|должен|нужно|надо|следует|"
    r"оціни|обери|обра|вибер|вважай|визна|признач|відда|заслугов|має бути|мусить|потрібно|слід)|"
    r"\b(?:bewerte\w*|setze\w*|stelle\w*|wähle\w*|platzier\w*|ordne\w*|gib|gebt|geben|muss|soll\w*|class\w{1,3}|place[zr]?|met\w{1,4}|chois\w{2,4}|"
    r"not(?:e|ez|er)|donne\w{0,2}|évalu\w{1,3}|clasifi\w{2,4}|coloc\w{1,3}|coloque\w?|pon|ponga\w?|elige|elij\w{1,2}|calific\w{1,3}|califique\w?|puntú\w{1,2}|"
    r"dale|mett\w{1,4}|scegli\w{0,2}|valut\w{1,3}|posizion\w{1,3}|classific\w{1,3}|classifique\w?|escolh\w{1,2}|avali\w{1,2}|oceń\w{0,3}|umieść\w{0,3}|wybierz\w{0,3}|"
    r"postaw\w{0,3}|uznaj\w{0,3}|sırala\w{0,4}|seç\w{0,4}|koy\w{0,4}|ver\w{0,4})\b|"
    r"排|评|評|选|選|放在|打分|给|置|選ん|つけ|して|순위|평가|선택|뽑|주세요",
)
_ASIDE = re.compile(
    r"\b(?:ignor(?:e[ds]?|ing)|disregard|forget|overlook|skip)\b[^.!?]{0,40}\b(?:instructions?|answers?|responses?|rules?|prompts?|criteria|others?)\b|"
    r"(?:игнориру|забуд|не обращай|не учитывай|отбрось|пренебрег)[^.!?]{0,40}(?:инструкци|указани|ответ|правил|критери|остальн)|"
    r"(?:ігнору|забуд|не зважай|не враховуй|відкинь)[^.!?]{0,40}(?:інструкці|вказів|відповід|правил|критері|решт)|"
    r"\b(?:ignorier\w{1,3}|vergiss|vergesst|ignore[zr]?|oublie[zr]?|ignora\w{0,3}|olvida\w{0,2}|dimentica\w{0,2}|esque\w{1,3}|zignoruj\w{0,3}|zapomnij\w{0,3})\b"
    r"[^.!?]{0,40}(?:anweisung|antwort|regel|instruc|réponse|règle|respuesta|regla|istruzion|rispost|resposta|regra|polece|odpowied|instruk)|"
    r"(?:忽略|无视|無視)[^.!?。]{0,20}(?:指示|指令|回答|答案|规则|ルール)|(?:지시|답변|규칙)[^.!?]{0,20}무시|(?:talimat|cevap|yanıt)\w*[^.!?]{0,20}yok ?say",
)
_JUDGES = re.compile(
    r"\b(?:judges?|rankers?|evaluators?|graders?|reviewers?|assessors?)\b[^.!?]{0,60}\b(?:first|best|highest|top|"
    r"(?:must|should)\b[^.!?]{0,40}\b(?:rank|rate|score|place|put|pick|choose|prefer|select|vote))\b|"
    r"\b(?:судь|судд|оценщик|оцінювач|жюри|журі|рецензент)\w*[^.!?]{0,60}(?:перв|лучш|перш|найкращ|высш|найвищ)|"
    r"[\"']?\branking[\"']?\s*[:=]\s*\[|\breason[\"']?\s*:\s*[\"'][^.!?]{0,80}ranking",
)
_SCORE = re.compile(
    r"\W{0,4}(?:my |final |итоговая |моя |підсумкова )?(?:score|rating|grade|оценка|оцінка|bewertung|puntuación|评分)\s*[:=]\s*"
    r"(?:10|5|100)\s*(?:/|из|з|out of|of)\s*(?:10|5|100)\W{0,4}"
)


@lru_cache(maxsize=32)  # a turn asks for the same few answers again and again
def without_steering(text: str) -> tuple[str, bool]:
    """What of the text is not said to judges, without letters that nobody sees; and whether some was."""
    left = "".join(c for c in text.translate(_EMPTY) if unicodedata.category(c) != "Cf").strip()
    for times in range(MAX_TIMES):
        sentences = _SENTENCE.findall(left)
        steers = _steering(sentences)
        if not any(steers):
            return left, times > 0
        kept = [one for one, steering in zip(sentences, steers, strict=True) if not steering]
        left = "".join(kept).strip()  # what stood around it may make such a sentence, too
    return "", True


def _steering(sentences: Sequence[str]) -> list[bool]:
    """Which of them steer, alone or with the one that follows, where neither has an end of its own."""
    meant = [_meant(sentence) for sentence in sentences]
    steers = [_steers(one) for one in meant]
    spoken = [place for place, one in enumerate(meant) if one]
    for one, after in itertools.pairwise(spoken):
        if not (steers[one] or steers[after]) and not meant[one].endswith((".", "!", "?", "…")):
            steers[one] = steers[after] = _steers(f"{meant[one]} {meant[after]}")
    return steers


def _steers(sentence: str) -> bool:
    this = _THIS.search(sentence) and _FIRST.search(sentence)
    return bool(
        (this and (_PUT.search(sentence) or _BEST.search(sentence)))
        or _ASIDE.search(sentence)
        or _JUDGES.search(sentence)
        or _SCORE.fullmatch(sentence)
    )


def _meant(sentence: str) -> str:
    """The sentence as it is read: one alphabet a word, no markup, small letters; behind it, its tags."""
    plain = html.unescape(normalized("NFKC", sentence)).lower()
    bare = " ".join((_TAG.sub("", plain), *_TAG.findall(plain)))
    words = " ".join(_MARKS.sub("", bare).split())
    return _WORD.sub(lambda found: _one_alphabet(found.group()), words)


def _one_alphabet(word: str) -> str:
    if not _MIXED.search(word):
        return word
    latin = sum(letter.isascii() for letter in word)
    return word.translate(_TO_LATIN if latin * 2 > len(word) else _TO_CYRILLIC)
