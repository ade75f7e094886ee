import { useId, useState } from "react";
import {
  ChevronDown, CirclePause, CircleSlash, CircleStop, Gauge, GitFork, RotateCw, Scissors, StepForward, Text, Timer, TriangleAlert, Zap,
} from "lucide-react";
import { useChatData, useChatMessages } from "@chainlit/react-client";

const { DASH, keep, known, money, newest, number, percent, plural, seconds, short, shown, speed, windowSize, words } = window.Konsilium;

const TEXTS = {
  ru: {
    characters: ["символ", "символа", "символов"],
    written: ["токен", "токена", "токенов"],
    details: "Подробности ответа",
    stopped: "остановлено",
    unneeded: "дальше не понадобился",
    incomplete: "не завершено",
    cut: "обрезано лимитом токенов",
    nearlyFull: "окно почти заполнено",
    truncated: "сервер обрезал начало разговора",
    shifted: "ответ не поместился в окно: к его концу модель забыла начало разговора",
    widened: "окно увеличено для этого разговора",
    dropped: (count) => `не отправлено ${count} ${plural("ru", count, ["старое сообщение", "старых сообщения", "старых сообщений"])}`,
    system: "Сжатие системного промпта",
    cacheExact: "из кеша",
    cacheNear: "из кеша, похожий вопрос",
    continue: "Продолжить",
    regenerate: "Другой ответ",
    fork: "Продолжить отсюда в новом разговоре",
    firstToken: "До первого токена",
    load: "Загрузка модели",
    total: "Всего времени",
    input: "Токены вопроса",
    output: "Токены ответа",
    cached: "Из них из кеша сервера",
    cost: "Стоимость",
    model: "Модель",
    server: "Сервер",
    finish: "Завершение",
    window: "Контекстное окно",
    compression: "Сжатие контекста",
    saved: (count, text) => `сэкономлено ${text} ${plural("ru", count, ["токен", "токена", "токенов"])}`,
    who: "Участник",
    time: "Время",
    tokens: "Токены",
    sum: "Итого",
    calls: (count) => `${count} ${plural("ru", count, ["вызов", "вызова", "вызовов"])}`,
    approximate: "≈ — подсчитано нами, сервер не сообщил",
    reasons: {
      stop: "модель закончила сама",
      length: "достигнут лимит токенов",
      content_filter: "остановил фильтр провайдера",
      tool_calls: "вызов инструмента",
    },
    purposes: {
      answer: "Ответ", gate: "Выбор специалистов", specialist: "Специалист", synthesis: "Итог",
      dialogue: "Реплика", candidate: "Вариант", judge: "Судья", summary: "Сжатие", member: "Участник", ranking: "Оценка", report: "Отчёт", check: "Сверка",
      title: "Заголовок", repair: "Исправление", cache_check: "Проверка кеша",
      embedding: "Эмбеддинг", transcription: "Распознавание речи", speech: "Чтение вслух",
    },
  },
  uk: {
    characters: ["символ", "символи", "символів"],
    written: ["токен", "токени", "токенів"],
    details: "Подробиці відповіді",
    stopped: "зупинено",
    unneeded: "далі не знадобився",
    incomplete: "не завершено",
    cut: "обрізано лімітом токенів",
    nearlyFull: "вікно майже заповнене",
    truncated: "сервер обрізав початок розмови",
    shifted: "відповідь не вмістилася у вікно: до її кінця модель забула початок розмови",
    widened: "вікно збільшено для цієї розмови",
    dropped: (count) => `не надіслано ${count} ${plural("uk", count, ["старе повідомлення", "старі повідомлення", "старих повідомлень"])}`,
    system: "Стиснення системного промпту",
    cacheExact: "з кешу",
    cacheNear: "з кешу, схоже запитання",
    continue: "Продовжити",
    regenerate: "Інша відповідь",
    fork: "Продовжити звідси в новій розмові",
    firstToken: "До першого токена",
    load: "Завантаження моделі",
    total: "Загальний час",
    input: "Токени запитання",
    output: "Токени відповіді",
    cached: "З них із кешу сервера",
    cost: "Вартість",
    model: "Модель",
    server: "Сервер",
    finish: "Завершення",
    window: "Контекстне вікно",
    compression: "Стиснення контексту",
    saved: (count, text) => `заощаджено ${text} ${plural("uk", count, ["токен", "токени", "токенів"])}`,
    who: "Учасник",
    time: "Час",
    tokens: "Токени",
    sum: "Разом",
    calls: (count) => `${count} ${plural("uk", count, ["виклик", "виклики", "викликів"])}`,
    approximate: "≈ — підраховано нами, сервер не повідомив",
    reasons: {
      stop: "модель завершила сама",
      length: "досягнуто ліміту токенів",
      content_filter: "зупинив фільтр провайдера",
      tool_calls: "виклик інструмента",
    },
    purposes: {
      answer: "Відповідь", gate: "Вибір фахівців", specialist: "Фахівець", synthesis: "Підсумок",
      dialogue: "Репліка", candidate: "Варіант", judge: "Суддя", summary: "Стиснення", member: "Учасник", ranking: "Оцінка", report: "Звіт", check: "Звірка",
      title: "Заголовок", repair: "Виправлення", cache_check: "Перевірка кешу",
      embedding: "Ембединг", transcription: "Розпізнавання мовлення", speech: "Читання вголос",
    },
  },
  en: {
    characters: ["character", "characters"],
    written: ["token", "tokens"],
    details: "Details of the answer",
    stopped: "stopped",
    unneeded: "no longer needed",
    incomplete: "incomplete",
    cut: "cut off by the token limit",
    nearlyFull: "the window is nearly full",
    truncated: "the server cut off the beginning",
    shifted: "the answer outgrew the window: by its end the model had forgotten the beginning",
    widened: "the window was made larger for this conversation",
    dropped: (count) => `${count} old ${plural("en", count, ["message", "messages"])} left out`,
    system: "System prompt compression",
    cacheExact: "from cache",
    cacheNear: "from cache, a similar question",
    continue: "Continue",
    regenerate: "Regenerate",
    fork: "Continue from here in a new conversation",
    firstToken: "Time to first token",
    load: "Loading the model",
    total: "Total time",
    input: "Tokens in",
    output: "Tokens out",
    cached: "Of these, server-cached",
    cost: "Cost",
    model: "Model",
    server: "Server",
    finish: "Finished because",
    window: "Context window",
    compression: "Context compression",
    saved: (count, text) => `${text} ${plural("en", count, ["token", "tokens"])} saved`,
    who: "Participant",
    time: "Time",
    tokens: "Tokens",
    sum: "Total",
    calls: (count) => `${count} ${plural("en", count, ["call", "calls"])}`,
    approximate: "≈ counted by us; the server did not say",
    reasons: {
      stop: "the model was done",
      length: "the token limit was reached",
      content_filter: "stopped by the provider's filter",
      tool_calls: "a tool call",
    },
    purposes: {
      answer: "Answer", gate: "Choosing specialists", specialist: "Specialist", synthesis: "Synthesis",
      dialogue: "Line", candidate: "Candidate", judge: "Judge", summary: "Compression", member: "Member", ranking: "Ranking", report: "Report", check: "Check",
      title: "Title", repair: "Repair", cache_check: "Cache check",
      embedding: "Embedding", transcription: "Speech to text", speech: "Reading aloud",
    },
  },
};

