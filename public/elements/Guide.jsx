import { useEffect, useState } from "react";
import { useChatMessages } from "@chainlit/react-client";
import { Check, CircleDashed, Cloud, Copy, Cpu, Download, HardDrive, KeyRound, X } from "lucide-react";

const { bytes, copy, keep, known, languages, modelFile, plural, progress, reason, words } = window.Konsilium;

const TEXTS = {
  ru: {
    small: "Здесь отвечает крошечная модель",
    smallText: "Она работает внутри приложения, чтобы можно было осмотреться: понимает английский и простые вопросы и часто ошибается.",
    better: "Подключить модель получше",
    title: "Подключим модель",
    intro: "Пока ни одна модель не отвечает. Выберите один из способов — как только модель появится, эта карточка позеленеет сама, перезагружать страницу не нужно.",
    ready: "Модель на связи",
    readyText: "Всё готово. Задайте вопрос в поле внизу.",
    servers: "Сейчас видно",
    none: "Ни одного сервера не настроено",
    models: (count) => `${count} ${plural("ru", count, ["модель", "модели", "моделей"])}`,
    answers: "отвечает",
    ollama: "Ollama на этом компьютере",
    ollamaHint: "Бесплатно, и ничего не уходит с вашей машины",
    start: "Запустите Ollama",
    pull: "Скачайте модель",
    pullButton: "Скачать",
    cancel: "Отменить",
    cloud: "Облако по ключу",
    cloudHint: (names) => `${names} или любой совместимый сервер`,
    provider: "Поставщик",
    keysAt: "Где взять ключ:",
    saveKey: "Проверить и сохранить",
    testing: "Проверяем ключ…",
    keyNote: "Ключ хранится в папке данных приложения, доступен только самому приложению и больше не показывается.",
    envNote: "Впишите в файл .env и перезапустите приложение:",
    embedded: "Встроенная модель",
    embeddedHint: "Работает внутри приложения, ничего больше не нужно",
    licence: "Лицензия",
    languages: "Языки",
    resume: (size) => `Продолжить, осталось ${size}`,
    download: (size) => `Скачать ${size} и запустить`,
    starting: "Модель запускается…",
    copy: "Скопировать команду",
    copied: "Скопировано",
    done: "готово",
    waiting: "ждём",
    begin: "Или начните с готового вопроса:",
    tryIt: "Попробуйте:",
  },
  uk: {
    small: "Тут відповідає крихітна модель",
    smallText: "Вона працює всередині застосунку, щоб можна було роздивитися: розуміє англійську та прості запитання й часто помиляється.",
    better: "Під'єднати кращу модель",
    title: "Підключімо модель",
    intro: "Поки що жодна модель не відповідає. Виберіть один зі способів — щойно модель з'явиться, ця картка позеленіє сама, перезавантажувати сторінку не потрібно.",
    ready: "Модель на зв'язку",
    readyText: "Усе готово. Поставте запитання в полі внизу.",
    servers: "Зараз видно",
    none: "Жодного сервера не налаштовано",
    models: (count) => `${count} ${plural("uk", count, ["модель", "моделі", "моделей"])}`,
    answers: "відповідає",
    ollama: "Ollama на цьому комп'ютері",
    ollamaHint: "Безкоштовно, і нічого не залишає вашої машини",
    start: "Запустіть Ollama",
    pull: "Завантажте модель",
    pullButton: "Завантажити",
    cancel: "Скасувати",
    cloud: "Хмара за ключем",
    cloudHint: (names) => `${names} або будь-який сумісний сервер`,
    provider: "Постачальник",
    keysAt: "Де взяти ключ:",
    saveKey: "Перевірити й зберегти",
    testing: "Перевіряємо ключ…",
    keyNote: "Ключ зберігається в теці даних застосунку, доступний лише йому й більше не показується.",
    envNote: "Впишіть у файл .env і перезапустіть застосунок:",
    embedded: "Вбудована модель",
    embeddedHint: "Працює всередині застосунку, більше нічого не потрібно",
    licence: "Ліцензія",
    languages: "Мови",
    resume: (size) => `Продовжити, залишилося ${size}`,
    download: (size) => `Завантажити ${size} і запустити`,
    starting: "Модель запускається…",
    copy: "Скопіювати команду",
    copied: "Скопійовано",
    done: "готово",
    waiting: "чекаємо",
    begin: "Або почніть із готового запитання:",
    tryIt: "Спробуйте:",
  },
  en: {
    small: "A tiny model answers here",
    smallText: "It runs inside this app, to look around: it understands English and simple questions, and is often wrong.",
    better: "Connect a better model",
    title: "Let us connect a model",
    intro: "No model answers yet. Choose one of the ways below; as soon as a model appears, this card turns green by itself, without a reload.",
    ready: "A model is here",
    readyText: "All set. Ask your question in the field below.",
    servers: "In sight now",
    none: "No server is configured",
    models: (count) => `${count} ${plural("en", count, ["model", "models"])}`,
    answers: "answers",
    ollama: "Ollama on this computer",
    ollamaHint: "Free, and nothing leaves your machine",
    start: "Start Ollama",
    pull: "Fetch a model",
    pullButton: "Download",
    cancel: "Cancel",
    cloud: "A cloud model by key",
    cloudHint: (names) => `${names} or any compatible server`,
    provider: "Provider",
    keysAt: "Where to get a key:",
    saveKey: "Test and keep",
    testing: "Testing the key…",
    keyNote: "The key is kept in the app's data folder, readable by the app alone, and never shown again.",
    envNote: "Put this into the file .env and restart the app:",
    embedded: "The embedded model",
    embeddedHint: "Runs inside the app; nothing else is needed",
    licence: "Licence",
    languages: "Languages",
    resume: (size) => `Go on, ${size} left`,
    download: (size) => `Download ${size} and start`,
    starting: "The model is starting…",
    copy: "Copy the command",
    copied: "Copied",
    done: "done",
    waiting: "waiting",
    begin: "Or begin with one of these:",
    tryIt: "Try one of these:",
  },
};

