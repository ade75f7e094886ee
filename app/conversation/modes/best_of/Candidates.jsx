import { useState } from "react";
import { Award, Check, CircleX, Columns2 } from "lucide-react";
import { Markdown } from "@/components/markdown";
import { useChatData, useChatMessages } from "@chainlit/react-client";

const { keep, plural, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: (count) => `Лучший из ${count} ${plural("ru", count, ["варианта", "вариантов", "вариантов"])}`,
    candidate: (number) => `Вариант ${number}`,
    chosen: "выбран",
    promote: "Выбрать этот",
    beside: "Читать рядом",
    apart: "Свернуть",
    by: {
      careful: "аккуратнее написан и похож на остальные",
      medoid: "больше всего общего с остальными",
      heuristic: "по длине, словам вопроса и строению",
      judge: "так рассудила модель-судья",
      listwise: "модель-судья поставила его первым",
      undecided: "судья не отдал предпочтения; по сходству с остальными",
      person: "выбрали вы",
    },
    onlyOne: "остальные отклонены",
    noneClean: "проверку не прошёл ни один, этот наименее плохой",
    vetoes: {
      empty: "пустой", cut: "оборван", language: "не на том языке", forbidden: "запрещённые слова",
      structure: "сломана разметка", failed: "ошибка",
    },
  },
  uk: {
    title: (count) => `Найкращий з ${count} ${plural("uk", count, ["варіанта", "варіантів", "варіантів"])}`,
    candidate: (number) => `Варіант ${number}`,
    chosen: "вибрано",
    promote: "Вибрати цей",
    beside: "Читати поруч",
    apart: "Згорнути",
    by: {
      careful: "охайніше написаний і схожий на решту",
      medoid: "найбільше спільного з рештою",
      heuristic: "за довжиною, словами запитання та будовою",
      judge: "так розсудила модель-суддя",
      listwise: "модель-суддя поставила його першим",
      undecided: "суддя не віддав переваги; за схожістю з рештою",
      person: "вибрали ви",
    },
    onlyOne: "решту відхилено",
    noneClean: "перевірку не пройшов жоден, цей найменш поганий",
    vetoes: {
      empty: "порожній", cut: "обірваний", language: "не тією мовою", forbidden: "заборонені слова",
      structure: "зламана розмітка", failed: "помилка",
    },
  },
  en: {
    title: (count) => `The best of ${count} ${plural("en", count, ["candidate", "candidates"])}`,
    candidate: (number) => `Candidate ${number}`,
    chosen: "chosen",
    promote: "Choose this one",
    beside: "Read side by side",
    apart: "Fold",
    by: {
      careful: "carefully written and like the others",
      medoid: "has the most in common with the others",
      heuristic: "by length, the question's words and structure",
      judge: "chosen by the judge model",
      listwise: "ranked first by the judge model",
      undecided: "the judge preferred none; by likeness to the others",
      person: "chosen by you",
    },
    onlyOne: "the others were ruled out",
    noneClean: "none passed the checks; this one is the least bad",
    vetoes: {
      empty: "empty", cut: "cut off", language: "in another language", forbidden: "forbidden words",
      structure: "broken structure", failed: "failed",
    },
  },
};

function Candidate({ text, candidate, words: written, chosen, busy, promote }) {
  const title = text.candidate(candidate.number);
  const vetoes = candidate.vetoes ?? [];
  const speechless = vetoes.includes("empty") || vetoes.includes("failed");
  return (
    <li className={`k-candidate ${chosen ? "k-chosen" : ""}`}>
      <span className="k-model-text">
        <span>
          <span className="k-strong">{title}</span>
          {chosen && <span className="k-badge k-good"><Check aria-hidden="true" />{text.chosen}</span>}
          {vetoes.map((veto) => (
            <span key={veto} className="k-badge k-bad"><CircleX aria-hidden="true" />{text.vetoes[veto] ?? veto}</span>
          ))}
        </span>
      </span>
      {!chosen && !speechless && (
        <button type="button" className="k-button" disabled={busy} onClick={promote}
          aria-label={`${text.promote}: ${title}`}>
          <Award aria-hidden="true" />{text.promote}
        </button>
      )}
      {written && <div className="k-candidate-words" tabIndex={0} role="region" aria-label={title}><Markdown latex>{written}</Markdown></div>}
    </li>
  );
}

/** What a step of the page says, wherever in the tree it stands. */
function written(steps, id) {
  for (const step of steps ?? []) {
    const found = step.id === id ? step.output : written(step.steps, id);
    if (found !== undefined) return found;
  }
  return undefined;
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
  const { messages } = useChatMessages();
  const [asked, setAsked] = useState(false);
  const [beside, setBeside] = useState(false);
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
        <span className="k-muted k-verdict">{why(text, by, candidates, chosen)}</span>
      </div>
      {reason && <p className="k-muted">{reason}</p>}
      {candidates.length > 1 && (
        <button type="button" className="k-button k-start" aria-expanded={beside} onClick={() => setBeside(!beside)}>
          <Columns2 aria-hidden="true" />{beside ? text.apart : text.beside}
        </button>
      )}
      <ol className={`k-candidates ${beside ? "k-beside" : ""}`}>
        {candidates.map((candidate) => (
          <Candidate key={candidate.step_id} text={text} candidate={candidate} busy={loading || asked}
            words={beside && written(messages, candidate.step_id)} chosen={candidate.step_id === chosen} promote={() => promote(candidate)} />
        ))}
      </ol>
    </section>
  );
}

const Kept = keep("Candidates", Candidates);
export default <Kept data={props} callAction={callAction} />;