function cost(lang, entry) {
  const rubles = money(lang, entry.cost_rub);
  const own = entry.cost;
  return own && own.currency !== "RUB" && Number(own.amount) !== 0
    ? `${rubles} (${money(lang, own.amount, own.currency)})`
    : rubles;
}

function Mark({ icon: Icon, tone, children }) {
  return (
    <span className={`k-badge k-${tone}`}>
      <Icon aria-hidden="true" />
      {children}
    </span>
  );
}

/** A figure of the line, with the page's own icon; copied as text it has a sign in that place. */
function Figure({ icon: Icon, sign, children }) {
  return (
    <span className="k-figure"><Icon aria-hidden="true" /><span className="k-unseen">{sign} </span>{children}</span>
  );
}

/** What befell an answer; `within` is how the whole turn ended, for one call of it: a call that we
    ended in a turn that went well was not stopped by the person. */
function Marks({ entry, text, within = entry.outcome }) {
  const marks = [];
  if (entry.cache)
    marks.push(["good", Zap, entry.cache === "exact" ? text.cacheExact : text.cacheNear]);
  if (entry.outcome === "stopped")
    marks.push(within === "completed" ? ["quiet", CircleSlash, text.unneeded] : ["quiet", CircleStop, text.stopped]);
  else if (entry.outcome === "failed" || entry.outcome === "interrupted")
    marks.push(["bad", CirclePause, text.incomplete]);
  else if (entry.finish_reason === "length") marks.push(["warn", Scissors, text.cut]);
  if (entry.window?.truncated) marks.push(["bad", TriangleAlert, text.truncated]);
  else if (entry.window?.shifted) marks.push(["bad", TriangleAlert, text.shifted]);
  else if (entry.window?.warning) marks.push(["warn", Gauge, text.nearlyFull]);
  if (entry.compression?.dropped)
    marks.push(["warn", Scissors, text.dropped(entry.compression.dropped)]);
  return marks.map(([tone, icon, label]) => (
    <Mark key={label} tone={tone} icon={icon}>{label}</Mark>
  ));
}

