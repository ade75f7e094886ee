import { useEffect, useRef, useState } from "react";
import { useChatData } from "@chainlit/react-client";
import { Check, Cpu, Download, Loader2, Pencil, Play, PlugZap, RotateCw, Square, Trash2, X } from "lucide-react";

const {
  bytes, keep, known, languages, modelFile, pace, percent, plural, progress, reason, seconds, stage, tell, windowSize, words,
} = window.Konsilium;

const TEXTS = {
  ru: {
    title: "Модели и серверы",
    refresh: "Обновить",
    none: "Ни одного сервера не настроено.",
    models: (count) => `${count} ${plural("ru", count, ["модель", "модели", "моделей"])}`,
    more: (count) => `Ещё ${count} ${plural("ru", count, ["модель", "модели", "моделей"])}`,
    inMemory: (count) => `в памяти: ${count}`,
    empty: "Моделей на этом сервере нет.",
    version: "версия",
    latency: "отклик",
    queue: (count) => `в очереди: ${count}`,
    loaded: "в памяти",
    gpu: "на GPU",
    cpu: "на CPU",
    share: (share) => `${share} на GPU`,
    until: "до",
    window: "окно",
    load: "Загрузить в память",
    unload: "Выгрузить из памяти",
    remove: "Удалить с диска",
    confirm: (name) => `Удалить ${name} с диска?`,
    yes: "Удалить",
    no: "Оставить",
    pull: "Скачать модель",
    pullHint: "gemma2:2b",
    pullButton: "Скачать",
    recommended: "Что советует Ollama",
    vram: (size) => `нужно ${size} видеопамяти`,
    remote: "работает в облаке ollama.com",
    pullThis: (name) => `Скачать ${name}`,
    cancel: "Отменить",
    layer: "слой",
    local: "локальный",
    cloud: "облако",
    done: "скачано",
    cancelled: "отменено",
    phases: { asleep: "спит, проснётся с первым вопросом", starting: "запускается" },
    test: "Проверить",
    testing: "Проверяем…",
    edit: "Исправить",
    setBy: "Задан переменной",
    letGo: "Убрать модель",
    letGoConfirm: (name) => `Убрать модель ${name}? Файл останется на диске.`,
    forget: "Убрать сервер",
    forgetConfirm: (name) => `Убрать ${name}? Адрес и ключ будут стёрты.`,
    forgetYes: "Убрать",
    embedded: "Встроенная модель",
    embeddedHint: "Работает внутри приложения, ничего больше не нужно",
    resume: "Продолжить",
    licence: "Лицензия",
    capabilities: {
      vision: "зрение", tools: "инструменты", thinking: "размышления", embedding: "эмбеддинги",
      json_schema: "схема JSON", transcription: "речь в текст", speech: "текст в речь",
    },
  },
  uk: {
    title: "Моделі та сервери",
    refresh: "Оновити",
    none: "Жодного сервера не налаштовано.",
    models: (count) => `${count} ${plural("uk", count, ["модель", "моделі", "моделей"])}`,
    more: (count) => `Ще ${count} ${plural("uk", count, ["модель", "моделі", "моделей"])}`,
    inMemory: (count) => `у пам'яті: ${count}`,
    empty: "Моделей на цьому сервері немає.",
    version: "версія",
    latency: "відгук",
    queue: (count) => `у черзі: ${count}`,
    loaded: "у пам'яті",
    gpu: "на GPU",
    cpu: "на CPU",
    share: (share) => `${share} на GPU`,
    until: "до",
    window: "вікно",
    load: "Завантажити в пам'ять",
    unload: "Вивантажити з пам'яті",
    remove: "Видалити з диска",
    confirm: (name) => `Видалити ${name} з диска?`,
    yes: "Видалити",
    no: "Залишити",
    pull: "Завантажити модель",
    pullHint: "gemma2:2b",
    pullButton: "Завантажити",
    recommended: "Що радить Ollama",
    vram: (size) => `потрібно ${size} відеопам'яті`,
    remote: "працює у хмарі ollama.com",
    pullThis: (name) => `Завантажити ${name}`,
    cancel: "Скасувати",
    layer: "шар",
    local: "локальний",
    cloud: "хмара",
    done: "завантажено",
    cancelled: "скасовано",
    phases: { asleep: "спить, прокинеться з першим запитанням", starting: "запускається" },
    test: "Перевірити",
    testing: "Перевіряємо…",
    edit: "Виправити",
    setBy: "Заданий змінною",
    letGo: "Прибрати модель",
    letGoConfirm: (name) => `Прибрати модель ${name}? Файл залишиться на диску.`,
    forget: "Прибрати сервер",
    forgetConfirm: (name) => `Прибрати ${name}? Адресу й ключ буде стерто.`,
    forgetYes: "Прибрати",
    embedded: "Вбудована модель",
    embeddedHint: "Працює всередині застосунку, більше нічого не потрібно",
    resume: "Продовжити",
    licence: "Ліцензія",
    capabilities: {
      vision: "зір", tools: "інструменти", thinking: "роздуми", embedding: "ембединги",
      json_schema: "схема JSON", transcription: "мовлення в текст", speech: "текст у мовлення",
    },
  },
  en: {
    title: "Models and servers",
    refresh: "Refresh",
    none: "No server is configured.",
    models: (count) => `${count} ${plural("en", count, ["model", "models"])}`,
    more: (count) => `${count} more ${plural("en", count, ["model", "models"])}`,
    inMemory: (count) => `in memory: ${count}`,
    empty: "This server has no models.",
    version: "version",
    latency: "latency",
    queue: (count) => `queued: ${count}`,
    loaded: "loaded",
    gpu: "on GPU",
    cpu: "on CPU",
    share: (share) => `${share} on GPU`,
    until: "until",
    window: "window",
    load: "Load into memory",
    unload: "Unload from memory",
    remove: "Remove from disk",
    confirm: (name) => `Remove ${name} from disk?`,
    yes: "Remove",
    no: "Keep",
    pull: "Download a model",
    pullHint: "gemma2:2b",
    pullButton: "Download",
    recommended: "What Ollama recommends",
    vram: (size) => `needs ${size} of video memory`,
    remote: "runs in the cloud of ollama.com",
    pullThis: (name) => `Download ${name}`,
    cancel: "Cancel",
    layer: "layer",
    local: "local",
    cloud: "cloud",
    done: "downloaded",
    cancelled: "cancelled",
    phases: { asleep: "asleep; the first question wakes it", starting: "starting" },
    test: "Test",
    testing: "Testing…",
    edit: "Correct",
    setBy: "Set by the variable",
    letGo: "Let the model go",
    letGoConfirm: (name) => `Let the model go ${name}? Its file stays on the disk.`,
    forget: "Remove the server",
    forgetConfirm: (name) => `Remove ${name}? Its address and key will be erased.`,
    forgetYes: "Remove",
    embedded: "Embedded model",
    embeddedHint: "Runs inside the app; nothing else is needed",
    resume: "Go on",
    licence: "Licence",
    capabilities: {
      vision: "vision", tools: "tools", thinking: "thinking", embedding: "embeddings",
      json_schema: "JSON schema", transcription: "speech to text", speech: "text to speech",
    },
  },
};

