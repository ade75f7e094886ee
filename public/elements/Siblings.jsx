import { useEffect, useRef, useState } from "react";
import { ChevronLeft, ChevronRight, Columns2, Gauge, Text, Timer, X } from "lucide-react";

const { keep, known, money, number, root, seconds, short, speed, words } = window.Konsilium;

const TEXTS = {
  ru: {
    answer: (at, all) => `Ответ ${at} из ${all}`,
    question: (at, all) => `Вопрос ${at} из ${all}`,
    previous: "Предыдущий вариант",
    next: "Следующий вариант",
    compare: "Сравнить варианты",
    answers: "Сравнение ответов",
    questions: "Сравнение вопросов и ответов на них",
    version: (at) => `Вариант ${at}`,
    choose: (side) => `Вариант в колонке ${side}`,
    close: "Закрыть",
    show: "Показать в разговоре",
    here: "Показан в разговоре",
    same: "Слова в обоих вариантах одни и те же.",
    legend: "Отмечены слова, которых нет в другом варианте.",
    empty: "Ответа нет.",
    failed: "Варианты не удалось прочитать.",
    loading: "Читаем варианты…",
  },
  uk: {
    answer: (at, all) => `Відповідь ${at} з ${all}`,
    question: (at, all) => `Запитання ${at} з ${all}`,
    previous: "Попередній варіант",
    next: "Наступний варіант",
    compare: "Порівняти варіанти",
    answers: "Порівняння відповідей",
    questions: "Порівняння запитань і відповідей на них",
    version: (at) => `Варіант ${at}`,
    choose: (side) => `Варіант у колонці ${side}`,
    close: "Закрити",
    show: "Показати в розмові",
    here: "Показано в розмові",
    same: "Слова в обох варіантах однакові.",
    legend: "Позначено слова, яких немає в іншому варіанті.",
    empty: "Відповіді немає.",
    failed: "Варіанти не вдалося прочитати.",
    loading: "Читаємо варіанти…",
  },
  en: {
    answer: (at, all) => `Answer ${at} of ${all}`,
    question: (at, all) => `Question ${at} of ${all}`,
    previous: "Previous version",
    next: "Next version",
    compare: "Compare versions",
    answers: "Answers compared",
    questions: "Questions and their answers compared",
    version: (at) => `Version ${at}`,
    choose: (side) => `Version in column ${side}`,
    close: "Close",
    show: "Show in the conversation",
    here: "Shown in the conversation",
    same: "Both versions have the same words.",
    legend: "Marked are the words that the other version does not have.",
    empty: "There is no answer.",
    failed: "The versions could not be read.",
    loading: "Reading the versions…",
  },
};

/* The version that was asked for by a button, which gets the focus. */
const page = keep("Siblings.page", { wanted: null });

// ---- the words that differ -----------------------------------------------------------------------

const MAX_CELLS = 16_000_000; // of a table: two texts of 4,000 words, 50 ms

/** A text in words and marks, each with the space that follows it; whole lines of a very long one. */
const pieces = (text, segmenter) => {
  const parts = [];
  for (const segment of segmenter ? segmenter.segment(text) : text.match(/.*\n?/g) ?? []) {
    const part = segment.segment ?? segment;
    if (!part) continue;
    if (parts.length && !part.trim()) parts[parts.length - 1] += part;
    else parts.push(part);
  }
  return parts;
};

/** Which pieces of two lists belong to their longest common subsequence: two arrays of true and false. */
const common = (left, right) => {
  const [a, b] = [left, right].map((parts) => parts.map((part) => part.trim()));
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end += 1;
  const [rows, columns] = [a.length - start - end, b.length - start - end];
  if (rows * columns > MAX_CELLS) return null;
  const width = columns + 1;
  const length = new Uint16Array((rows + 1) * width); // of the longest from here on
  for (let row = rows - 1; row >= 0; row -= 1)
    for (let column = columns - 1; column >= 0; column -= 1)
      length[row * width + column] =
        a[start + row] === b[start + column]
          ? length[(row + 1) * width + column + 1] + 1
          : Math.max(length[(row + 1) * width + column], length[row * width + column + 1]);
  const both = (list) => list.map((_, at) => at < start || at >= list.length - end);
  const [inLeft, inRight] = [both(a), both(b)];
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (a[start + row] === b[start + column]) {
      inLeft[start + row] = inRight[start + column] = true;
      row += 1;
      column += 1;
    } else if (length[(row + 1) * width + column] >= length[row * width + column + 1]) row += 1;
    else column += 1;
  }
  return [inLeft, inRight];
};

