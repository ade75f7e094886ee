"""The small closed classes of words that a question is read by: what kind of question it is, what it
denies, allows, demands, of whom it speaks. Russian, Ukrainian and English in one table; words of the
open classes are not listed anywhere."""

_CLASSES = """
ask who: кто хто who
ask whom: кого кому кем ким whom
ask whose: чей чья чьё чье чьи чий чия чиє чиї whose
ask when: когда коли when
ask where: где де where
ask whither: куда куди
ask whence: откуда звідки
ask why: почему зачем отчего чому навіщо why
ask count: сколько скільки how-many
ask long: how-long
ask often: how-often
ask cost: how-costly
ask different: how-different
ask how: как як how
ask which: какой какая какое какие каких каким какими какую каком каков какова каково каковы который которая которое которые
ask which: який яка яке які яких яким якими яку якій якому котрий котра котре котрі which
ask what: чо че шо что чего чему чём чем що чого чим чому what
not: не нет ни нельзя без ні немає нема без жодний жоден жодного жодної никогда ніколи никакой никакие no not never without don't doesn't didn't can't couldn't isn't aren't wasn't weren't won't wouldn't shouldn't mustn't haven't hasn't dont doesnt cant isnt wont none neither nor cannot unable
need: нужно надо необходимо требуется нужен нужна нужны треба потрібно необхідно потрібен потрібна потрібні need needs required require requires necessary
must: должен должна должно должны обязан обязана обязано обязаны обязательно придется повинен повинна повинно повинні мусить мусимо мушу обов'язково must shall
can: можно возможно могу может можем можете могут можешь можна можливо можу може можемо можете можуть можеш нельзя cannot can't can could may might able allowed possible
should: стоит следует лучше варто слід краще should ought
all: все всех всем всеми всё вся всю всей весь каждый каждая каждое каждые каждого любой любая любое любые любого всі усі всіх усіх всім усім весь кожен кожна кожне кожного будь-який будь-яка будь-яке будь-які all every each any whole entire both оба обе обидва обидві
some: некоторые некоторых несколько один одна одно одни одного одной одну деякі деяких кілька декілька одне одні одного одній some several few one
only: только лишь лише тільки only just
more: больше более побольше більше more
less: меньше менее менше less fewer
most: самый самая самое самые самого самых наиболее найбільш best most least
me: я меня мне мной мой моя моё мое мои моего моей моих моим мою моем мені мене мною мій моє мої моїх моїм i me my mine myself i'm i've i'd i'll
you: ты тебя тебе твой твоя твоё твои ти тобі твій твоє твої you your yours
he: он его ему им нем він його йому him he his
she: она её ее ей ней вона її їй she her hers
we: мы нас нам нами наш наша наше наши ми нас нам наші us we our ours let's
they: они их ним них вони їх їм them they their theirs
from: из с со от изо від з із зі from
until: до until till
to: в во на к ко у into to onto towards
in: about of in on at by as per over between among during про о об обо при по із-за из-за между среди за над под через під між серед щодо перед
for: для for
before: before
after: после після after since
with: with с вместе разом using via
against: против проти against versus vs
than: чем ніж than
tell: объясни объясните расскажи расскажите опиши опишите поясни поясните растолкуй разъясни розкажи розкажіть опишіть поясніть explain describe tell define
write: напиши напишите составь составьте создай создайте сделай сделайте напишіть складіть склади створи створіть зроби write compose draft make create build
translate: переведи переведите переклади перекладіть translate
compare: сравни сравните порівняй порівняйте compare contrast
list: перечисли перечислите назови назовите перелічи перелічіть назви назвіть list name enumerate
shorten: сократи сократите скороти скоротіть резюмируй перескажи summarize summarise shorten
fix: исправь исправьте поправь виправ виправте fix correct debug
compute: посчитай посчитайте вычисли вычислите рассчитай рассчитайте порахуй порахуйте обчисли обчисліть calculate compute
check: проверь проверьте перевір перевірте check review
idle: пожалуйста плиз плз пж будь будьте добры ласка ласкаво прошу подскажи подскажите скажи скажите скажіть підкажи підкажіть спасибо благодарю дякую заранее привет привіт здравствуйте вітаю please pls plz thanks thank hi hello hey kindly
idle: помоги помогите допоможи допоможіть ребят ребята народ слышь вообще взагалі слухай слушай
small: правильно правильный способ способы спосіб way ways properly correctly сделать делать сделано зробити робити
small: a an the is are was were be been being am do does did doing done has have had it its it's this that these those there here and so then also too what's that's how's where's who's
or: или або or
out: off out
up: up on
down: down
if: если якщо if
small: и а но да же ли ль то вот это этот эта эти этого этой этому такое такой такая такие есть быть был была было были является являются будет будут чтобы так ну уж еще ещё уже там тут
small: і й та але ж чи то ось це цей ця ці цього цієї таке такий така такі є бути був була було були буде будуть щоб так ну ще вже там тут
"""

