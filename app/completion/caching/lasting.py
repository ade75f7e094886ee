"""Which questions may be answered from memory: those whose answer depends on nothing else.

Chosen for recall: what only may be bound to now, to chance or to the talk before is kept out as well.
"""

import re

from app.completion.caching.words import folded


def _any(words: str) -> "re.Pattern[str]":
    """One of these, whole; `*` stands for any ending, a blank for any white space."""
    parts = [re.escape(part.strip()).replace(r"\*", r"\w{0,12}") for part in words.split("|")]
    return re.compile(rf"(?<!\w)(?:{'|'.join(part for part in parts if part)})(?!\w)")


_AGAIN = _any("""
again|once more|one more|another*|a different one|something else|anything else|more examples|more ideas|more options|shorter|longer|briefer|simpler|
rephrase|reword|continue|go on|regenerate|retry|as before|as above|previous*|the above|you said|you wrote|your last|your answer|еще раз|еще|снова|
опять|заново|по-другому|иначе|другой вариант|короче|покороче|длиннее|подлиннее|проще|попроще|подробнее|поподробнее|перефразируй*|продолжай*|продолжи*|
выше|предыдущ*|ты сказал*|ты написал*|твой ответ|ще раз|ще|знову|наново|по-іншому|інакше|інший варіант|інший приклад|коротше|стисліше|довше|простіше|
докладніше|детальніше|перефразуй*|продовжуй*|продовж|вище|попередн*|ти сказа*|ти написа*|другую шутку|другую тему|другое стих*|іншу казк*|іншу тем*
""")
_ANEW = _any("""
random*|generate*|make up|made up|made-up|invent a|invent an|invent some|come up with|think up|brainstorm*|surprise me|pick a|pick one|pick me|
choose one|choose for me|choose between|flip a|flip|toss a|toss|heads or tails|lottery|raffle|shuffle|draw a card|pin code for me|uuid*|guid*|nonce|
seed phrase|suggest a|suggest some|suggest me|give me a name|give me an idea|ideas for|idea for|name ideas|name for my|riddle*|haiku*|limerick*|
fairy tale|slogan*|tell me something|fun fact|fortune|horoscope*|tarot|quote of|motivate me|write me a|write a song|write a verse|write a short|
write lyrics|dream up|lucky number*|secret santa|случайн*|наугад|наобум|рандом*|сгенерируй*|генерируй*|сгенерь|сгенерировать|генерация|придумай*|
придумать|выдумай*|сочини*|сочинить|изобрети*|фантазируй*|пофантазируй*|удиви*|выбери за|выбери один|выбери одно|выбери любой|выбери любое|выбери мне|
подбрось*|подкинь*|подбрасыва*|брось|кинь|орел или решка|игральн*|жребий|жеребьевк*|лотере*|перемешай*|вытяни|тяни карту|загадай*|загадк*|пин-код мне|
назови любое|любое число|любой цвет|число от|идеи|идею|идея|варианты названи*|название для|названия для|имя для|шутк*|пошути*|анекдот*|хокку|рифм*|
частушк*|сказк*|рассказ про|рассказ о|истори* про|расскажи истори*|слоган*|поздравлен*|поздравь|гороскоп*|погадай*|гадани*|таро|предскажи*|мотивируй*|
интересный факт|випадков*|навмання|рандомн*|згенеруй*|генеруй*|згенерувати|генерація|вигадай*|вигадати|придумати|придумай*|склади вірш*|склади казк*|
склади історі*|здивуй*|обери за|вибери за|обери один|обери мені|підкинь*|підкидан*|кинь|орел чи решка|жереб*|лотере*|перемішай*|витягни|загадай*|
загадк*|назви будь-яке|будь-яке число|число від|ідеї|ідею|ідея|варіанти назв*|назва для|назву для|назви для|ім'я для|жарт*|пожартуй*|анекдот*|вірш*|
хоку|казк*|оповідання про|розкажи історі*|слоган*|привітан*|привітай*|гороскоп*|поворож*|ворожін*|таро|передбач*|мотивуй*|цікавий факт|a password|
strong password|secure password|new password|good password|passwords for|password for|password that|password of|password with|passphrase|a nickname|
nickname for|a username|username for|username ideas|a joke|jokes|joke about|a poem|poem about|poem for|a story|short story|story about|bedtime stor*|
a toast|wedding toast|toast for|names for|roll a|roll two|roll the|a die|dice roll|a dice|two dice|throw a|coin|парол* из|надежн* парол*|
сложн* парол*|нов* парол*|хорош* парол*|стойк* парол*|парол* для|мне парол*|парол* длин*|какой парол* поставить|дай парол*|создай парол*|
сделай парол*|ник для|никнейм для|логин для|стих|стихи|стишок|стихотворени* про|стихотворени* о|стихотворени* для|тост|тоста на|тост на|тосты|монетк*|
монету|брось кубик*|кинь кубик*|кубик|кубика|нік для|нікнейм для|логін для|римуй*|склади рим*|створи історі*|парол* з|надійн* парол*|складн* парол*|
гарн* парол*|створи парол*|мені парол*|зроби парол*|пісню|пісеньк*|песню|песенк*
""")
_NOW = _any("""
tonight|tomorrow*|yesterday*|now|right now|currently|current|at the moment|at present|these days|nowadays|latest|newest|recent|recently|up-to-date|
so far|yet|already|anymore|lately|soon|this week|this month|this year|this morning|this evening|this weekend|this season|this quarter|this summer|
this winter|this spring|this autumn|this fall|this afternoon|next week|next month|next year|next weekend|next friday|next monday|next sunday|
next saturday|next train|next bus|next flight|next game|next match|next election*|next holiday|next eclipse|next full moon|next world cup|
next olympics|next episode|next release|next season|next tuesday|next wednesday|next thursday|last week|last month|last year|last night|last weekend|
last game|last match|past week|past month|past year|coming week|coming year|upcoming|what time is it|time is it|what date is|what day is|
which day is it|day of the week is|weather|forecast*|umbrella|rain in|raining|snowing|going to rain|going to snow|will it rain|will it snow|it rain|
it snow|temperature outside|cold outside|hot outside|news|headlines|happening|how much is|how much are|cheapest|exchange rate*|rate of|rates|
interest rate*|mortgage rate*|shares of|share price|trading at|market cap|bitcoin|btc|ethereum|dollar to|euro to|dollars to|euros to|in dollars|
in euros|standings|trending|winning|in the lead|who won|who is ahead|who is playing|playing tonight|ago|how old is|age of|in office|
who is the president|who is president|president of|prime minister|who is the ceo|ceo of|who runs|who leads|mayor of|governor of|chancellor of|king of|
queen of|richest|most followed|is open|are open|open on|open late|open until|opening hours|in stock|sold out|traffic|on time|is down|down for|outage|
days until|days till|days left|days before|weeks until|months until|how long until|how long till|how many days|how many weeks until|time until|
left until|until christmas|till christmas|countdown|how long ago|how long since|how many years since|schedule*|timetable|when is the next|
when does the next|sunrise|sunset|moon phase|air quality|pollen|when will|when is easter|release date|coming out|is it safe to travel|alive|dead|
latest version|new version|deadline|gas price*|сегодня|сегодняшн*|сейчас|щас|ща|теперь|завтра|завтрашн*|вчера|вчерашн*|послезавтра|позавчера|ныне|
нынешн*|нынче|в данный момент|в настоящий момент|в настоящее время|на данный момент|на текущий момент|текущ*|актуальн*|на сегодняшний|
последн* новост*|последн* событи*|последн* верси*|последн* данн*|последнюю|последняя|последние|последний раз|свеж* новост*|свежие|свежий курс|новейш*|
недавн*|новост*|новинк*|что нового|что происходит|на этой неделе|на прошлой неделе|на следующей неделе|на будущей неделе|на днях|в этом году|
в прошлом году|в следующем году|в этом месяце|в следующем месяце|в прошлом месяце|этим летом|этой зимой|этой осенью|этой весной|до конца|к концу|
вечером|ночью похолода*|погод*|прогноз*|зонт*|дождь|дождя|снег|ливень|гроза|холодно на улице|жарко на улице|на улице|за окном|градусов в|градусов на|
тепло ли|котировк*|почем|сколько будет стоить|во сколько обойдет*|расценк*|доллар*|евро|биткоин*|биткойн*|крипт*|юан*|тенге|бирж*|индекс мосбиржи|
нефть|нефти|бензин*|ипотечн* ставк*|который час|сколько времени|сколько времени сейчас|время в|какое число|какое сегодня|какой день недели|
день недели|какой год|какой месяц|сколько лет|назад|счет матча|счет в матче|как сыграл*|кто выиграл|кто победил|кто побеждает|кто ведет|лидирует|
турнирн* таблиц*|когда играет|с кем играет|следующ*|ближайш*|скоро|вот-вот|уже|до сих пор|все еще|пока еще|сколько дней|сколько недель до|
сколько месяцев до|сколько осталось|осталось|остается|через сколько|как скоро|когда будет|когда начнется|когда выйдет|когда выходит|когда приедет|
когда откро*|когда включат|когда дадут|вышел ли|вышла ли|вышло ли|вышли ли|релиз*|премьер*|расписани*|электричк*|опаздыва*|задержива*|пробк*|
работает ли|до скольки|со скольки|во сколько открыва*|во сколько закрыва*|график работы|часы работы|в наличии|есть ли в продаже|упал|не работает ли|
сбой|гендиректор*|самый богатый|население|жив ли|жива ли|умер ли|дедлайн*|афиш*|восход*|фаза луны|магнитн* бур*|сьогодні|сьогоднішн*|зараз|тепер|
завтра|завтрашн*|вчора|учора|вчорашн*|післязавтра|позавчора|нині|нинішн*|наразі|на цей момент|на даний момент|у цей момент|цієї миті|поточн*|
актуальн*|найновіш*|нещодавн*|новин*|що нового|що відбувається|що коїться|на цьому тижні|цього тижня|на минулому тижні|минулого тижня|
наступного тижня|на наступному тижні|цими днями|цього року|минулого року|у цьому році|в цьому році|торік|цього місяця|наступного місяця|
наступного року|цього літа|цієї зими|цієї осені|цієї весни|до кінця|ввечері|увечері|погод*|прогноз*|парасол*|дощ*|сніг|злива|гроза|холодно надворі|
спекотно надворі|надворі|за вікном|градусів у|градусів на|температура у|котируван*|почім|скільки буде коштувати|розцінк*|долар*|євро|гривень за|
гривня до|крипт*|бірж*|нафт*|котра година|яка година|час у|яке число|який день тижня|день тижня|який рік|який місяць|скільки років|тому назад|
рахунок матчу|як зіграл*|хто виграв|хто переміг|хто перемагає|хто веде|лідирує|турнірн*|коли грає|з ким грає|наступн*|найближч*|незабаром|скоро|вже|
досі|скільки днів|скільки тижнів до|скільки місяців до|скільки лишилося|скільки залишилося|залишилося|лишилося|через скільки|як скоро|коли буде|
коли почнеться|коли вийде|коли виходить|коли приїде|коли відкри*|коли ввімкнуть|коли увімкнуть|коли дадуть|чи вийшов|чи вийшла|чи вийшло|реліз*|
прем'єр*|розклад*|електричк*|запізню*|затриму*|чи працює|відчинен*|зачинен*|до котрої|з котрої|о котрій|графік роботи|графік відключ*|години роботи|
в наявності|є у продажу|чи лежить|збій|відключен*|тривог*|прем'єр-міністр*|міський голова|найбагатш*|населення|чи живий|чи жива|афіш*|схід сонця|
захід сонця|фаза місяця|магнітн* бур*|дедлайн*|today|today's|still|is it open|are they open|open now|open right|is closed|is it closed|are closed|
exchange rate|the rate|when's the next|the next|next one|price|prices|the price|cost|costs|how expensive|does it cost|stocks|stock price|stock market|
the stock|stocks of|quotes|the score|final score|score of|score in|net worth|is worth|population of|inflation rate|unemployment rate|weather's|
how cold|how hot is it|how warm|coat|jacket today|is the champion|current champion|who is the pope|the pope|who's the|how many people live|days to go|
any good movies|movies playing|in theaters|playing near|near me|nearby|курс|курса|курсу|курсе|курсы валют|цена|цены|цену|цене|цен на|ценник|ценам|
сколько стоит|сколько стоят|сколько сейчас|сколько нынче|сколько дают за|стоит биткоин|стоит бензин|стоит доллар|стоимость|подорожал*|подешевел*|
упал*|вырос ли|выросли ли|растет ли|тариф*|рейс прил*|рейс выл*|рейс задер*|статус рейса|открыт|открыта|открыто|открыты|закрыт|закрыта|закрыто|
закрыты|когда закат|во сколько закат|закат солнца|во сколько восход|температура на улице|температура воздуха|температура воды|температура сегодня|
какая температура в|уровень инфляции|ключевая ставка|ставка цб|ставка по|ставки по|акции|акций|кто президент*|кто премьер*|кто мэр*|кто губернатор*|
кто министр*|кто глава|кто возглавляет|кто руководит|кто правит|кто чемпион*|чемпион мира по|как зовут президента|имя президента|кто у власти|
кто гендиректор*|одеться|что надеть на улицу|нужна ли куртка|брать ли зонт|брать зонт|поезд*|автобус до|маршрутк*|метро до|ходит ли|ходят ли|
до открытия|до закрытия|часов до|дней до|недель до|месяцев до|минут до|до нового года|до лета|до зимы|до отпуска|до каникул|до пасхи|до рождества|
до дня|ціна|ціни|ціну|ціні|цін на|скільки коштує|скільки коштують|скільки зараз|скільки дають за|вартість|подорожча*|подешевша*|впав|впала|виріс|зріс|
зросл*|курс валют|облікова ставка|ставка за|акції|акцій|хто президент*|хто прем'єр*|хто мер|хто міністр*|хто очолює|хто керує|хто чемпіон*|
хто губернатор*|як звати президента|хто при владі|останні|останніх|остання|останню|останньої|останній раз|на останній|відкрито|відкрит|відкрита|
чи відкрит*|корки|затори|рівень інфляції|вдягти на вулицю|чи потрібна куртка|брати парасол*|потяг*|поїзд*|чи ходить|чи ходять|годин до|днів до|
тижнів до|місяців до|до нового року|до літа|до зими|до відпустки|до канікул|до великодня|до різдва|скільки йому років|скільки їй років|поруч зі мною|
поблизу|рядом со мной|поблизости|работают ли|работает сейчас|не работает сайт|работает в|работает до|работает по|працює в|працює у|працює до|
чи працюють|delayed|delays|how did the|how did|landed|arrived|departed|boarding|tickets|seats left|vacancies|hiring|queue|line at|my order|my package|
parcel arrive|tracking|election*|elected|concert*|on tv|on netflix|airing|streaming|match|playing|plays tonight|ferry|power outage|is there power|
married|dating|divorced|pregnant now|net income|earn per|salary of|average salary|minimum wage|followers|subscribers|record holder|world record|
most popular|top 10|top ten|best movies|best phone|in fashion|trend|trends|tallest building|largest company|owns|does it snow|look up|search the web|
google|war in|ceasefire|front line|attack*|strike|strikes|on strike|transfer window|signed with|fired|appointed|resigned|law changed|changed recently|
jackpot|season start|season begin|season end|when does the season|semester start|on sale|discount*|deal on|deals on|promo code*|coupon*|high tide|
low tide|snow conditions|fire near|earthquake|hurricane|storm|flood|blackout|maintenance|server status|online|at work|busy|crowded|full moon|
meteor shower|eclipse|this tuesday|this friday|this monday|this sunday|this saturday|on friday|on saturday|on sunday|on monday|on tuesday|
on wednesday|on thursday|счет игры|свободные места|есть места|вакансии|вакансия|очередь|очереди|посылка|мой заказ|где заказ|трек-номер|выборы|выборах|
выборов|концерт*|идет в кино|в кино|в прокате|показывают|по телевизору|по тв|матч*|играет|играют|паром*|отключили|отключат|включили|дали свет|
есть свет|есть вода|есть ли свет|есть ли вода|нет света|женат|замужем|встречается с|рекорд*|самый популярный|самая популярная|самые популярные|топ|
топ-10|лучшие фильмы|лучший смартфон|лучший телефон|в моде|модно|в тренде|тренд*|мрот|минимальн* зарплат*|прожиточный минимум|средняя зарплата|
зарабатывает|получает в|подписчик*|сколько людей в|сколько человек живет|обменник*|обменять|дают за|найди в интернете|погугли|прилетел|приземлился|
вылетел|приехал|пришел|началась ли|начался|закончился|закончилась|идет ли|растет|растут|падает|падают|вырастет|упадет|ушел из|перешел в|уволили|
назначили|избрали|подписали|перемири*|на фронте|обстрел*|ракет*|забастовк*|скидки|скидка|распродаж*|акция в|промокод*|джекпот|клев|прилив|шторм*|
землетрясени*|ураган*|наводнени*|техработ*|онлайн ли|занят ли|полнолуни*|звездопад*|в пятницу|в субботу|в воскресенье|в понедельник|во вторник|
в среду|в четверг|по субботам|по выходным|рахунок гри|квитк*|вільні місця|чи є місця|вакансі*|черга|черги|посилка|моє замовлення|де замовлення|вибори|
виборах|виборів|йде в кіно|в кіно|у кіно|у прокаті|показують|по телевізору|грає|грають|пором*|відключили|відключать|ввімкнули|дали світло|чи є світло|
чи є вода|немає світла|світло|одружен*|заміжня|зустрічається з|найпопулярніш*|найкращі фільми|найкращий смартфон|найкращий телефон|у моді|в моді|
у тренді|мінімальн* зарплат*|прожитковий мінімум|середня зарплата|заробляє|підписник*|скільки людей у|скільки людей в|обмінник*|обміняти|обміннику|
дають за|знайди в інтернеті|прилетів|приземлився|вилетів|приїхав|прийшов|почався|почалася|закінчився|закінчилася|чи йде|росте|ростуть|падає|падають|
зросте|впаде|пішов з|перейшов у|перейшов до|звільнили|призначили|обрали|підписали|перемир'*|на фронті|обстріл*|страйк*|знижк*|розпродаж*|кльов|
приплив|землетрус*|повін*|повінь|техробот*|чи онлайн|повний місяць|повня|затемненн*|зорепад*|у п'ятницю|в п'ятницю|у суботу|в суботу|у неділю|
в неділю|у понеділок|в понеділок|у вівторок|у середу|в середу|у четвер|в четвер|на п'ятницю|по вихідних|какой счет|який рахунок|билеты на|есть билеты|
зарплата у|зарплата в
""")
_ME = _any("""
my|mine|me|myself|i'm|im|i've|i'd|i am|i have|i had|i was|i live|i work|i feel|i got|i think|i want|i love|i earn|i owe|our|ours|us|we|about me|
мой|моя|мое|мои|моего|моей|моих|моим|моему|мою|моем|моими|меня|мною|мне|я|наш|наша|наше|наши|нашего|нашей|наших|нам|нас|нами|мы|
мій|моє|мої|мого|моєї|моїх|моїм|моєму|моєю|мене|мені|наш|наша|наше|наші|нашого|нашої|наших|ми
""")
_HARMLESS_ME = _any("""
help me|tell me|show me|give me|let me know|explain to me|let's|як мені|чи можна мені|що мені робити|как мне|можно ли мне|нужно ли мне|что мне делать|могу ли я|как я могу|чи можу я|як я можу|
помоги мне|подскажите мне|скажи мне|объясни мне|поясни мені|допоможи мені|скажи мені
""")


