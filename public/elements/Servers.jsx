import { useEffect, useState } from "react";
import { useChatData } from "@chainlit/react-client";
import { Check, Download, Loader2, Play, RotateCw, Square, Trash2, X } from "lucide-react";

const { bytes, keep, known, percent, plural, reason, seconds, stage, tell, windowSize, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: "Модели и серверы",
    refresh: "Обновить",
    none: "Ни одного сервера не настроено.",
    models: (count) => `${count} ${plural("ru", count, ["модель", "модели", "моделей"])}`,
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
    pullHint: "имя, например gemma2:2b",
    pullButton: "Скачать",
    cancel: "Отменить",
    left: (time) => `осталось ${time}`,
    perSecond: "/с",
    layer: "слой",
    local: "свой",
    cloud: "облако",
    done: "скачано",
    cancelled: "отменено",
    capabilities: {
      vision: "зрение", tools: "инструменты", thinking: "размышления", embedding: "эмбеддинги",
      json_schema: "схема JSON", transcription: "речь в текст",
    },
  },
  uk: {
    title: "Моделі та сервери",
    refresh: "Оновити",
    none: "Жодного сервера не налаштовано.",
    models: (count) => `${count} ${plural("uk", count, ["модель", "моделі", "моделей"])}`,
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
    pullHint: "назва, наприклад gemma2:2b",
    pullButton: "Завантажити",
    cancel: "Скасувати",
    left: (time) => `залишилося ${time}`,
    perSecond: "/с",
    layer: "шар",
    local: "свій",
    cloud: "хмара",
    done: "завантажено",
    cancelled: "скасовано",
    capabilities: {
      vision: "зір", tools: "інструменти", thinking: "роздуми", embedding: "ембединги",
      json_schema: "схема JSON", transcription: "мовлення в текст",
    },
  },
  en: {
    title: "Models and servers",
    refresh: "Refresh",
    none: "No server is configured.",
    models: (count) => `${count} ${plural("en", count, ["model", "models"])}`,
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
    pullHint: "a name, for example gemma2:2b",
    pullButton: "Download",
    cancel: "Cancel",
    left: (time) => `${time} left`,
    perSecond: "/s",
    layer: "layer",
    local: "own",
    cloud: "cloud",
    done: "downloaded",
    cancelled: "cancelled",
    capabilities: {
      vision: "vision", tools: "tools", thinking: "thinking", embedding: "embeddings",
      json_schema: "JSON schema", transcription: "speech to text",
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
        <span className="k-small k-muted">
          {[
            known(pull.speed) && bytes(lang, pull.speed) + text.perSecond,
            known(pull.left_s) && text.left(seconds(lang, pull.left_s)),
          ].filter(Boolean).join(" • ")}
        </span>
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
            onClick={() => act("cancel_pull", pull.server, pull.model)}>
            <X aria-hidden="true" />{text.cancel}
          </button>
        )}
      </div>
    </div>
  );
}

function facts(lang, text, model) {
  return [
    known(model.size_bytes) && bytes(lang, model.size_bytes),
    model.parameter_size,
    model.quantization,
    model.family,
    known(model.window) && `${text.window} ${windowSize(model.window)}`,
    ...(model.capabilities ?? []).map((one) => text.capabilities[one]).filter(Boolean),
  ].filter(Boolean).join(" • ");
}

function loadState(lang, text, load) {
  const share = load.gpu_share;
  const where = !known(share) ? "" : share >= 0.995 ? text.gpu : share <= 0.005 ? text.cpu : text.share(percent(share));
  const until = load.expires_at && new Date(load.expires_at);
  const time = until && until.getFullYear() < 2200
    ? `${text.until} ${until.toLocaleTimeString(lang, { hour: "2-digit", minute: "2-digit" })}`
    : "";
  return [`● ${text.loaded} ${where}`.trim(), known(load.vram_bytes) && bytes(lang, load.size_bytes), time]
    .filter(Boolean).join(" • ");
}

