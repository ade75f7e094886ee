import { useState } from "react";
import { Check, Copy, RotateCw } from "lucide-react";
import { useChatData, useChatMessages } from "@chainlit/react-client";

const { copy, keep, newest, shown, tell, words } = window.Konsilium;

const TEXTS = {
  ru: { error: "Ошибка", servers: "Серверы и ключи", retry: "Повторить", copy: "Скопировать команду", copied: "Скопировано" },
  uk: { error: "Помилка", servers: "Сервери й ключі", retry: "Повторити", copy: "Скопіювати команду", copied: "Скопійовано" },
  en: { error: "Error", servers: "Servers and keys", retry: "Try again", copy: "Copy the command", copied: "Copied" },
};

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
      <span className="sr-only" role="status">{copied ? text.copied : ""}</span>
    </div>
  );
}

/** Buttons: those the server names, else Retry where it may help. */
function buttons(data, text) {
  if (data.actions?.length) return data.actions;
  return data.retry === false ? [] : [{ name: "retry", label: text.retry, icon: true }];
}

function ErrorCard({ data, callAction }) {
  const { lang, title, text: advice, command, link, turn_id: turnId } = data;
  const text = words(lang, TEXTS);
  const { messages } = useChatMessages();
  const { loading } = useChatData();
  const [asked, setAsked] = useState(null);
  const offered = newest(messages, turnId) ? buttons(data, text) : [];
  const ask = async (action, index) => {
    const same = [data.model, `${data.model} · ${data.server}`]; // as the composer may name it
    if (action.other_model && same.includes(shown().model)) { // it would say the same: choose first
      document.getElementById("mode-picker-trigger-model")?.click();
      return;
    }
    setAsked(index);
    try {
      await callAction({ name: action.name, payload: { turn_id: turnId, picked: shown(), ...action.payload } });
    } finally {
      setAsked(null);
    }
  };

  return (
    <section data-testid="error" className="k-error" lang={lang} aria-label={`${text.error}: ${title}`}>
      <p className="k-title">{title}</p>
      {advice && <p>{advice}</p>}
      {link && <p><a href={link} target="_blank" rel="noopener noreferrer">{link}</a></p>}
      {command && <Command text={text} command={command} />}
      {(offered.length > 0 || data.servers) && (
        <div className="k-actions">
          {offered.map((action, index) => (
            <button key={`${action.name}-${index}`} type="button" disabled={loading || asked !== null}
              className={`k-button ${index === 0 ? "k-primary" : ""}`} onClick={() => ask(action, index)}>
              {action.icon && (
                <RotateCw aria-hidden="true" className={asked === index ? "animate-spin" : ""} />
              )}
              {action.label}
            </button>
          ))}
          {data.servers && (
            <button type="button" className="k-button" onClick={() => tell({ event: "servers", server: data.server ?? "" })}>
              {text.servers}
            </button>
          )}
        </div>
      )}
    </section>
  );
}

const Kept = keep("ErrorCard", ErrorCard);
export default <Kept data={props} callAction={callAction} />;