_STATE = re.compile(
    r"^(?:is|are|isn't|aren't|has|have|hasn't|did|will|won't) (?:the|there|they|he|she|my|our|this|that)(?!\w)|"
    r"^(?:а |так )?\w{2,20}(?:л|ла|ло|ли|лся|лась|лось|лись) (?:ли|уже)(?!\w)|"
    r"^(?:а )?чи \w{0,4} ?\w{2,20}(?:в|ла|ло|ли|вся|лася|лося|лися)(?!\w)"
)
"""Whether something is so, or has happened: `is the museum …`, `вышла ли …`, `чи вийшла …`."""
_NAMED_STATE = re.compile(r"^(?:Is|Are|Has|Have|Did|Will|is|are|has|did|will) [A-Z]")


def lasting(question: str, *, shared: bool = False) -> bool:
    """Whether the question means the same on another day and in another conversation, and its answer
    may be given twice; in a cache that is `shared`, whether it also means the same to everybody."""
    text = " ".join(folded(question).casefold().split())
    if not text or any(pattern.search(text) for pattern in (_AGAIN, _ANEW, _NOW)):
        return False
    if _STATE.search(text) or _NAMED_STATE.search(question):
        return False
    return not (shared and _ME.search(_HARMLESS_ME.sub(" ", text)))
