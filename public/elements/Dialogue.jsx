import { useState } from "react";
import { MessageCirclePlus, Pause, Play, StepForward } from "lucide-react";
import { useChatMessages } from "@chainlit/react-client";

const { keep, newest, plural, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: "Управление диалогом",
    pause: "Пауза",
    resume: "Продолжить",
    paused: "Диалог на паузе",
    say: "Вставить слово",
    sayHint: "Ваша реплика; участники ответят на неё",
    more: (count) => `Ещё ${count} ${plural("ru", count, ["реплика", "реплики", "реплик"])}`,
    goOn: "Сколько реплик добавить",
  },
  uk: {
    title: "Керування діалогом",
    pause: "Пауза",
    resume: "Продовжити",
    paused: "Діалог на паузі",
    say: "Вставити слово",
    sayHint: "Ваша репліка; учасники відповідять на неї",
    more: (count) => `Ще ${count} ${plural("uk", count, ["репліка", "репліки", "реплік"])}`,
    goOn: "Скільки реплік додати",
  },
  en: {
    title: "Steering the dialogue",
    pause: "Pause",
    resume: "Go on",
    paused: "The dialogue is paused",
    say: "Put in a word",
    sayHint: "Your line; the participants will answer it",
    more: (count) => `${count} more ${plural("en", count, ["line", "lines"])}`,
    goOn: "How many lines to add",
  },
};

const CHOICES = [2, 4, 6, 10, 20];

function Running({ text, paused, act }) {
  const [line, setLine] = useState("");
  const say = async (event) => {
    event.preventDefault();
    await act("dialogue_say", { text: line.trim() });
    setLine("");
  };
  return (
    <form className="k-inline" onSubmit={say}>
      <input className="k-field" type="text" value={line} placeholder={text.sayHint} aria-label={text.sayHint}
        onChange={(event) => setLine(event.target.value)} />
      <button type="submit" className="k-button" disabled={!line.trim()}>
        <MessageCirclePlus aria-hidden="true" />{text.say}
      </button>
      <button type="button" className={`k-button ${paused ? "k-primary" : ""}`}
        onClick={() => act(paused ? "dialogue_resume" : "dialogue_pause")}>
        {paused ? <Play aria-hidden="true" /> : <Pause aria-hidden="true" />}
        {paused ? text.resume : text.pause}
      </button>
    </form>
  );
}

function Ended({ text, act }) {
  const [turns, setTurns] = useState(4);
  return (
    <span className="k-inline">
      <select className="k-field" value={turns} aria-label={text.goOn}
        onChange={(event) => setTurns(Number(event.target.value))}>
        {CHOICES.map((count) => <option key={count} value={count}>{text.more(count)}</option>)}
      </select>
      <button type="button" className="k-button" onClick={() => act("dialogue_continue", { turns })}>
        <StepForward aria-hidden="true" />{text.resume}
      </button>
    </span>
  );
}

function Dialogue({ data, callAction }) {
  const { lang, state = "ended", turn_id: turnId } = data;
  const text = words(lang, TEXTS);
  const { messages } = useChatMessages();
  if (!newest(messages, turnId)) return null;
  const act = (name, payload) => callAction({ name, payload: { turn_id: turnId, ...payload } });
  return (
    <section data-testid="dialogue" className={`k-note ${state === "ended" ? "" : "k-floating"}`} lang={lang} aria-label={text.title}>
      {state === "paused" && <p className="k-muted" role="status">{text.paused}</p>}
      {state === "ended" ? <Ended text={text} act={act} /> : <Running text={text} paused={state === "paused"} act={act} />}
    </section>
  );
}

const Kept = keep("Dialogue", Dialogue);
export default <Kept data={props} callAction={callAction} />;
