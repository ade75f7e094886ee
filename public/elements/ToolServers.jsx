import { useEffect, useState } from "react";
import { useChatData } from "@chainlit/react-client";
import { Ban, Check, Loader2, Plus, RotateCw, Trash2, X } from "lucide-react";

const { keep, known, plural, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: "Инструменты (серверы MCP)",
    none: "Серверов с инструментами нет.",
    phases: { off: "выключен в mcp.json", starting: "запускается…", wrong: "запись в mcp.json не годится" },
    tools: (count) => `${count} ${plural("ru", count, ["инструмент", "инструмента", "инструментов"])}`,
    prompts: (count) => `команд: ${count}`,
    resources: (count) => `документов: ${count}`,
    retry: (seconds) => (seconds > 0 ? `новая попытка через ${seconds} с` : "новая попытка…"),
    asks: "спрашивает", stderr: "Последнее, что он написал", again: "Запустить снова",
    remove: "Убрать сервер", confirm: (name) => `Убрать ${name} из mcp.json?`, yes: "Убрать", no: "Оставить",
    add: "Добавить сервер инструментов", name: "Имя", where: "Команда или адрес",
    whereHint: "npx -y @modelcontextprotocol/server-filesystem /srv/papers",
    variables: "Переменные программы или заголовки, по одному в строке",
    variablesHint: "TOKEN=${WIKI_TOKEN}",
    secrets: "Ключи пишите ссылкой на переменную окружения: ${ИМЯ}. Программа запускается с правами Konsilium.",
    connect: "Подключить", trying: "Подключаю…", cancel: "Отмена", failed: "Не подключился",
  },
  uk: {
    title: "Інструменти (сервери MCP)",
    none: "Серверів з інструментами немає.",
    phases: { off: "вимкнено в mcp.json", starting: "запускається…", wrong: "запис у mcp.json не годиться" },
    tools: (count) => `${count} ${plural("uk", count, ["інструмент", "інструменти", "інструментів"])}`,
    prompts: (count) => `команд: ${count}`,
    resources: (count) => `документів: ${count}`,
    retry: (seconds) => (seconds > 0 ? `нова спроба через ${seconds} с` : "нова спроба…"),
    asks: "запитує", stderr: "Останнє, що він написав", again: "Запустити знову",
    remove: "Прибрати сервер", confirm: (name) => `Прибрати ${name} з mcp.json?`, yes: "Прибрати", no: "Залишити",
    add: "Додати сервер інструментів", name: "Назва", where: "Команда або адреса",
    whereHint: "npx -y @modelcontextprotocol/server-filesystem /srv/papers",
    variables: "Змінні програми або заголовки, по одному в рядку",
    variablesHint: "TOKEN=${WIKI_TOKEN}",
    secrets: "Ключі пишіть посиланням на змінну оточення: ${НАЗВА}. Програма запускається з правами Konsilium.",
    connect: "Під'єднати", trying: "Під'єдную…", cancel: "Скасувати", failed: "Не під'єднався",
  },
  en: {
    title: "Tools (MCP servers)",
    none: "There are no servers of tools.",
    phases: { off: "switched off in mcp.json", starting: "starting…", wrong: "its entry in mcp.json cannot be used" },
    tools: (count) => `${count} ${plural("en", count, ["tool", "tools"])}`,
    prompts: (count) => `commands: ${count}`,
    resources: (count) => `documents: ${count}`,
    retry: (seconds) => (seconds > 0 ? `tried again in ${seconds} s` : "trying again…"),
    asks: "asks first", stderr: "The last it wrote", again: "Start again",
    remove: "Remove the server", confirm: (name) => `Remove ${name} from mcp.json?`, yes: "Remove", no: "Keep",
    add: "Add a server of tools", name: "Name", where: "Command or address",
    whereHint: "npx -y @modelcontextprotocol/server-filesystem /srv/papers",
    variables: "Variables of the program, or headers, one a line",
    variablesHint: "TOKEN=${WIKI_TOKEN}",
    secrets: "Write keys as references to the environment: ${NAME}. The program runs with Konsilium's rights.",
    connect: "Connect", trying: "Connecting…", cancel: "Cancel", failed: "It did not connect",
  },
};

function Stderr({ text, lines }) {
  if (!lines?.length) return null;
  return (
    <details className="k-small k-muted">
      <summary>{text.stderr}</summary>
      <pre className="k-tool-text" tabIndex={0}>{lines.join("\n")}</pre>
    </details>
  );
}

function state(text, server) {
  if (server.phase === "ready") {
    return [
      server.version,
      server.tools.length === 0 && text.tools(0),
      server.prompts > 0 && text.prompts(server.prompts),
      server.resources > 0 && text.resources(server.resources),
    ].filter(Boolean).join(" • ");
  }
  const said = [text.phases[server.phase], server.reason].filter(Boolean).join(": ");
  return known(server.retry_s) ? [said, text.retry(server.retry_s)].filter(Boolean).join("; ") : said;
}

const ICONS = { ready: [Check, "k-good"], off: [Ban, "k-quiet"], starting: [Loader2, "k-quiet"] };

