import { useEffect, useRef, useState } from "react";
import { useChatData } from "@chainlit/react-client";
import { KeyRound, Plus } from "lucide-react";

const { keep, words } = window.Konsilium;

const TEXTS = {
  ru: {
    add: "Добавить сервер или модель", correct: (name) => `Исправить ${name}`, provider: "Поставщик", name: "Имя",
    nameHint: "можно не указывать", kept: "пусто — остаётся прежний", keysAt: "Где взять ключ:", save: "Проверить и сохранить",
    testing: "Проверяем…", cancel: "Отмена", addressHint: "127.0.0.1:8080 или example.com/v1",
    keyNote: "Ключ хранится в папке данных приложения, доступен только ему и больше не показывается.",
  },
  uk: {
    add: "Додати сервер або модель", correct: (name) => `Виправити ${name}`, provider: "Постачальник", name: "Назва",
    nameHint: "можна не вказувати", kept: "порожньо — лишається попередній", keysAt: "Де взяти ключ:", save: "Перевірити й зберегти",
    testing: "Перевіряємо…", cancel: "Скасувати", addressHint: "127.0.0.1:8080 або example.com/v1",
    keyNote: "Ключ зберігається в теці даних застосунку, доступний лише йому й більше не показується.",
  },
  en: {
    add: "Add a server or a model", correct: (name) => `Correct ${name}`, provider: "Provider", name: "Name",
    nameHint: "may be left out", kept: "empty: the former stays", keysAt: "Where to get a key:", save: "Test and keep",
    testing: "Testing…", cancel: "Cancel", addressHint: "127.0.0.1:8080 or example.com/v1",
    keyNote: "The key is kept in the app's data folder, readable by the app alone, and never shown again.",
  },
};

function Field({ field, value, hint, onChange }) {
  const list = field.options?.length ? `k-found-${field.name}` : undefined;
  return (
    <label className="k-label">{field.label}
      <input className="k-field" type={field.secret ? "password" : "text"} spellCheck={false} autoCapitalize="none"
        inputMode={field.name === "url" ? "url" : undefined} autoComplete={field.secret ? "new-password" : "off"}
        list={list} placeholder={hint} value={value} onChange={(event) => onChange(event.target.value)} />
      {list && <datalist id={list}>{field.options.map((one) => <option key={one} value={one} />)}</datalist>}
    </label>
  );
}

/* Where a server is named, or one that was named here is corrected: its key stays unless another is given. */
function ServerForm({ data: own, callAction }) {
  const { elements } = useChatData();
  const { form, wanted } = elements.find((one) => one.id === own.shows)?.props ?? {};
  const { lang, providers } = own;
  const text = words(lang, TEXTS);
  const [former, setFormer] = useState(null); // null: closed; "": a new one
  const [values, setValues] = useState({});
  const [sent, setSent] = useState(""); // the attempt whose outcome is shown
  const place = useRef(null);
  const open = (name) => {
    setSent("");
    setValues(form?.kept[name] ? { ...form.kept[name], name } : { provider: providers[0].id });
    setFormer(form?.kept[name] ? name : "");
  };
  const opening = useRef(open);
  opening.current = open;
  useEffect(() => {
    const correct = (event) => opening.current(event.detail);
    window.addEventListener("konsilium-correct", correct);
    return () => window.removeEventListener("konsilium-correct", correct);
  }, []);
  useEffect(() => { if (wanted && form?.kept[wanted]) opening.current(wanted); }, [wanted]);
  useEffect(() => {
    if (former === null) return;
    place.current?.scrollIntoView({ block: "nearest" });
    place.current?.querySelector(former ? "input[type=password], input" : "select")?.focus();
  }, [former]);
  const status = sent && form?.status?.attempt === sent ? form.status : null;
  useEffect(() => {
    if (status?.state === "kept") setFormer(null);
  }, [status?.state]);
  if (!form) return null;
  if (former === null)
    return (
      <button type="button" className="k-button" onClick={() => open("")}><Plus aria-hidden="true" />{text.add}</button>
    );
  const chosen = providers.find((one) => one.id === values.provider) ?? providers[0];
  const named = chosen.id !== "file";
  const valueOf = (field) => values[field.name] ?? (former ? "" : field.default);
  const keeps = (field) => former && field.secret;
  const complete = chosen.fields.every((field) => !field.required || keeps(field) || valueOf(field).trim());
  const testing = status?.state === "testing";
  const put = (name) => (value) => setValues({ ...values, [name]: value });
  const submit = async (event) => {
    event.preventDefault();
    const told = Object.fromEntries(chosen.fields.map((field) => [field.name, valueOf(field)]));
    const attempt = String(Date.now());
    setSent(attempt);
    await callAction({ name: "save_key", payload: { provider: chosen.id, name: named ? values.name ?? "" : "", former, attempt, ...told } });
  };
  return (
    <form ref={place} className="k-form k-server" data-testid="server-form" lang={lang} onSubmit={submit} autoComplete="off"
      aria-label={former ? text.correct(former) : text.add}>
      <span className="k-strong">{former ? text.correct(former) : text.add}</span>
      <label className="k-label">{text.provider}
        <select className="k-field" value={chosen.id} onChange={(event) => setValues({ provider: event.target.value, name: values.name })}>
          {providers.filter((one) => !former || one.id !== "file").map((one) => <option key={one.id} value={one.id}>{one.label}</option>)}
        </select>
      </label>
      {named && <Field field={{ name: "name", label: text.name }} hint={text.nameHint} value={values.name ?? ""} onChange={put("name")} />}
      {chosen.fields.map((field) => (
        <Field key={field.name} field={field} value={valueOf(field)} onChange={put(field.name)}
          hint={keeps(field) ? text.kept : field.name === "url" ? text.addressHint : undefined} />
      ))}
      {chosen.keys_at && <p className="k-muted k-small k-break">{text.keysAt} {chosen.keys_at.replace("https://", "")}</p>}
      <span className="k-actions">
        <button type="submit" className="k-button k-primary" disabled={!complete || testing}>
          <KeyRound aria-hidden="true" />{testing ? text.testing : text.save}
        </button>
        <button type="button" className="k-button k-plain" onClick={() => setFormer(null)}>{text.cancel}</button>
      </span>
      <p className={`k-small k-break ${status?.state === "refused" ? "k-bad" : "k-muted"}`} role="status">
        {status?.text ?? (named ? text.keyNote : "")}
      </p>
    </form>
  );
}

const Kept = keep("ServerForm", ServerForm);
export default <Kept data={props} callAction={callAction} />;