/* Licence and languages of a model, as one line. */
function Terms({ lang, text, licence, codes }) {
  const spoken = languages(lang, codes);
  const facts = [licence && `${text.licence}: ${licence}`, spoken && `${text.languages}: ${spoken}`];
  const line = facts.filter(Boolean).join(" · ");
  return line ? <p className="k-muted k-small">{line}</p> : null;
}

/* How many providers the hint names; the list has all. */
const NAMED = 4;

function Command({ text, command }) {
  const [copied, setCopied] = useState(false);
  const onCopy = async () => {
    setCopied(await copy(command));
    setTimeout(() => setCopied(false), 2000);
  };
  return (
    <div className="k-command">
      <code>{command}</code>
      <button type="button" className="k-button k-plain" onClick={onCopy}
        aria-label={copied ? text.copied : text.copy} title={copied ? text.copied : text.copy}>
        {copied ? <Check aria-hidden="true" /> : <Copy aria-hidden="true" />}
      </button>
    </div>
  );
}

function Progress({ lang, facts }) {
  const { share, label } = progress(lang, facts);
  return (
    <div className="k-small k-wide">
      <span className="k-muted">{label}</span>
      <div className="k-bar" role="progressbar" aria-valuemin={0} aria-valuemax={100}
        aria-valuenow={share === null ? undefined : Math.round(share * 100)} aria-label={label}>
        <span style={{ width: `${(share ?? 0.02) * 100}%` }} />
      </div>
    </div>
  );
}

function Servers({ lang, text, servers }) {
  if (!servers.length) return <p className="k-muted k-small">{text.none}</p>;
  return (
    <ul className="k-servers" aria-label={text.servers}>
      {servers.map((server) => (
        <li key={server.name} className={server.ok ? "k-good" : "k-quiet"}>
          {server.ok ? <Check aria-hidden="true" /> : <X aria-hidden="true" />}
          <span className="k-strong">{server.name}</span>
          <span>
            {server.ok
              ? `${text.answers}, ${text.models(server.models ?? 0)}`
              : reason(lang, server.reason)}
          </span>
          {server.url && <span className="k-url">{server.url}</span>}
        </li>
      ))}
    </ul>
  );
}

function Step({ text, done, title, children }) {
  return (
    <li className={done ? "k-done" : ""}>
      <span className={`k-step-mark ${done ? "k-good" : "k-quiet"}`}>
        {done ? <Check aria-hidden="true" /> : <CircleDashed aria-hidden="true" />}
        <span className="sr-only">{done ? text.done : text.waiting}</span>
      </span>
      <div>
        <p>{title}</p>
        {!done && children}
      </div>
    </li>
  );
}

