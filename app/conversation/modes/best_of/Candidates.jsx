import { useState } from "react";
import { Award, Check, CircleX } from "lucide-react";
import { useChatData } from "@chainlit/react-client";

const { decimal, keep, known, plural, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: (count) => `Лучший из ${count} ${plural("ru", count, ["варианта", "вариантов", "вариантов"])}`,
    candidate: (number) => `Вариант ${number}`,
    chosen: "выбран",
    promote: "Выбрать этот",
    score: "оценка",
    by: {
      medoid: "больше всего общего с остальными",
      heuristic: "по длине, словам вопроса и строению",
      judge: "так рассудила модель-судья",
      undecided: "судья не отдал предпочтения; по сходству с остальными",
      person: "выбрали вы",
    },
    onlyOne: "остальные отклонены",
    noneClean: "проверку не прошёл ни один, этот наименее плохой",
    vetoes: {
      empty: "пустой", cut: "оборван", language: "не на том языке", forbidden: "запрещённые слова",
      structure: "сломана разметка", failed: "ошибка",
    },
    parts: { length: "длина", keywords: "слова вопроса", structure: "строение", clean: "без запрещённых слов" },
  },
  uk: {
    title: (count) => `Найкращий з ${count} ${plural("uk", count, ["варіанта", "варіантів", "варіантів"])}`,
    candidate: (number) => `Варіант ${number}`,
    chosen: "вибрано",
    promote: "Вибрати цей",
    score: "оцінка",
    by: {
      medoid: "найбільше спільного з рештою",
      heuristic: "за довжиною, словами запитання та будовою",
      judge: "так розсудила модель-суддя",
      undecided: "суддя не віддав переваги; за схожістю з рештою",
      person: "вибрали ви",
    },
    onlyOne: "решту відхилено",
    noneClean: "перевірку не пройшов жоден, цей найменш поганий",
    vetoes: {
      empty: "порожній", cut: "обірваний", language: "не тією мовою", forbidden: "заборонені слова",
      structure: "зламана розмітка", failed: "помилка",
    },
    parts: { length: "довжина", keywords: "слова запитання", structure: "будова", clean: "без заборонених слів" },
  },
  en: {
    title: (count) => `The best of ${count} ${plural("en", count, ["candidate", "candidates"])}`,
    candidate: (number) => `Candidate ${number}`,
    chosen: "chosen",
    promote: "Choose this one",
    score: "score",
    by: {
      medoid: "has the most in common with the others",
      heuristic: "by length, the question's words and structure",
      judge: "chosen by the judge model",
      undecided: "the judge preferred none; by likeness to the others",
      person: "chosen by you",
    },
    onlyOne: "the others were ruled out",
    noneClean: "none passed the checks; this one is the least bad",
    vetoes: {
      empty: "empty", cut: "cut off", language: "in another language", forbidden: "forbidden words",
      structure: "broken structure", failed: "failed",
    },
    parts: { length: "length", keywords: "the question's words", structure: "structure", clean: "no forbidden words" },
  },
};

function Candidate({ text, candidate, chosen, busy, promote }) {
  const title = text.candidate(candidate.number);
  const vetoes = candidate.vetoes ?? [];
  const speechless = vetoes.includes("empty") || vetoes.includes("failed");
  const parts = Object.entries(candidate.parts ?? {})
    .map(([name, value]) => `${text.parts[name] ?? name} ${decimal(value, 2)}`);
  return (
    <li className={`k-candidate ${chosen ? "k-chosen" : ""}`}>
      <div className="k-model-text">
        <span>
          <span className="k-strong">{title}</span>
          {chosen && <span className="k-badge k-good"><Check aria-hidden="true" />{text.chosen}</span>}
          {vetoes.map((veto) => (
            <span key={veto} className="k-badge k-bad"><CircleX aria-hidden="true" />{text.vetoes[veto] ?? veto}</span>
          ))}
        </span>
        {parts.length > 0 && <span className="k-small k-muted">{parts.join(" • ")}</span>}
      </div>
      <span className="k-actions">
        {known(candidate.score) && !vetoes.length && (
          <span className="k-score" title={text.score}>
            <span className="sr-only">{text.score} </span>{decimal(candidate.score, 2)}
          </span>
        )}
        {!chosen && !speechless && (
          <button type="button" className="k-button" disabled={busy} onClick={promote}
            aria-label={`${text.promote}: ${title}`}>
            <Award aria-hidden="true" />{text.promote}
          </button>
        )}
      </span>
    </li>
  );
}

/** Why this one: by the way of choosing, unless the vetoes left no choice. */
function why(text, by, candidates, chosen) {
  const clean = candidates.filter((one) => !one.vetoes?.length);
  if (by === "person" || (clean.length > 1 && candidates.length > 1)) return text.by[by] ?? by;
  if (!clean.length) return text.noneClean;
  return clean[0].step_id === chosen && candidates.length > 1 ? text.onlyOne : text.by[by] ?? by;
}

function Candidates({ data, callAction }) {
  const { lang, turn_id: turnId, candidates = [], chosen, by, reason } = data;
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
        <span className="k-muted">{why(text, by, candidates, chosen)}</span>
      </div>
      {reason && <p className="k-muted">{reason}</p>}
      <ol className="k-candidates">
        {candidates.map((candidate) => (
          <Candidate key={candidate.step_id} text={text} candidate={candidate} busy={loading || asked}
            chosen={candidate.step_id === chosen} promote={() => promote(candidate)} />
        ))}
      </ol>
    </section>
  );
}

const Kept = keep("Candidates", Candidates);
export default <Kept data={props} callAction={callAction} />;