/** Both texts as runs of [text, whether the other lacks it]. */
const compared = (lang, left, right) => {
  const segmenter = new Intl.Segmenter(lang, { granularity: "word" });
  for (const by of [segmenter, null]) {
    const texts = [pieces(left, by), pieces(right, by)];
    const same = common(...texts);
    if (same)
      return texts.map((parts, side) => {
        const runs = [];
        parts.forEach((part, at) => {
          const own = !same[side][at];
          if (runs.length && runs.at(-1)[1] === own) runs.at(-1)[0] += part;
          else runs.push([part, own]);
        });
        return runs;
      });
  }
  return [[[left, true]], [[right, true]]];
};

function Said({ runs, empty }) {
  if (!runs.length) return <p className="k-muted">{empty}</p>;
  const marked = (part) => <><mark>{part.trimEnd()}</mark>{part.slice(part.trimEnd().length)}</>;
  return (
    <div className="k-said">
      {runs.map(([part, own], at) => <span key={at}>{own ? marked(part) : part}</span>)}
    </div>
  );
}

function Numbers({ lang, version }) {
  const entry = version.entry ?? {};
  const whole = { ...entry, ...entry.total, seconds: entry.total?.seconds ?? entry.seconds };
  const sign = whole.estimated ? "≈" : "";
  const tokens = () => `${sign}${short(whole.input_tokens)}\u2009→\u2009${sign}${short(whole.output_tokens)}`;
  const facts = [
    [null, "", entry.model ?? version.by],
    [Timer, "⏱", known(whole.seconds) && seconds(lang, whole.seconds)],
    [Text, "🔢", known(whole.output_tokens) && tokens()],
    [Gauge, "📊", known(entry.tokens_per_second) && `${sign}${speed(lang, entry.tokens_per_second)}`],
    [null, "", known(whole.cost_rub) && money(lang, whole.cost_rub)],
  ].filter(([, , said]) => said);
  return (
    <p className="k-muted k-small k-figures" data-testid="version-numbers">
      {facts.map(([Icon, mark, said], at) => (
        <span key={at} className="k-figure">
          {at > 0 && "• "}{Icon && <Icon aria-hidden="true" />}{Icon && <span className="k-unseen">{mark} </span>}{said}
        </span>
      ))}
    </p>
  );
}