function Bar({ label, share }) {
  return (
    <div className="k-bar" role="progressbar" aria-label={label} aria-valuemin={0} aria-valuemax={100}
      aria-valuenow={share === null ? undefined : Math.round(share * 100)}>
      <span style={{ width: `${(share ?? 0) * 100}%` }} />
    </div>
  );
}

function Pull({ lang, text, pull, act }) {
  const running = !["done", "failed", "cancelled"].includes(pull.state);
  const layers = pull.state === "done" ? [] : pull.layers ?? [];
  return (
    <div className="k-pull" data-testid="pull">
      <div className="k-row-between">
        <span className="k-strong">{pull.model}</span>
        <span className="k-small k-muted">{pace(lang, pull)}</span>
      </div>
      {layers.map((layer) => {
        const share = layer.total ? layer.completed / layer.total : null;
        return (
          <div key={layer.digest}>
            <div className="k-row-between k-small k-muted">
              <span>{text.layer} {layer.digest.replace("sha256:", "").slice(0, 8)}</span>
              <span>{bytes(lang, layer.completed)} / {bytes(lang, layer.total)}{share !== null && `, ${percent(share)}`}</span>
            </div>
            <Bar label={`${text.layer} ${layer.digest}`} share={share} />
          </div>
        );
      })}
      <div className="k-row-between">
        <span role="status" className={`k-small ${pull.state === "failed" ? "k-bad" : pull.state === "done" ? "k-good" : "k-muted"}`}>
          {pull.error || text[pull.state] || stage(lang, pull.status)}
        </span>
        {running && (
          <button type="button" className="k-button k-plain"
            onClick={() => act("cancel_pull", { server: pull.server, model: pull.model })}>
            <X aria-hidden="true" />{text.cancel}
          </button>
        )}
      </div>
    </div>
  );
}

