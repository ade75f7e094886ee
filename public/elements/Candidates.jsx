import { useState } from "react";
import { Award, Check, CircleX } from "lucide-react";
import { useChatData } from "@chainlit/react-client";

const { decimal, keep, known, plural, seconds, short, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: (count) => `Лучший из ${count} ${plural("ru", count, ["варианта", "вариантов", "вариантов"])}`,
    candidate: (number) => `Вариант ${number}`,
    chosen: "выбран",
    promote: "Выбрать этот",
    score: "оценка",
    temperature: "температура",
    tokens: "токенов",
    by: "Отбор",
    byPerson: "Выбрали вы",
    selectors: { medoid: "самый типичный из всех", heuristic: "по признакам", judge: "модель-судья" },
    vetoes: {
      empty: "пустой", cut_off: "обрезан", language: "не тот язык", forbidden: "запретные слова",
      structure: "нарушена структура", failed: "ошибка", stopped: "остановлен",
    },
    parts: {
      similarity: "близость к остальным", length: "длина", keywords: "слова вопроса",
      structure: "структура", forbidden: "запретные слова", judge: "оценка судьи",
    },
  },
  uk: {
    title: (count) => `Найкраща з ${count} ${plural("uk", count, ["варіанта", "варіантів", "варіантів"])}`,
    candidate: (number) => `Варіант ${number}`,
    chosen: "вибрано",
    promote: "Вибрати цей",
    score: "оцінка",
    temperature: "температура",
    tokens: "токенів",
    by: "Відбір",
    byPerson: "Вибрали ви",
    selectors: { medoid: "найтиповіший з усіх", heuristic: "за ознаками", judge: "модель-суддя" },
    vetoes: {
      empty: "порожній", cut_off: "обрізаний", language: "не та мова", forbidden: "заборонені слова",
      structure: "порушено структуру", failed: "помилка", stopped: "зупинено",
    },
    parts: {
      similarity: "близькість до решти", length: "довжина", keywords: "слова запитання",
      structure: "структура", forbidden: "заборонені слова", judge: "оцінка судді",
    },
  },
  en: {
    title: (count) => `The best of ${count} ${plural("en", count, ["candidate", "candidates"])}`,
    candidate: (number) => `Candidate ${number}`,
    chosen: "chosen",
    promote: "Choose this one",
    score: "score",
    temperature: "temperature",
    tokens: "tokens",
    by: "Selected by",
    byPerson: "Chosen by you",
    selectors: { medoid: "the most typical of all", heuristic: "features", judge: "a judging model" },
    vetoes: {
      empty: "empty", cut_off: "cut off", language: "wrong language", forbidden: "forbidden words",
      structure: "broken structure", failed: "failed", stopped: "stopped",
    },
    parts: {
      similarity: "closeness to the others", length: "length", keywords: "words of the question",
      structure: "structure", forbidden: "forbidden words", judge: "the judge's score",
    },
  },
};

function Parts({ text, scores }) {
  const parts = Object.entries(scores ?? {});
  if (parts.length === 0) return null;
  return (
    <span className="k-small k-muted">
      {parts.map(([name, value]) => `${text.parts[name] ?? name} ${decimal(value, 2)}`).join(" • ")}
    </span>
  );
}

function Candidate({ lang, text, candidate, number, chosen, busy, promote }) {
  const vetoes = (candidate.vetoes ?? []).map((veto) => text.vetoes[veto] ?? veto);
  const about = [
    known(candidate.temperature) && `${text.temperature} ${decimal(candidate.temperature)}`,
    known(candidate.seconds) && seconds(lang, candidate.seconds),
    known(candidate.tokens) && `${short(candidate.tokens)} ${text.tokens}`,
  ].filter(Boolean).join(" • ");
  return (
    <li className={`k-candidate ${chosen ? "k-chosen" : ""}`}>
      <div className="k-model-text">
        <span>
          <span className="k-strong">{candidate.name || text.candidate(number)}</span>
          {chosen && <span className="k-badge k-good"><Check aria-hidden="true" />{text.chosen}</span>}
          {vetoes.map((veto) => (
            <span key={veto} className="k-badge k-bad"><CircleX aria-hidden="true" />{veto}</span>
          ))}
        </span>
        {about && <span className="k-small k-muted">{about}</span>}
        <Parts text={text} scores={candidate.scores} />
        {candidate.reason && <span className="k-small">{candidate.reason}</span>}
      </div>
      <span className="k-actions">
        {known(candidate.score) && (
          <span className="k-score" title={text.score}>
            <span className="sr-only">{text.score} </span>{decimal(candidate.score, 2)}
          </span>
        )}
        {!chosen && !vetoes.length && (
          <button type="button" className="k-button" disabled={busy} onClick={promote}
            aria-label={`${text.promote}: ${candidate.name || text.candidate(number)}`}>
            <Award aria-hidden="true" />{text.promote}
          </button>
        )}
      </span>
    </li>
  );
}

function Candidates({ data, callAction }) {
  const { lang, turn_id: turnId, candidates = [], chosen, selector, by_person: byPerson } = data;
  const text = words(lang, TEXTS);
  const { loading } = useChatData();
  const [asked, setAsked] = useState(false);
  const promote = async (candidate) => {
    setAsked(true);
    try {
      await callAction({ name: "promote", payload: { turn_id: turnId, step_id: candidate.step_id } });
    } finally {
      setAsked(false);
    }
  };
  return (
    <section data-testid="candidates" className="k-panel" lang={lang} aria-label={text.title(candidates.length)}>
      <div className="k-row-between">
        <span className="k-strong">{text.title(candidates.length)}</span>
        <span className="k-muted">
          {byPerson ? text.byPerson : selector && `${text.by}: ${text.selectors[selector] ?? selector}`}
        </span>
      </div>
      <ol className="k-candidates">
        {candidates.map((candidate, index) => (
          <Candidate key={candidate.step_id ?? index} lang={lang} text={text} candidate={candidate}
            number={index + 1} chosen={candidate.step_id === chosen} busy={loading || asked}
            promote={() => promote(candidate)} />
        ))}
      </ol>
    </section>
  );
}

const Kept = keep("Candidates", Candidates);
export default <Kept data={props} callAction={callAction} />;