function Saved({ lang, text, title, before, after }) {
  if (!known(before) || !known(after)) return null;
  const saved = before - after;
  return (
    <p className="k-row-between">
      <span className="k-muted">{title}</span>
      <span>
        {number(lang, before)} → {number(lang, after)}
        {saved > 0 && `, ${text.saved(saved, number(lang, saved))}`}
      </span>
    </p>
  );
}

/** How full the window is, under every answer; the exact figures are in the details. */
function WindowGauge({ lang, text, about, used, size }) {
  if (!known(used) || !size) return null;
  const share = used / size;
  const tone = share < 0.7 ? "" : share < 0.85 ? "k-warn" : "k-bad";
  const label = `${about}${short(used)} / ${windowSize(size)}, ${percent(share)}`;
  return (
    <span className="k-gauge" role="meter" aria-label={text.window} aria-valuemin={0} aria-valuemax={size}
      aria-valuenow={used} aria-valuetext={label} title={`${text.window}: ${about}${number(lang, used)} / ${number(lang, size)}`}>
      <span className="k-bar"><span className={tone} style={{ width: `${Math.min(100, share * 100)}%` }} /></span>
      {label}
    </span>
  );
}

/** Calls that a turn may have several of, each by somebody with a name of their own. */
const VOICES = new Set(["specialist", "candidate", "member", "dialogue"]);

function Calls({ lang, text, calls, total, tokens, outcome }) {
  return (
    <div className="k-scroll">
      <table className="k-table">
        <thead>
          <tr>
            <th scope="col">{text.who}</th>
            <th scope="col">{text.time}</th>
            <th scope="col">{text.tokens}</th>
            <th scope="col">{text.cost}</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call, index) => (
            <tr key={index}>
              <th scope="row">
                {(VOICES.has(call.purpose) && call.name) || text.purposes[call.purpose] || call.purpose}
                <small>{call.server}/{call.model}</small>
                <Marks entry={call} text={text} within={outcome} />
              </th>
              <td>{seconds(lang, call.seconds)}</td>
              <td>{tokens(call)}</td>
              <td>{money(lang, call.cost_rub)}</td>
            </tr>
          ))}
        </tbody>
        {total && (
          <tfoot>
            <tr>
              <th scope="row">{text.sum}<small>{text.calls(total.calls)}</small></th>
              <td>{known(total.seconds) ? seconds(lang, total.seconds) : ""}</td>
              <td>{tokens(total)}</td>
              <td>{money(lang, total.cost_rub)}</td>
            </tr>
          </tfoot>
        )}
      </table>
    </div>
  );
}

