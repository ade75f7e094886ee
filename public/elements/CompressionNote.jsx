import { useId, useState } from "react";
import { ChevronDown, FoldVertical, Pin, PinOff } from "lucide-react";

const { keep, known, number, percent, words } = window.Konsilium;

const TEXTS = {
  ru: {
    line: (from, to) => `Сообщения ${from}–${to} сжаты`,
    tokens: (before, after) => `${before} → ${after} токенов`,
    details: "Показать, что видит модель",
    hint: "Модель видит это вместо самих сообщений. Вы по-прежнему видите все.",
    pinned: "Закреплено",
    pin: "Закрепить",
    unpin: "Открепить",
    pinHint: "Факт, который модель не должна забыть",
  },
  uk: {
    line: (from, to) => `Повідомлення ${from}–${to} стиснуто`,
    tokens: (before, after) => `${before} → ${after} токенів`,
    details: "Показати, що бачить модель",
    hint: "Модель бачить це замість самих повідомлень. Ви й далі бачите всі.",
    pinned: "Закріплено",
    pin: "Закріпити",
    unpin: "Відкріпити",
    pinHint: "Факт, який модель не має забути",
  },
  en: {
    line: (from, to) => `Messages ${from}-${to} are compressed`,
    tokens: (before, after) => `${before} → ${after} tokens`,
    details: "Show what the model sees",
    hint: "The model sees this instead of the messages. You still see them all.",
    pinned: "Pinned",
    pin: "Pin",
    unpin: "Unpin",
    pinHint: "A fact the model must not forget",
  },
};

function PinForm({ text, callAction, stepId }) {
  const [fact, setFact] = useState("");
  const submit = async (event) => {
    event.preventDefault();
    await callAction({ name: "pin", payload: { text: fact.trim(), step_id: stepId } });
    setFact("");
  };
  return (
    <form className="k-inline" onSubmit={submit}>
      <input className="k-field" type="text" value={fact} placeholder={text.pinHint} aria-label={text.pinHint}
        onChange={(event) => setFact(event.target.value)} />
      <button type="submit" className="k-button" disabled={!fact.trim()}><Pin aria-hidden="true" />{text.pin}</button>
    </form>
  );
}

function CompressionNote({ data, callAction }) {
  const { lang, from, to, before, after, text: notes, can_pin: canPin = false } = data;
  const pinned = Array.isArray(data.pinned) ? data.pinned : [];
  const text = words(lang, TEXTS);
  const [open, setOpen] = useState(false);
  const panel = useId();
  const toggle = () => {
    if (!open && canPin) callAction({ name: "pins", payload: { step_id: data.step_id } }); // as they are now
    setOpen(!open);
  };
  const saved = known(before) && known(after) && before > 0 ? ` (−${percent(1 - after / before)})` : "";
  return (
    <section data-testid="compression" className="k-note" lang={lang}>
      <button type="button" className="k-summary" aria-expanded={open} aria-controls={panel}
        title={text.details} onClick={toggle}>
        <FoldVertical aria-hidden="true" />
        <span>
          {text.line(number(lang, from), number(lang, to))}
          {known(before) && known(after) && `: ${text.tokens(number(lang, before), number(lang, after))}${saved}`}
        </span>
        <ChevronDown aria-hidden="true" className={open ? "k-turned" : ""} />
      </button>
      {open && (
        <div id={panel} className="k-panel">
          <p className="k-muted k-small">{text.hint}</p>
          {pinned.length > 0 && (
            <ul className="k-pins" aria-label={text.pinned}>
              {pinned.map((fact) => (
                <li key={fact.id}>
                  <Pin aria-hidden="true" /><span>{fact.text}</span>
                  {canPin && (
                    <button type="button" className="k-button k-plain" title={text.unpin}
                      aria-label={`${text.unpin}: ${fact.text}`}
                      onClick={() => callAction({ name: "unpin", payload: { id: fact.id, step_id: data.step_id } })}>
                      <PinOff aria-hidden="true" />
                    </button>
                  )}
                </li>
              ))}
            </ul>
          )}
          <div className="k-notes">{notes ?? "…"}</div>
          {canPin && <PinForm text={text} callAction={callAction} stepId={data.step_id} />}
        </div>
      )}
    </section>
  );
}

const Kept = keep("CompressionNote", CompressionNote);
export default <Kept data={props} callAction={callAction} />;
