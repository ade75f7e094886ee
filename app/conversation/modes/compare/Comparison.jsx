import { useState } from "react";
import { Check, ThumbsDown, ThumbsUp } from "lucide-react";
import { useChatData } from "@chainlit/react-client";

const { keep, voice, words } = window.Konsilium;

const TEXTS = {
  ru: {
    ask: "Чей ответ лучше?",
    better: "лучше",
    good: { 2: "Оба хороши", more: "Все хороши" },
    bad: { 2: "Оба плохи", more: "Все плохи" },
    goesOn: (letter) => `Пока вы не выбрали, разговор продолжает\u00a0${letter}.`,
    won: (name) => `Вы выбрали: ${name}`,
    said: { good: "Вы сказали: хороши все", bad: "Вы сказали: плохи все" },
    after: (name) => `Разговор продолжает ${name}; остальные ответы — под стрелками.`,
    silent: (name) => `${name}: ответа нет`,
    alone: "Сравнить не с чем: ответила одна модель.",
  },
  uk: {
    ask: "Чия відповідь краща?",
    better: "краща",
    good: { 2: "Обидві добрі", more: "Усі добрі" },
    bad: { 2: "Обидві погані", more: "Усі погані" },
    goesOn: (letter) => `Поки ви не обрали, розмову продовжує\u00a0${letter}.`,
    won: (name) => `Ви обрали: ${name}`,
    said: { good: "Ви сказали: добрі всі", bad: "Ви сказали: погані всі" },
    after: (name) => `Розмову продовжує ${name}; решта відповідей — під стрілками.`,
    silent: (name) => `${name}: відповіді немає`,
    alone: "Порівняти нема з чим: відповіла одна модель.",
  },
  en: {
    ask: "Whose answer is better?",
    better: "is better",
    good: { 2: "Both are good", more: "All are good" },
    bad: { 2: "Both are bad", more: "All are bad" },
    goesOn: (letter) => `Until you choose, the conversation goes on from\u00a0${letter}.`,
    won: (name) => `You chose ${name}`,
    said: { good: "You said: all are good", bad: "You said: all are bad" },
    after: (name) => `The conversation goes on from ${name}; the other answers are under the arrows.`,
    silent: (name) => `${name}: no answer`,
    alone: "There is nothing to compare: one model answered.",
  },
};

function Comparison({ data, callAction }) {
  const { lang, step_id: stepId, sides = [], verdict = "", winner = "" } = data;
  const text = words(lang, TEXTS);
  const { loading } = useChatData();
  const [asked, setAsked] = useState(false);
  const busy = loading || asked;
  const name = (side) => (side.name ? `${side.letter} · ${side.name}` : side.letter);
  const heard = sides.filter((side) => side.state !== "silent");
  const best = heard.find((side) => side.step_id === winner) ?? heard[0];
  const all = (words) => words[heard.length] ?? words.more;
  const vote = async (choice) => {
    setAsked(true);
    try {
      await callAction({ name: "vote", payload: { step_id: stepId, choice } });
    } finally {
      setAsked(false);
    }
  };
  const silent = sides.filter((side) => side.state === "silent").map(name).map(text.silent);
  return (
    <section data-testid="comparison" className="k-panel" lang={lang} aria-label={text.ask}>
      {verdict ? (
        <>
          <div className="k-row-between">
            <span className="k-strong">{verdict === "won" ? text.won(name(best)) : text.said[verdict]}</span>
            <Check aria-hidden="true" className="k-good" width="18" height="18" />
          </div>
          <p className="k-muted k-small">{text.after(name(best))}</p>
        </>
      ) : heard.length < 2 ? (
        <p className="k-muted">{text.alone}</p>
      ) : (
        <>
          <div className="k-strong">{text.ask}</div>
          <div className="k-votes">
            {heard.map((side) => (
              <button key={side.step_id} type="button" className="k-button" disabled={busy} title={name(side)}
                onClick={() => vote(side.step_id)}>
                <span className="k-letter" style={voice(side.letter)}>{side.letter}</span> {text.better}
              </button>
            ))}
            <button type="button" className="k-button" disabled={busy} onClick={() => vote("good")}>
              <ThumbsUp aria-hidden="true" />{all(text.good)}
            </button>
            <button type="button" className="k-button" disabled={busy} onClick={() => vote("bad")}>
              <ThumbsDown aria-hidden="true" />{all(text.bad)}
            </button>
          </div>
          <p className="k-muted k-small">{text.goesOn(heard[0].letter)}</p>
        </>
      )}
      {silent.map((line) => <p key={line} className="k-muted k-small">{line}</p>)}
    </section>
  );
}

const Kept = keep("Comparison", Comparison);
export default <Kept data={props} callAction={callAction} />;