/** Two of the versions side by side, with their numbers and the words that differ. */
function Comparison({ lang, text, thread, node, ids, answer, show, close }) {
  const dialog = useRef(null);
  const at = ids.indexOf(node);
  const [sides, setSides] = useState(at > 0 ? [at - 1, at] : [0, 1]);
  const [versions, setVersions] = useState(null);
  useEffect(() => dialog.current.showModal(), []);
  useEffect(() => {
    const left = new AbortController();
    fetch(`${root}project/thread/${thread}/versions/${node}`, { signal: left.signal })
      .then((response) => (response.ok ? response.json() : Promise.reject(response.status)))
      .then((found) => setVersions(found.versions), () => left.signal.aborted || setVersions([]));
    return () => left.abort();
  }, [node]);

  const two = versions?.length > 1 ? sides.map((side) => versions[Math.min(side, versions.length - 1)]) : null;
  const texts = two && ["question", "answer"].map((part) => compared(lang, two[0][part] ?? "", two[1][part] ?? ""));
  const same = texts?.every((pair) => pair.every((runs) => runs.every(([, own]) => !own)));
  const title = answer ? text.answers : text.questions;
  return (
    <dialog ref={dialog} className="k-compare" aria-label={title} data-testid="comparison" lang={lang} onClose={close}
      onClick={(event) => event.target === dialog.current && dialog.current.close()}>
      <header className="k-row-between">
        <strong>{title}</strong>
        <button type="button" className="k-button k-plain" aria-label={text.close} title={text.close}
          onClick={() => dialog.current.close()}>
          <X aria-hidden="true" />
        </button>
      </header>
      {!two && <p role="status" className="k-muted">{versions ? text.failed : text.loading}</p>}
      {two && <p className="k-muted k-small">{same ? text.same : text.legend}</p>}
      {two && (
        <div className="k-compared">
          {two.map((version, side) => (
            <section key={side} aria-label={text.version(versions.indexOf(version) + 1)}>
              <div className="k-row-between">
                <select className="k-field" aria-label={text.choose(side + 1)} value={versions.indexOf(version)}
                  onChange={(event) => setSides(sides.map((one, of) => (of === side ? Number(event.target.value) : one)))}>
                  {versions.map((one, index) => (
                    <option key={one.id} value={index}>{text.version(index + 1)}</option>
                  ))}
                </select>
                {version.id === node
                  ? <span className="k-muted k-small">{text.here}</span>
                  : <button type="button" className="k-button" onClick={() => show(version.id)}>{text.show}</button>}
              </div>
              <Numbers lang={lang} version={version} />
              {version.question !== null && <blockquote><Said runs={texts[0][side]} empty="" /></blockquote>}
              <Said runs={texts[1][side]} empty={text.empty} />
            </section>
          ))}
        </div>
      )}
    </dialog>
  );
}

// ---- the arrows ----------------------------------------------------------------------------------

function Siblings({ data, callAction }) {
  const { lang, thread, node, ids = [], answer } = data;
  const text = words(lang, TEXTS);
  const [asked, setAsked] = useState(false);
  const [comparing, setComparing] = useState(false);
  const buttons = [useRef(null), useRef(null)];
  const at = ids.indexOf(node);

  useEffect(() => {
    setAsked(false);
    setComparing(false);
    if (page.wanted?.node !== node) return;
    const [previous, next] = buttons.map((button) => button.current);
    const first = page.wanted.step < 0 ? previous : next;
    (first.disabled ? (first === next ? previous : next) : first).focus();
    page.wanted = null;
  }, [node]);

  const open = (wanted) => {
    if (!wanted || asked) return;
    page.wanted = { node: wanted, step: ids.indexOf(wanted) - at };
    setAsked(true);
    const answered = Promise.resolve(callAction({ name: "branch", payload: { step_id: wanted } }));
    answered.catch(() => {}).finally(() => setAsked(false)); // what went wrong, the server has told
  };
  const turn = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    open(ids[at + step]);
  };
  const label = (answer ? text.answer : text.question)(at + 1, ids.length);
  const arrow = (step, name, Icon) => (
    <button ref={buttons[step < 0 ? 0 : 1]} type="button" className="k-button k-plain" aria-label={name} title={name}
      disabled={!ids[at + step]} onClick={() => open(ids[at + step])}>
      <Icon aria-hidden="true" />
    </button>
  );
  return (
    <>
      <div role="group" aria-label={label} data-testid="siblings" className="k-siblings" lang={lang} onKeyDown={turn}>
        {arrow(-1, text.previous, ChevronLeft)}
        <span aria-hidden="true" title={label}>{at + 1}/{ids.length}</span>
        {arrow(1, text.next, ChevronRight)}
        <button type="button" className="k-button k-plain" aria-label={text.compare} title={text.compare}
          aria-haspopup="dialog" onClick={() => setComparing(true)}>
          <Columns2 aria-hidden="true" />
        </button>
      </div>
      {comparing && (
        <Comparison lang={lang} text={text} thread={thread} node={node} ids={ids} answer={answer}
          close={() => setComparing(false)} show={(wanted) => { setComparing(false); open(wanted); }} />
      )}
    </>
  );
}

const Kept = keep("Siblings", Siblings);
export default <Kept data={props} callAction={callAction} />;