function Model({ lang, text, server, model, may, act }) {
  const [asking, setAsking] = useState(false);
  const busy = !!model.doing;
  const run = (name) => {
    setAsking(false);
    return act(name, server.name, model.name);
  };
  return (
    <li className="k-model">
      <div className="k-model-text">
        <span className="k-strong k-break">{model.name}</span>
        <span className="k-small k-muted">{facts(lang, text, model)}</span>
        {model.load && <span className="k-small k-good">{loadState(lang, text, model.load)}</span>}
      </div>
      {may && !asking && (
        <span className="k-actions">
          <button type="button" className="k-button k-plain" disabled={busy}
            title={model.load ? text.unload : text.load}
            aria-label={`${model.load ? text.unload : text.load}: ${model.name}`}
            onClick={() => run(model.load ? "unload" : "load")}>
            {busy ? <Loader2 aria-hidden="true" className="animate-spin" /> : model.load ? <Square aria-hidden="true" /> : <Play aria-hidden="true" />}
          </button>
          <button type="button" className="k-button k-plain k-danger" disabled={busy} title={text.remove}
            aria-label={`${text.remove}: ${model.name}`} onClick={() => setAsking(true)}>
            <Trash2 aria-hidden="true" />
          </button>
        </span>
      )}
      {asking && (
        <div className="k-confirm" role="alertdialog" aria-label={text.confirm(model.name)}>
          <span>{text.confirm(model.name)}</span>
          <span className="k-actions">
            <button type="button" className="k-button k-danger" onClick={() => run("remove")}>{text.yes}</button>
            <button type="button" className="k-button" autoFocus onClick={() => setAsking(false)}>{text.no}</button>
          </span>
        </div>
      )}
    </li>
  );
}

function PullForm({ text, server, act }) {
  const [name, setName] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    await act("pull", server.name, name.trim());
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

function Server({ lang, text, server, pulls, admin, act }) {
  const models = server.models ?? [];
  const about = [
    server.version && `${text.version} ${server.version}`,
    known(server.latency_s) && `${text.latency} ${seconds(lang, server.latency_s)}`,
    known(server.queue) && server.queue > 0 && text.queue(server.queue),
    server.ok && text.models(models.length),
  ].filter(Boolean).join(" • ");
  return (
    <section className="k-server" aria-label={server.name} data-testid="server">
      <div className="k-server-head">
        <span className={server.ok ? "k-good" : "k-bad"}>{server.ok ? <Check aria-hidden="true" /> : <X aria-hidden="true" />}</span>
        <div className="k-model-text">
          <span>
            <span className="k-strong">{server.name}</span>{" "}
            <span className="k-small k-muted">{server.local ? text.local : text.cloud}</span>
          </span>
          <span className="k-url">{server.url}</span>
          {about && <span className="k-small k-muted">{about}</span>}
          {!server.ok && <span className="k-small k-bad">{reason(lang, server.reason)}</span>}
        </div>
      </div>
      {server.ok && (
        <ul className="k-models">
          {models.length === 0 && <li className="k-small k-muted">{text.empty}</li>}
          {models.map((model) => (
            <Model key={model.name} lang={lang} text={text} server={server} model={model}
              may={admin && server.can_pull} act={act} />
          ))}
        </ul>
      )}
      {pulls.map((pull) => <Pull key={pull.model} lang={lang} text={text} pull={pull} act={act} />)}
      {server.ok && admin && server.can_pull && <PullForm text={text} server={server} act={act} />}
    </section>
  );
}

/* The panel beside the chat never changes (the page would open it again); what it shows is an element of
   the chat that hangs on no message. */
function Servers({ data: own, callAction }) {
  const { connected, elements } = useChatData();
  const data = elements.find((one) => one.id === own.shows)?.props ?? own;
  const { lang, admin = false, servers = [], pulls = [] } = data;
  const text = words(lang, TEXTS);
  const [busy, setBusy] = useState(false);
  useEffect(() => {
    tell({ event: "servers_opened" });
    return () => tell({ event: "servers_closed" });
  }, [connected]);
  const act = (name, server, model) => callAction({ name, payload: { server, model } });
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
          pulls={pulls.filter((pull) => pull.server === server.name)} />
      ))}
    </section>
  );
}

const Kept = keep("Servers", Servers);
export default <Kept data={props} callAction={callAction} />;