function MetricsCard({ data, callAction }) {
  const { lang, entry = {}, turn_id: turnId, last = true, compact = false } = data;
  const text = words(lang, TEXTS);
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState(null);
  const { messages } = useChatMessages();
  const { loading } = useChatData();
  const panel = useId();

  const about = entry.estimated ? "≈" : "";
  const counted = (value) => (known(value) ? about + number(lang, value) : DASH);
  const tokens = (row) => {
    const sign = row.estimated ? "≈" : "";
    const side = (value) => (known(value) ? sign + short(value) : DASH);
    return `${side(row.input_tokens)}\u2009→\u2009${side(row.output_tokens)}`;
  };
  const told = (sign, size, forms) => `${sign}${number(lang, size)} ${plural(lang, size ?? 0, forms)}`;
  /* A part of an answer is told by its tokens alone; a server that counts none leaves the characters. */
  const length = [
    !(compact && known(entry.output_tokens)) && told("", entry.characters, text.characters),
    known(entry.output_tokens) && told(about, entry.output_tokens, text.written),
  ].filter(Boolean).join(", ");
  const ask = async (name) => {
    setAsked(name);
    try {
      await callAction({ name, payload: { turn_id: turnId, picked: shown() } });
    } finally {
      setAsked(null);
    }
  };

  const whole = !compact && Boolean(entry.window); // of the turn's answer, not of a part of it
  const modelAsked = whole && !entry.cache; // one from the cache filled no window, and its own note asks anew
  const unfinished = entry.characters !== 0 && // of nothing there is no going on
    (entry.finish_reason === "length" || ["stopped", "failed", "interrupted"].includes(entry.outcome));
  const rows = [
    [text.firstToken, seconds(lang, entry.first_token_seconds)],
    [text.total, seconds(lang, entry.seconds)],
    known(entry.load_seconds) && [text.load, seconds(lang, entry.load_seconds)],
    [text.input, counted(entry.input_tokens)],
    known(entry.cached_tokens) && [text.cached, number(lang, entry.cached_tokens)],
    [text.output, counted(entry.output_tokens)],
    modelAsked && [text.window, `${counted(entry.window.used)} / ${number(lang, entry.window.size)}`],
    [text.cost, cost(lang, entry)],
    [text.model, entry.model || DASH],
    [text.server, entry.server || DASH],
    [text.finish, text.reasons[entry.finish_reason] || entry.finish_reason || DASH],
  ].filter(Boolean);
  const facts = entry.compression ?? {};

  return (
    <section data-testid="metrics" className="k-metrics" lang={lang}>
      <div className="k-line">
        <button type="button" className="k-summary" aria-expanded={open} aria-controls={panel}
          title={text.details} onClick={() => setOpen(!open)}>
          <span data-testid="metrics-line">
            <Figure icon={Timer} sign="⏱">{seconds(lang, entry.seconds)}</Figure>{" • "}
            <Figure icon={Text} sign="🔢">{length}</Figure>{" • "}
            <Figure icon={Gauge} sign="📊">{known(entry.tokens_per_second) && about}{speed(lang, entry.tokens_per_second)}</Figure>
          </span>
          <ChevronDown aria-hidden="true" className={open ? "k-turned" : ""} />
        </button>
        {modelAsked && <WindowGauge lang={lang} text={text} about={about} {...entry.window} />}
        <Marks entry={entry} text={text} />
        {modelAsked && newest(messages, turnId, last) && (
          <span className="k-actions">
            {unfinished && (
              <button type="button" className="k-button" disabled={loading || asked !== null}
                onClick={() => ask("continue")}>
                <StepForward aria-hidden="true" />{text.continue}
              </button>
            )}
            <button type="button" className="k-button" disabled={loading || asked !== null}
              onClick={() => ask("regenerate")}>
              <RotateCw aria-hidden="true" className={asked === "regenerate" ? "animate-spin" : ""} />
              {text.regenerate}
            </button>
          </span>
        )}
      </div>
      {open && (
        <div id={panel} className="k-panel" ref={(unfolded) => unfolded?.scrollIntoView({ block: "nearest" })}>
          <dl className="k-facts">
            {rows.map(([name, value]) => (
              <div key={name}><dt>{name}</dt><dd>{value}</dd></div>
            ))}
          </dl>
          <Saved lang={lang} text={text} title={text.compression} {...facts} />
          <Saved lang={lang} text={text} title={text.system} {...facts.system} />
          {entry.calls?.length > 0 && (
            <Calls lang={lang} text={text} calls={entry.calls} total={entry.total} tokens={tokens}
              outcome={entry.outcome} />
          )}
          {entry.window?.widened && <p className="k-muted k-small">{text.widened}</p>}
          {entry.estimated && <p className="k-muted k-small">{text.approximate}</p>}
          {whole && turnId && (
            <button type="button" className="k-button" disabled={asked !== null} onClick={() => ask("fork")}>
              <GitFork aria-hidden="true" />{text.fork}
            </button>
          )}
        </div>
      )}
    </section>
  );
}

const Kept = keep("MetricsCard", MetricsCard);
export default <Kept data={props} callAction={callAction} />;