function OllamaWay({ lang, text, data, callAction }) {
  const servers = (data.servers ?? []).filter((server) => server.can_pull);
  const up = servers.find((server) => server.ok);
  const model = data.suggested || "gemma2:2b";
  const pulling = data.pull;
  const payload = { server: up?.name, model };
  return (
    <ol className="k-steps">
      <Step text={text} done={!!up} title={text.start}>
        <Command text={text} command="ollama serve" />
        <p className="k-muted k-small">ollama.com/download</p>
      </Step>
      <Step text={text} done={servers.some((server) => server.ok && server.models > 0)}
        title={data.suggested_size ? `${text.pull}: ${model}, ${bytes(lang, data.suggested_size)}` : text.pull}>
        <Terms lang={lang} text={text} licence={data.suggested_licence} codes={data.suggested_languages} />
        {pulling ? (
          <>
            <Progress lang={lang} facts={pulling} />
            <button type="button" className="k-button k-plain"
              onClick={() => callAction({ name: "cancel_pull", payload })}>{text.cancel}</button>
          </>
        ) : (
          <>
            <Command text={text} command={`ollama pull ${model}`} />
            {data.can_pull && up && (
              <button type="button" className="k-button k-primary"
                onClick={() => callAction({ name: "pull", payload })}>
                <Download aria-hidden="true" />{text.pullButton} {model}
              </button>
            )}
            {data.pull_error && <p className="k-bad k-small" role="status">{data.pull_error}</p>}
          </>
        )}
      </Step>
    </ol>
  );
}

function CloudWay({ text, data, callAction }) {
  const { providers } = data;
  const [provider, setProvider] = useState(providers[0].id);
  const [values, setValues] = useState({});
  const chosen = providers.find((one) => one.id === provider) ?? providers[0];
  const choosing = (event) => {
    setProvider(event.target.value);
    callAction({ name: "choose_provider", payload: { provider: event.target.value } });
  };
  const valueOf = (field) => values[field.name] ?? field.default;
  const status = data.key_status;
  const testing = status?.state === "testing";
  useEffect(() => {
    if (status?.state === "kept") setValues((before) => ({ ...before, key: "" }));
  }, [status?.state]);
  const complete = chosen.fields.every((field) => !field.required || valueOf(field).trim());
  const submit = async (event) => {
    event.preventDefault();
    const told = Object.fromEntries(chosen.fields.map((field) => [field.name, valueOf(field)]));
    await callAction({ name: "save_key", payload: { provider: chosen.id, ...told } });
  };
  const choose = (
    <label className="k-label">
      {text.provider}
      <select className="k-field" value={chosen.id} onChange={choosing}>
        {providers.map((one) => <option key={one.id} value={one.id}>{one.label}</option>)}
      </select>
    </label>
  );
  const where = chosen.keys_at && (
    <p className="k-muted k-small k-break">{text.keysAt} {chosen.keys_at.replace("https://", "")}</p>
  );
  if (!data.can_save_keys)
    return (
      <div className="k-form">
        {choose}
        <p className="k-muted k-small">{text.envNote}</p>
        {chosen.env.map((line) => <Command key={line} text={text} command={line} />)}
        {where}
      </div>
    );
  return (
    <form className="k-form" onSubmit={submit} autoComplete="off">
      {choose}
      {chosen.fields.map((field) => (
        <label key={field.name} className="k-label">{field.label}
          <input className="k-field" type={field.secret ? "password" : "text"}
            inputMode={field.name === "url" ? "url" : undefined}
            autoComplete={field.secret ? "new-password" : undefined}
            value={valueOf(field)}
            onChange={(event) => setValues({ ...values, [field.name]: event.target.value })} />
        </label>
      ))}
      {where}
      <button type="submit" className="k-button k-primary" disabled={!complete || testing}>
        <KeyRound aria-hidden="true" />{testing ? text.testing : text.saveKey}
      </button>
      <p className={`k-small ${status?.state === "refused" ? "k-bad" : "k-muted"}`} role="status">
        {status?.text ?? text.keyNote}
      </p>
    </form>
  );
}

function Offer({ lang, text, offer, may, reachable, callAction }) {
  const [file, where] = modelFile(offer.name);
  const press = (name) => () => callAction({ name, payload: { name: offer.name } });
  const idle = offer.state === "offered" && reachable !== false;
  return (
    <li className="k-offer">
      <div className="k-model-text">
        <span className="k-break"><span className="k-strong">{file}</span>{known(offer.size) && <>, {bytes(lang, offer.size)}</>}</span>
        <span className="k-url">{where}</span>
        <Terms lang={lang} text={text} licence={offer.licence} codes={offer.languages} />
      </div>
      {offer.state === "ready" && <p className="k-muted" role="status">{text.starting}</p>}
      {offer.progress && <Progress lang={lang} facts={offer.progress} />}
      {offer.error && <p className="k-bad k-small" role="status">{offer.error}</p>}
      {may && offer.progress && (
        <button type="button" className="k-button k-plain" onClick={press("embedded_cancel")}>{text.cancel}</button>
      )}
      {may && idle && (
        <button type="button" className="k-button k-primary" onClick={press("embedded_download")}>
          <Download aria-hidden="true" />
          {known(offer.size) && offer.completed > 0
            ? text.resume(bytes(lang, offer.size - offer.completed))
            : text.download(known(offer.size) ? bytes(lang, offer.size) : "")}
        </button>
      )}
    </li>
  );
}