_TURNS = """
hello: добрый день, добрый вечер, доброе утро, доброго дня, доброго вечора, хочу узнать, хотел бы узнать, хотела бы узнать, хотелось бы узнать, хочу понять, интересует, не подскажете, можете подсказать, кто знает, кто-нибудь знает, хочу дізнатися, хотів би дізнатися, хотіла б дізнатися, цікавить, не підкажете, можете підказати, хто знає
hello: i would like to know, i'd like to know, i want to know, i was wondering, just wondering, can you tell me, could you tell me, could you please tell me, can anyone tell me, can somebody tell me, does anyone know, gonna need help, i need help, help me
explain: можете объяснить, можешь объяснить, можете пояснити, можеш пояснити, can you explain, could you explain
why: по какой причине, по каким причинам, из-за чего, в чем причина, каковы причины, от чего, для чего, с какой целью
why: з якої причини, через що, у чому причина, в чому причина, які причини, для чого, з якою метою
why: what is the reason, what's the reason, what are the reasons, what causes, how come, what for
when: в каком году, в какое время, какого числа, с какого числа, в каком месяце, в какой день, во сколько
when: у якому році, якого числа, в якому році, о котрій годині, у якому місяці, в якому місяці, якого дня
when: what year, in what year, in which year, what date, what time, at what time, on what date, which year
how-long: как долго, сколько времени, сколько по времени, скільки часу, як довго, how long, how much time
how-often: как часто, с какой частотой, як часто, how often, how frequently
how-costly: сколько стоит, сколько стоят, сколько будет стоить, скільки коштує, скільки коштують, какова стоимость, какая цена, какова цена, какая стоимость, почем, яка ціна, яка вартість, what is the price of, what's the price of, what is the cost of, what's the cost of, how much does it cost
how: каким образом, каким способом, как правильно, как лучше, как лучше всего, какой лучший способ, як правильно, як краще, яким чином, у який спосіб, what is the best way to, what's the best way to, best way to, what is the way to, what are ways to, what steps, what do i need to do to
how: что нужно сделать чтобы, что надо сделать чтобы, что сделать чтобы, что делать чтобы, як зробити щоб, що треба зробити щоб, що потрібно зробити щоб, що зробити щоб
can: есть ли возможность, имеет ли смысл, є можливість, чи є можливість, is it possible, is there a way, is it ok, is it okay, am i allowed, is it allowed
where: в каком месте, у якому місці, in what place, whereabouts
how-many: какое количество, какое число, яка кількість, what number of, what is the number of, how many, how much
how-different: чем отличается, чем отличаются, в чем разница, какая разница, в чем отличие, чем различаются, чим відрізняється, чим відрізняються, у чому різниця, в чому різниця, яка різниця, what is the difference, what's the difference
"""

TURNS = {
    turn.strip(): words.strip()
    for line in _TURNS.strip().splitlines()
    for words, _, turns in [line.partition(":")]
    for turn in turns.split(",")
}
"""Ways to ask that take several words, each with the word that says the same."""

CLASSES: dict[str, list[str]] = {}
"""The classes of a function word, in lower case, `ё` as `е`."""
for _line in _CLASSES.strip().splitlines():
    _name, _, _words = _line.partition(": ")
    for _word in _words.replace("ё", "е").split():
        CLASSES.setdefault(_word, []).append(_name)

