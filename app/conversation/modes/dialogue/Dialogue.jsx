import { useLayoutEffect, useRef, useState } from "react";
import { MessageCirclePlus, Pause, Play, StepForward } from "lucide-react";
import { useChatMessages } from "@chainlit/react-client";

const { keep, newest, plural, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: "Управление диалогом",
    pause: "Пауза",
    resume: "Продолжить",
    paused: "Диалог на паузе: начатая реплика закончится, следующая подождёт",
    waiting: "Прозвучит следующим:",
    say: "Вставить слово",
    sayHint: "Ваша реплика; участники ответят на неё",
    more: (count) => `Ещё ${count} ${plural("ru", count, ["реплика", "реплики", "реплик"])}`,
    goOn: "Сколько реплик добавить",
  },
  uk: {
    title: "Керування діалогом",
    pause: "Пауза",
    resume: "Продовжити",
    paused: "Діалог на паузі: розпочата репліка закінчиться, наступна зачекає",
    waiting: "Прозвучить наступним:",
    say: "Вставити слово",
    sayHint: "Ваша репліка; учасники відповідять на неї",
    more: (count) => `Ще ${count} ${plural("uk", count, ["репліка", "репліки", "реплік"])}`,
    goOn: "Скільки реплік додати",
  },
  en: {
    title: "Steering the dialogue",
    pause: "Pause",
    resume: "Go on",
    paused: "The dialogue is paused: the present line ends, the next one waits",
    waiting: "Will be said next:",
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
    <form className="k-inline k-steering" onSubmit={say}>
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

/** Keeps the element right above the composer, however tall that is just now. */
function useAboveComposer(floating) {
  const here = useRef(null);
  useLayoutEffect(() => {
    const composer = document.getElementById("message-composer");
    if (!floating || !composer) return undefined;
    const place = () => {
      const bottom = window.innerHeight - composer.getBoundingClientRect().top + 8;
      here.current?.style.setProperty("bottom", `${bottom}px`);
    };
    const watch = new ResizeObserver(place);
    watch.observe(composer);
    window.addEventListener("resize", place);
    place();
    return () => {
      watch.disconnect();
      window.removeEventListener("resize", place);
    };
  }, [floating]);
  return here;
}

function Dialogue({ data, callAction }) {
  const { lang, state = "ended", turn_id: turnId, waiting = [] } = data;
  const text = words(lang, TEXTS);
  const { messages } = useChatMessages();
  const here = useAboveComposer(state !== "ended");
  if (!newest(messages, turnId)) return null;
  const act = (name, payload) => callAction({ name, payload: { turn_id: turnId, ...payload } });
  return (
    <section data-testid="dialogue" ref={here} className={`k-note ${state === "ended" ? "" : "k-floating"}`} lang={lang} aria-label={text.title}>
      {state === "paused" && <p className="k-muted k-small" role="status">{text.paused}</p>}
      {waiting.map((said, index) => (
        <p key={index} className="k-small k-break"><span className="k-muted">{text.waiting}</span> {said}</p>
      ))}
      {state === "ended" ? <Ended text={text} act={act} /> : <Running text={text} paused={state === "paused"} act={act} />}
    </section>
  );
}

const Kept = keep("Dialogue", Dialogue);
export default <Kept data={props} callAction={callAction} />;