function ToolServer({ text, server, admin, act }) {
  const [asking, setAsking] = useState(false);
  const [Icon, tone] = ICONS[server.phase] ?? [X, "k-bad"];
  const bad = server.phase === "waiting" || server.phase === "wrong";
  const press = (name) => () => act(name, { server: server.name });
  return (
    <section className="k-server" aria-label={server.name} data-testid="tool-server">
      <div className="k-server-head">
        <span className={tone}><Icon aria-hidden="true" className={server.phase === "starting" ? "animate-spin" : ""} /></span>
        <div className="k-model-text">
          <span className="k-strong k-break">{server.name}</span>
          {server.where && <span className="k-url">{server.where}</span>}
          <span role="status" className={`k-small ${bad ? "k-bad" : "k-muted"}`}>{state(text, server)}</span>
        </div>
        {admin && !asking && server.removable && (
          <span className="k-actions">
            {server.phase === "waiting" && (
              <button type="button" className="k-button k-plain" title={text.again}
                aria-label={`${text.again}: ${server.name}`} onClick={press("mcp_restart")}>
                <RotateCw aria-hidden="true" />
              </button>
            )}
            <button type="button" className="k-button k-plain k-danger" title={text.remove}
              aria-label={`${text.remove}: ${server.name}`} onClick={() => setAsking(true)}>
              <Trash2 aria-hidden="true" />
            </button>
          </span>
        )}
      </div>
      {asking && (
        <div className="k-confirm" role="alertdialog" aria-label={text.confirm(server.name)}>
          <span>{text.confirm(server.name)}</span>
          <span className="k-actions">
            <button type="button" className="k-button k-danger" onClick={() => { setAsking(false); press("mcp_remove")(); }}>{text.yes}</button>
            <button type="button" className="k-button" autoFocus onClick={() => setAsking(false)}>{text.no}</button>
          </span>
        </div>
      )}
      <Stderr text={text} lines={server.stderr} />
      {server.phase === "ready" && server.tools.length > 0 && (
        <details className="k-small">
          <summary className="k-muted">{text.tools(server.tools.length)}</summary>
          <ul className="k-tool-list">
            {server.tools.map((tool) => (
              <li key={tool.name} className="k-break">
                {tool.title || tool.name}{tool.asks && <span className="k-muted"> ({text.asks})</span>}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

const EMPTY = { name: "", where: "", variables: "" };

function NewServer({ text, servers, trying, act }) {
  const [open, setOpen] = useState(false);
  const [form, setForm] = useState(EMPTY);
  const [awaited, setAwaited] = useState(null);
  const busy = trying?.state === "trying";
  const has = (name) => servers.some((server) => server.name === name);
  const joined = awaited && !trying && has(awaited);
  useEffect(() => {
    if (joined) { setOpen(false); setAwaited(null); setForm(EMPTY); }
  }, [joined]);
  const submit = async (event) => {
    event.preventDefault();
    const name = form.name.trim();
    await act("mcp_add", form);
    if (!has(name)) setAwaited(name);
  };
  const field = (name) => ({
    value: form[name], spellCheck: false, autoCapitalize: "none", disabled: busy,
    onChange: (event) => setForm({ ...form, [name]: event.target.value }),
  });
  if (!open) {
    return (
      <button type="button" className="k-button" onClick={() => { if (trying) setForm(trying); setOpen(true); }}>
        <Plus aria-hidden="true" />{text.add}
      </button>
    );
  }
  return (
    <form className="k-form" onSubmit={submit} aria-label={text.add}>
      <label className="k-label">{text.name}<input className="k-field" type="text" maxLength={60} {...field("name")} /></label>
      <label className="k-label">{text.where}
        <input className="k-field" type="text" placeholder={text.whereHint} {...field("where")} />
      </label>
      <label className="k-label">{text.variables}
        <textarea className="k-field" rows={2} placeholder={text.variablesHint} {...field("variables")} />
      </label>
      <span className="k-small k-muted">{text.secrets}</span>
      {trying?.state === "failed" && (
        <span role="alert" className="k-small k-bad">{[text.failed, trying.reason].filter(Boolean).join(": ")}</span>
      )}
      {trying?.state === "failed" && <Stderr text={text} lines={trying.stderr} />}
      <span className="k-actions">
        <button type="submit" className="k-button" disabled={busy || !form.name.trim() || !form.where.trim()}>
          {busy ? <Loader2 aria-hidden="true" className="animate-spin" /> : <Plus aria-hidden="true" />}
          {busy ? text.trying : text.connect}
        </button>
        {!busy && <button type="button" className="k-button k-plain" onClick={() => setOpen(false)}>{text.cancel}</button>}
      </span>
    </form>
  );
}

/* Below the servers of models in the same panel; draws what that panel's live element holds (Servers.jsx). */
function ToolServers({ data: own, callAction }) {
  const { elements } = useChatData();
  const data = elements.find((one) => one.id === own.shows)?.props ?? own;
  const { lang, admin = false, mcp = { servers: [] } } = data;
  const text = words(lang, TEXTS);
  const act = (name, payload) => callAction({ name, payload });
  if (!admin && mcp.servers.length === 0) return null;
  return (
    <section data-testid="tool-servers" className="k-servers-panel" lang={lang} aria-label={text.title}>
      <h3 className="k-strong">{text.title}</h3>
      {mcp.servers.length === 0 && <span className="k-muted">{text.none}</span>}
      {mcp.servers.map((server) => (
        <ToolServer key={server.name} text={text} server={server} admin={admin} act={act} />
      ))}
      {admin && <NewServer text={text} servers={mcp.servers} trying={mcp.trying} act={act} />}
    </section>
  );
}

const Kept = keep("ToolServers", ToolServers);
export default <Kept data={props} callAction={callAction} />;
