import { useState } from "react";
import { Ban, Check, CircleX, Hourglass, Loader2, ShieldQuestion } from "lucide-react";

const { keep, known, number, seconds, words } = window.Konsilium;

const TEXTS = {
  ru: {
    asks: (tool) => `Модель хочет вызвать ${tool}. Разрешить?`,
    once: "Один раз", always: "Всегда здесь", no: "Нет",
    arguments: "Аргументы", result: "Результат", running: "Выполняется",
    done: (time) => `Готово за ${time}`, finished: "Готово", failed: "Не получилось", refused: "Не запускался",
    stopped: "Остановлен", cut: (count) => `результат сокращён, всего около ${count} токенов`,
  },
  uk: {
    asks: (tool) => `Модель хоче викликати ${tool}. Дозволити?`,
    once: "Один раз", always: "Завжди тут", no: "Ні",
    arguments: "Аргументи", result: "Результат", running: "Виконується",
    done: (time) => `Готово за ${time}`, finished: "Готово", failed: "Не вдалося", refused: "Не запускався",
    stopped: "Зупинено", cut: (count) => `результат скорочено, усього близько ${count} токенів`,
  },
  en: {
    asks: (tool) => `The model wants to call ${tool}. Allow it?`,
    once: "Run once", always: "Always here", no: "No",
    arguments: "Arguments", result: "Result", running: "Running",
    done: (time) => `Done in ${time}`, finished: "Done", failed: "Failed", refused: "Not run",
    stopped: "Stopped", cut: (count) => `the result is cut, about ${count} tokens in all`,
  },
};

function state({ outcome, asking, refused, progress, seconds: took, lang }, text) {
  if (refused) return [Ban, text.refused];
  if (outcome === "running") {
    if (asking) return [Hourglass, ""];
    return [Loader2, progress ? `${text.running}: ${progress}` : text.running];
  }
  if (outcome === "failed") return [CircleX, text.failed];
  if (outcome !== "completed") return [Ban, text.stopped];
  return [Check, known(took) ? text.done(seconds(lang, Math.max(0.01, took))) : text.finished];
}

function ToolCall({ data, callAction }) {
  const { lang, id, input, output, outcome, asking, cut_from: whole, step_id: stepId } = data;
  const text = words(lang, TEXTS);
  const [busy, setBusy] = useState(false);
  const asks = asking && outcome === "running";
  const permit = async (permission) => {
    setBusy(true);
    try {
      await callAction({ name: "tool_permit", payload: { step_id: stepId, permission } });
    } finally {
      setBusy(false);
    }
  };
  const [Icon, said] = state(data, text);
  const line = [said, known(whole) && text.cut(number(lang, whole))].filter(Boolean).join("; ");
  return (
    <section data-testid="tool" className="k-note k-tool" lang={lang}>
      {input && input !== "{}" && (
        <>
          <span className="k-tool-label">{text.arguments}</span>
          <pre className="k-tool-text" data-testid="tool-arguments" tabIndex={0}>{input}</pre>
        </>
      )}
      {asks ? (
        <div className="k-line" role="group" aria-label={text.asks(id)}>
          <span className="k-note-text"><ShieldQuestion aria-hidden="true" /><span>{text.asks(id)}</span></span>
          {["once", "always", "no"].map((permission) => (
            <button key={permission} type="button" className="k-button" disabled={busy} onClick={() => permit(permission)}>
              {text[permission]}
            </button>
          ))}
        </div>
      ) : (
        <span className="k-note-text" role="status">
          <Icon aria-hidden="true" className={outcome === "running" ? "animate-spin" : ""} /><span>{line}</span>
        </span>
      )}
      {output && !data.refused && (
        <>
          <span className="k-tool-label">{text.result}</span>
          <pre className="k-tool-text" data-testid="tool-result" tabIndex={0}>{output}</pre>
        </>
      )}
    </section>
  );
}

const Kept = keep("ToolCall", ToolCall);
export default <Kept data={props} callAction={callAction} />;