function EmbeddedWay({ lang, text, data, callAction }) {
  const { reason: why, offers, may } = data.embedded;
  if (why) return <p className="k-muted">{why}</p>;
  return (
    <ul className="k-offers">
      {offers.map((offer) => (
        <Offer key={offer.name} lang={lang} text={text} offer={offer} may={may}
          reachable={data.ways?.embedded?.ok} callAction={callAction} />
      ))}
    </ul>
  );
}

/* Whether a way can work here and now. */
function Prospect({ way }) {
  if (!way?.text) return null;
  const Mark = way.ok === null ? CircleDashed : way.ok ? Check : X;
  return (
    <p className={`k-small k-prospect ${way.ok ? "k-good" : "k-muted"}`} role="status" data-ok={String(way.ok)}>
      <Mark aria-hidden="true" />{way.text}
    </p>
  );
}

function Way({ icon: Icon, title, hint, way, open, children }) {
  return (
    <details className="k-way" open={open}>
      <summary>
        <Icon aria-hidden="true" />
        <span><span className="k-strong">{title}</span><br /><span className="k-muted k-small">{hint}</span></span>
      </summary>
      <div className="k-way-body"><Prospect way={way} />{children}</div>
    </details>
  );
}

/* The guide stands where the welcome screen's questions would: once a model is here, they are offered. */
function Beginnings({ text, small, starters, send }) {
  return (
    <div className="k-form">
      <p className="k-muted k-small">{small ? text.tryIt : text.begin}</p>
      <div className="k-actions">
        {starters.map((one) => (
          <button key={one.label} type="button" className="k-button" onClick={() => send(one.question)}>
            {one.label}
          </button>
        ))}
      </div>
    </div>
  );
}

function Ways({ lang, text, data, callAction }) {
  const { providers = [], embedded, ways = {} } = data;
  const shared = { lang, text, data, callAction };
  const named = providers.slice(0, NAMED).map((one) => one.label).join(", ");
  return (
    <div className="k-ways">
      <Way icon={HardDrive} title={text.ollama} hint={text.ollamaHint} way={ways.ollama} open><OllamaWay {...shared} /></Way>
      {providers.length > 0 && (
        <Way icon={Cloud} title={text.cloud} hint={text.cloudHint(named)} way={ways.cloud}><CloudWay {...shared} /></Way>
      )}
      {embedded && (
        <Way icon={Cpu} title={text.embedded} hint={text.embeddedHint} way={ways.embedded}><EmbeddedWay {...shared} /></Way>
      )}
    </div>
  );
}

function Guide({ data, callAction, send }) {
  const { lang, ready, small, servers = [], starters = [] } = data;
  const { messages } = useChatMessages();
  const begun = messages.some((message) => message.type === "user_message");
  const text = words(lang, TEXTS);
  const shared = { lang, text, data, callAction };
  return (
    <section data-testid="guide" data-ready={!!ready} data-small={!!small} lang={lang}
      aria-label={ready ? text.ready : small ? text.small : text.title}
      className={`k-guide ${ready ? "k-ready" : ""}`}>
      <p className="k-title" role="status">
        {ready && <Check className="k-good" aria-hidden="true" />}
        {small && <Cpu aria-hidden="true" />}
        {ready ? text.ready : small ? text.small : text.title}
      </p>
      <p className="k-muted">{ready ? text.readyText : small ? text.smallText : text.intro}</p>
      {!small && <Servers lang={lang} text={text} servers={servers} />}
      {(ready || small) && !begun && starters.length > 0 && <Beginnings text={text} small={small} starters={starters} send={send} />}
      {!ready && !small && <Ways {...shared} />}
      {small && (
        <details className="k-better">
          <summary>{text.better}</summary>
          <Ways {...shared} />
        </details>
      )}
    </section>
  );
}

const Kept = keep("Guide", Guide);
export default <Kept data={props} callAction={callAction} send={sendUserMessage} />;