/* A fact is one piece: "until 11:17 AM" is not broken over two lines. */
const whole = (fact) => fact.replaceAll(" ", "\u00a0");

function facts(lang, text, model) {
  return [
    known(model.size_bytes) && bytes(lang, model.size_bytes),
    model.parameter_size,
    model.quantization,
    model.family,
    known(model.window) && `${text.window} ${windowSize(model.window)}`,
    ...(model.capabilities ?? []).map((one) => text.capabilities[one]).filter(Boolean),
  ].filter(Boolean).map(whole).join(" • ");
}

function loadState(lang, text, load) {
  const share = load.gpu_share;
  const where = !known(share) ? "" : share >= 0.995 ? text.gpu : share <= 0.005 ? text.cpu : text.share(percent(share));
  const until = load.expires_at && new Date(load.expires_at);
  const time = until && until.getFullYear() < 2200
    ? `${text.until} ${until.toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit" })}`
    : "";
  return [`● ${text.loaded} ${where}`.trim(), known(load.vram_bytes) && bytes(lang, load.size_bytes), time]
    .filter(Boolean).map(whole).join(" • ");
}

/* Its form is the element below (ServerForm.jsx). */
const correct = (server) => window.dispatchEvent(new CustomEvent("konsilium-correct", { detail: server }));

/* A question before what cannot be undone; "no" has the focus. */
function Confirm({ question, yes, no, onYes, onNo }) {
  return (
    <div className="k-confirm" role="alertdialog" aria-label={question}>
      <span>{question}</span>
      <span className="k-actions">
        <button type="button" className="k-button k-danger" onClick={onYes}>{yes}</button>
        <button type="button" className="k-button" autoFocus onClick={onNo}>{no}</button>
      </span>
    </div>
  );
}

/* `remove` is what deletes the model from the disk; null where nobody may. */
function Model({ lang, text, server, model, mayLoad, remove, act }) {
  const [asking, setAsking] = useState(false);
  const busy = !!model.doing;
  return (
    <li className="k-model">
      <div className="k-model-text">
        <span className="k-strong k-break">{model.name}</span>
        <span className="k-small k-muted">{facts(lang, text, model)}</span>
        {model.load && <span className="k-small k-good">{loadState(lang, text, model.load)}</span>}
      </div>
      {!asking && (mayLoad || remove) && (
        <span className="k-actions">
          {mayLoad && (
            <button type="button" className="k-button k-plain" disabled={busy}
              title={model.load ? text.unload : text.load}
              aria-label={`${model.load ? text.unload : text.load}: ${model.name}`}
              onClick={() => act(model.load ? "unload" : "load", { server: server.name, model: model.name })}>
              {busy ? <Loader2 aria-hidden="true" className="animate-spin" /> : model.load ? <Square aria-hidden="true" /> : <Play aria-hidden="true" />}
            </button>
          )}
          {remove && (
            <button type="button" className="k-button k-plain k-danger" disabled={busy} title={text.remove}
              aria-label={`${text.remove}: ${model.name}`} onClick={() => setAsking(true)}>
              <Trash2 aria-hidden="true" />
            </button>
          )}
        </span>
      )}
      {asking && (
        <Confirm question={text.confirm(model.name)} yes={text.yes} no={text.no}
          onYes={() => { setAsking(false); remove(); }} onNo={() => setAsking(false)} />
      )}
    </li>
  );
}