NUMBERS = {
    word: value
    for value, words in {
        "0": "ноль нуль zero",
        "1": "один одна одно одне one первый перший first",
        "2": "два две двух двум дві двох двом two второй вторая второе другий друга друге second",
        "3": "три трех трем трьох трьом three третий третья третье третій третя третє third",
        "4": "четыре четырех чотири чотирьох four четвертый четвертая четвертий fourth",
        "5": "пять пяти пятью п'ять п'яти п'ятьох five пятый пятая п'ятий fifth",
        "6": "шесть шести шість шести six шестой шостий sixth",
        "7": "семь семи сім семи seven седьмой сьомий seventh",
        "8": "восемь восьми вісім восьми eight восьмой восьмий eighth",
        "9": "девять девяти дев'ять дев'яти nine девятый дев'ятий ninth",
        "10": "десять десяти десяти ten десятый десятий tenth",
        "11": "одиннадцать одинадцять eleven",
        "12": "двенадцать двенадцати дванадцять twelve",
        "13": "тринадцать тринадцять thirteen",
        "14": "четырнадцать чотирнадцять fourteen",
        "15": "пятнадцать пятнадцати п'ятнадцять fifteen",
        "16": "шестнадцать шістнадцять sixteen",
        "17": "семнадцать сімнадцять seventeen",
        "18": "восемнадцать вісімнадцять eighteen",
        "19": "девятнадцать дев'ятнадцять nineteen",
        "20": "двадцать двадцати двадцять twenty двадцатый двадцатого",
        "30": "тридцать тридцати тридцять thirty",
        "40": "сорок forty",
        "50": "пятьдесят пятидесяти п'ятдесят fifty",
        "60": "шестьдесят шістдесят sixty",
        "70": "семьдесят сімдесят seventy",
        "80": "восемьдесят вісімдесят eighty",
        "90": "девяносто дев'яносто ninety",
        "100": "сто ста hundred",
        "200": "двести двісті",
        "300": "триста",
        "500": "пятьсот п'ятсот",
        "1000": "тысяча тысячи тысяч тысячу тыс тисяча тисячі тисяч тисячу тис thousand",
        "1000000": "миллион миллиона миллионов млн мільйон мільйона мільйонів million",
        "0.5": "половина половину пол пів half",
        "1.5": "полтора полторы півтора півтори",
    }.items()
    for word in words.split()
}
"""Number words and ordinals, with the figure that says the same."""

UNITS = {
    word: words.split()[0]
    for words in (
        "кг килограмм килограмма килограммов кило кілограм кілограма кілограмів kg kilo kilos kilogram kilograms kilogramme",
        "г грамм грамма граммов гр грам грама грамів gram grams gramme",
        "км километр километра километров кілометр кілометра кілометрів km kilometer kilometers kilometre kilometres",
        "м метр метра метров метрів meter meters metre metres",
        "см сантиметр сантиметра сантиметров сантиметрів cm centimeter centimeters centimetre centimetres",
        "мм миллиметр миллиметра миллиметров міліметр міліметрів mm millimeter millimeters",
        "л литр литра литров літр літра літрів liter liters litre litres",
        "мл миллилитр миллилитра миллилитров мілілітр мілілітрів ml milliliter milliliters",
        "ч час часа часов година години годин hour hours hr hrs h",
        "мин минута минуты минут минуту хв хвилина хвилини хвилин хвилину min minute minutes mins",
        "с сек секунда секунды секунд секунду секунди sec second seconds secs",
        "руб рубль рубля рублей ₽ rub ruble rubles rouble roubles",
        "грн гривна гривны гривен гривень гривня гривні ₴ uah hryvnia hryvnias",
        "$ доллар доллара долларов долар долари доларів usd dollar dollars buck bucks баксов бакс",
        "€ евро євро eur euro euros",
        "£ фунт фунтов фунтів gbp pound pounds",
        "% процент процента процентов відсоток відсотка відсотків percent",
        "° градус градуса градусов градусів degree degrees",
    )
    for word in words.split()
}
"""Units of measure and money, each with one spelling that stands for all of its own."""