/* A long list is folded after its first few: what stands below it is nearer than 300 models. */
const LONG = 12;
const FIRST = 5;

/* `draw` makes the row of a model. */
function Models({ text, models, draw }) {
  const first = models.length > LONG ? FIRST : models.length;
  const folded = models.slice(first);
  const loaded = folded.filter((model) => model.load).length;
  return (
    <>
      <ul className="k-models">
        {models.length === 0 && <li className="k-small k-muted">{text.empty}</li>}
        {models.slice(0, first).map(draw)}
      </ul>
      {folded.length > 0 && (
        <details className="k-better" data-testid="more-models">
          <summary>{[text.more(folded.length), loaded > 0 && text.inMemory(loaded)].filter(Boolean).join(", ")}</summary>
          <ul className="k-models">{folded.map(draw)}</ul>
        </details>
      )}
    </>
  );
}

/* In the server's own words, which are English. */
function Recommended({ lang, text, server, pulls, act }) {
  const running = new Set(pulls.filter((pull) => pull.state === "running").map((pull) => pull.model));
  const offers = (server.recommended ?? []).filter((one) => !running.has(one.name));
  if (!offers.length) return null;
  return (
    <details className="k-better" data-testid="recommended">
      <summary>{text.recommended}</summary>
      <ul className="k-models">
        {offers.map((one) => (
          <li key={one.name} className="k-model k-offered">
            <div className="k-model-text">
              <span className="k-strong k-break">{one.name}</span>
              <span className="k-small k-muted" lang="en">{one.about}</span>
              <span className="k-small k-muted">
                {one.local ? known(one.memory) && text.vram(bytes(lang, one.memory)) : text.remote}
              </span>
            </div>
            <button type="button" className="k-button" aria-label={text.pullThis(one.name)}
              onClick={() => act("pull", { server: server.name, model: one.name })}>
              <Download aria-hidden="true" />{text.pullButton}
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}

function PullForm({ text, server, act }) {
  const [name, setName] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    await act("pull", { server: server.name, model: name.trim() });
    setName("");
  };
  return (
    <form className="k-inline" onSubmit={submit}>
      <input className="k-field" type="text" value={name} placeholder={text.pullHint} aria-label={text.pull}
        spellCheck={false} autoCapitalize="none" onChange={(event) => setName(event.target.value)} />
      <button type="submit" className="k-button" disabled={!name.trim()}>
        <Download aria-hidden="true" />{text.pullButton}
      </button>
    </form>
  );
}

/* A model that the app itself may fetch and run. */
function Offer({ lang, text, offer, may, act }) {
  const [file, where] = modelFile(offer.name);
  const { share, label } = offer.progress ? progress(lang, offer.progress) : {};
  const press = (name) => () => act(name, { name: offer.name });
  return (
    <li className="k-model k-offered">
      <div className="k-model-text">
        <span className="k-strong k-break">{file}</span>
        <span className="k-url">{where}</span>
        <span className="k-small k-muted">
          {[known(offer.size) && bytes(lang, offer.size), offer.licence && `${text.licence}: ${offer.licence}`,
            languages(lang, offer.languages)].filter(Boolean).join(" • ")}
        </span>
        {offer.progress && <><span className="k-small k-muted">{label}</span><Bar label={label} share={share} /></>}
        {offer.error && <span className="k-small k-bad" role="status">{offer.error}</span>}
      </div>
      {may && (offer.progress ? (
        <button type="button" className="k-button k-plain" onClick={press("embedded_cancel")}>
          <X aria-hidden="true" />{text.cancel}
        </button>
      ) : (
        <button type="button" className="k-button" onClick={press("embedded_download")}>
          <Download aria-hidden="true" />{offer.completed > 0 ? text.resume : text.pullButton}
        </button>
      ))}
    </li>
  );
}

function Offers({ lang, text, embedded, act }) {
  const offers = (embedded?.offers ?? []).filter((offer) => offer.state !== "ready");
  if (!offers.length) return null;
  return (
    <ul className="k-models">
      {offers.map((offer) => (
        <Offer key={offer.name} lang={lang} text={text} offer={offer} may={embedded.may} act={act} />
      ))}
    </ul>
  );
}

/* Where nothing runs inside the app yet, it is said that something may. */
function Embeddable({ lang, text, embedded, act }) {
  if (!embedded?.may || !embedded.offers.length) return null;
  return (
    <section className="k-server" aria-label={text.embedded} data-testid="embeddable">
      <div className="k-server-head">
        <span className="k-quiet"><Cpu aria-hidden="true" /></span>
        <div className="k-model-text">
          <span className="k-strong">{text.embedded}</span>
          <span className="k-small k-muted">{text.embeddedHint}</span>
        </div>
      </div>
      <Offers lang={lang} text={text} embedded={embedded} act={act} />
    </section>
  );
}

/* The model whose file the app has fetched: it may be deleted here, also when it cannot be run. */
const fetchedOf = (embedded) => embedded?.offers.find((offer) => offer.ours && offer.state === "ready");

/* Deletes a model: through its server, or, of the app's own, the file that was fetched. */
function remover(server, model, embedded, act) {
  const payload = { server: server.name, model: model.name };
  if (server.can_pull) return () => act("remove", payload);
  const fetched = server.inside && fetchedOf(embedded);
  return fetched ? () => act("remove_embedded", { ...payload, name: fetched.name }) : null;
}

function Server({ lang, text, server, embedded, pulls, admin, act, test, wanted }) {
  const [asking, setAsking] = useState(false);
  const place = useRef(null);
  useEffect(() => { if (wanted) place.current?.scrollIntoView({ block: "start" }); }, [wanted]);
  const chosen = server.inside && embedded?.offers.find((offer) => offer.chosen);
  const letGo = chosen
    ? { label: text.letGo, question: text.letGoConfirm(modelFile(chosen.name)[0]),
        run: () => act("remove_embedded", { server: server.name, model: modelFile(chosen.name)[0], name: chosen.name }) }
    : server.kept && { label: text.forget, question: text.forgetConfirm(server.name), run: () => act("remove_server", { server: server.name }) };
  const testing = test?.state === "testing";
  const models = server.models ?? [];
  const own = server.inside;
  const offered = own && (embedded?.offers ?? []).some((offer) => offer.state !== "ready");
  const fetched = own && !server.ok && admin && fetchedOf(embedded);
  const stuck = fetched && { name: modelFile(fetched.name)[0], size_bytes: fetched.size };
  const trouble = own && embedded?.reason ? embedded.reason : reason(lang, server.reason);
  const about = [
    server.version && `${text.version} ${server.version}`,
    known(server.latency_s) && whole(`${text.latency} ${seconds(lang, server.latency_s)}`),
    known(server.queue) && server.queue > 0 && text.queue(server.queue),
    server.ok && !own && whole(text.models(models.length)),
    server.ok && text.phases[server.phase],
  ].filter(Boolean).join(" • ");
  return (
    <section ref={place} className="k-server" aria-label={server.name} data-testid="server">
      <div className="k-server-head">
        <span className={server.ok ? "k-good" : offered ? "k-quiet" : "k-bad"}>
          {server.ok ? <Check aria-hidden="true" /> : offered ? <Cpu aria-hidden="true" /> : <X aria-hidden="true" />}
        </span>
        <div className="k-model-text">
          <span>
            <span className="k-strong">{server.name}</span>{" "}
            <span className="k-small k-muted">{server.local ? text.local : text.cloud}</span>
          </span>
          {server.url && <span className="k-url">{server.url}</span>}
          {about && <span className="k-small k-muted">{about}</span>}
          {!server.ok && !offered && <span className="k-small k-bad">{trouble}</span>}
          {server.set_by && !server.kept && !own && <span className="k-small k-muted k-break">{text.setBy} {server.set_by}</span>}
          {test && (
            <span role="status" className={`k-small k-break ${test.state === "bad" ? "k-bad" : test.state === "good" ? "k-good" : "k-muted"}`}>
              {testing ? text.testing : test.text}
            </span>
          )}
        </div>
        {admin && !asking && (
          <span className="k-actions">
            <button type="button" className="k-button k-plain" title={text.test} disabled={testing}
              aria-label={`${text.test}: ${server.name}`} onClick={() => act("test_server", { server: server.name, url: server.url })}>
              {testing ? <Loader2 aria-hidden="true" className="animate-spin" /> : <PlugZap aria-hidden="true" />}
            </button>
            {server.kept && (
              <button type="button" className="k-button k-plain" title={text.edit}
                aria-label={`${text.edit}: ${server.name}`} onClick={() => correct(server.name)}>
                <Pencil aria-hidden="true" />
              </button>
            )}
            {letGo && (
              <button type="button" className="k-button k-plain k-danger" title={letGo.label}
                aria-label={`${letGo.label}: ${server.name}`} onClick={() => setAsking(true)}>
                <Trash2 aria-hidden="true" />
              </button>
            )}
          </span>
        )}
      </div>
      {asking && (
        <Confirm question={letGo.question} yes={text.forgetYes} no={text.no}
          onYes={() => { setAsking(false); letGo.run(); }}
          onNo={() => setAsking(false)} />
      )}
      {own && !server.ok && <Offers lang={lang} text={text} embedded={embedded} act={act} />}
      {stuck && (
        <ul className="k-models">
          <Model lang={lang} text={text} server={server} model={stuck} mayLoad remove={remover(server, stuck, embedded, act)} act={act} />
        </ul>
      )}
      {server.ok && (
        <Models text={text} models={models} draw={(model) => (
          <Model key={model.name} lang={lang} text={text} server={server} model={model}
            mayLoad={admin && server.can_load} remove={admin ? remover(server, model, embedded, act) : null} act={act} />
        )} />
      )}
      {pulls.map((pull) => <Pull key={pull.model} lang={lang} text={text} pull={pull} act={act} />)}
      {server.ok && admin && server.can_pull && <PullForm text={text} server={server} act={act} />}
      {server.ok && admin && server.can_pull && (
        <Recommended lang={lang} text={text} server={server} pulls={pulls} act={act} />
      )}
    </section>
  );
}

/* The panel beside the chat never changes (the page would open it again); what it shows is an element of
   the chat that hangs on no message. */
function Servers({ data: own, callAction }) {
  const { connected, elements } = useChatData();
  const data = elements.find((one) => one.id === own.shows)?.props ?? own;
  const { lang, admin = false, servers = [], pulls = [], embedded, form, wanted } = data;
  const text = words(lang, TEXTS);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    tell({ event: "servers_opened" });
    return () => tell({ event: "servers_closed" });
  }, [connected]);
  const act = (name, payload) => callAction({ name, payload });
  const refresh = async () => {
    setBusy(true);
    try {
      await callAction({ name: "servers_refresh", payload: {} });
    } finally {
      setBusy(false);
    }
  };
  return (
    <section data-testid="servers" className="k-servers-panel" lang={lang} aria-label={text.title}>
      <div className="k-row-between">
        <span className="k-muted">{servers.length === 0 && text.none}</span>
        <button type="button" className="k-button" disabled={busy} onClick={refresh}>
          <RotateCw aria-hidden="true" className={busy ? "animate-spin" : ""} />{text.refresh}
        </button>
      </div>
      {servers.map((server) => (
        <Server key={server.name} lang={lang} text={text} server={server} admin={admin} act={act}
          test={form?.tests[server.name]} wanted={wanted === server.name}
          embedded={embedded} pulls={pulls.filter((pull) => pull.server === server.name)} />
      ))}
      {!servers.some((server) => server.inside) && (
        <Embeddable lang={lang} text={text} embedded={embedded} act={act} />
      )}
    </section>
  );
}

const Kept = keep("Servers", Servers);
export default <Kept data={props} callAction={callAction} />;
