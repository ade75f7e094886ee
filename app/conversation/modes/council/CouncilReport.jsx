import { useEffect, useRef, useState } from "react";
import { Award, Check, ChevronDown, ChevronUp, CircleX, Play, Undo2 } from "lucide-react";
import { useChatData, useChatMessages } from "@chainlit/react-client";

const { decimal, keep, known, plural, voice, words } = window.Konsilium;

const TEXTS = {
  ru: {
    title: (count) => `Совет: ${count} ${plural("ru", count, ["участник", "участника", "участников"])}`,
    agreed: "все согласны",
    levels: { high: "согласие оценок высокое", medium: "согласие оценок среднее", low: "согласие оценок низкое" },
    kinds: {
      consensus: "Согласны все", contradictions: "Противоречия", partial: "Говорят не все",
      unique: "Говорит один", blind_spots: "Не сказал никто",
    },
    states: { silent: "не ответил", cut: "ответил не до конца" },
    place: (place) => `место ${place}`,
    points: "очки от других участников",
    prefer: "Взять этот ответ",
    preferred: "взят вами",
    own: "Вернуть ответ совета",
    resume: "Продолжить с того, что готово",
    noQuote: "без цитаты",
    show: "показать в ответах",
    dropped: (count) => `Цитат, которых нет в ответах, отброшено: ${count}`,
    judges: (names) => `Не смогли оценить: ${names}`,
    steering: (names) => `Пытались подсказать судьям оценки; судьи этого не видели: ${names}`,
    checks: { passed: "ответ сверен", found: "проверка нашла расхождения", failed: "сверить не удалось" },
    unreported: "Отчёт составить не удалось",
    gone: "Ответ не загружен: откройте разговор заново",
  },
  uk: {
    title: (count) => `Рада: ${count} ${plural("uk", count, ["учасник", "учасники", "учасників"])}`,
    agreed: "усі згодні",
    levels: { high: "згода оцінок висока", medium: "згода оцінок середня", low: "згода оцінок низька" },
    kinds: {
      consensus: "Згодні всі", contradictions: "Суперечності", partial: "Кажуть не всі",
      unique: "Каже один", blind_spots: "Не сказав ніхто",
    },
    states: { silent: "не відповів", cut: "відповів не до кінця" },
    place: (place) => `місце ${place}`,
    points: "бали від інших учасників",
    prefer: "Взяти цю відповідь",
    preferred: "взяли ви",
    own: "Повернути відповідь ради",
    resume: "Продовжити з того, що готове",
    noQuote: "без цитати",
    show: "показати у відповідях",
    dropped: (count) => `Цитат, яких немає у відповідях, відкинуто: ${count}`,
    judges: (names) => `Не змогли оцінити: ${names}`,
    steering: (names) => `Намагалися підказати суддям оцінки; судді цього не бачили: ${names}`,
    checks: { passed: "відповідь звірено", found: "перевірка знайшла розбіжності", failed: "звірити не вдалося" },
    unreported: "Звіт скласти не вдалося",
    gone: "Відповідь не завантажено: відкрийте розмову знову",
  },
  en: {
    title: (count) => `Council: ${count} ${plural("en", count, ["member", "members"])}`,
    agreed: "all agree",
    levels: { high: "the judges agree", medium: "the judges agree in part", low: "the judges hardly agree" },
    kinds: {
      consensus: "All agree", contradictions: "Contradictions", partial: "Some say",
      unique: "Only one says", blind_spots: "Nobody said",
    },
    states: { silent: "did not answer", cut: "broke off" },
    place: (place) => `place ${place}`,
    points: "points from the other members",
    prefer: "Take this answer",
    preferred: "taken by you",
    own: "Back to the council's answer",
    resume: "Go on from what is done",
    noQuote: "no quote",
    show: "show in the answers",
    dropped: (count) => `Quotes found in no answer, dropped: ${count}`,
    judges: (names) => `Could not rank: ${names}`,
    steering: (names) => `Tried to tell the judges how to rank; the judges were not shown it: ${names}`,
    checks: { passed: "the answer is checked", found: "the check found differences", failed: "could not be checked" },
    unreported: "No report could be made",
    gone: "The answer is not loaded: open the conversation again",
  },
};

/** The words of a step, wherever it stands in the tree. */
function said(steps, id) {
  for (const step of steps ?? []) {
    if (step.id === id) return step.output;
    const found = said(step.steps, id);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The answer with what was quoted from it marked, and scrolled to the first of it. */
function Marked({ answer, quotes }) {
  const box = useRef(null);
  useEffect(() => {
    const mark = box.current?.querySelector("mark");
    if (mark) box.current.scrollTop += mark.getBoundingClientRect().top - box.current.getBoundingClientRect().top - 16;
  }, []);
  const spots = quotes
    .map((quote) => [answer.indexOf(quote), quote.length])
    .filter(([at, length]) => at >= 0 && length > 0)
    .sort((one, other) => one[0] - other[0]);
  const parts = [];
  let end = 0;
  for (const [at, length] of spots) {
    if (at < end) continue;
    parts.push(answer.slice(end, at));
    parts.push(<mark key={at}>{answer.slice(at, at + length)}</mark>);
    end = at + length;
  }
  parts.push(answer.slice(end));
  return <div ref={box} className="k-quoted">{parts}</div>;
}

/** A member, by its letter and its name. */
function Name({ member }) {
  if (!member) return null;
  return <><span className="k-letter" style={voice(member.letter)}>{member.letter}</span>{member.name}</>;
}

function Evidence({ text, members, quotes }) {
  const { messages } = useChatMessages();
  const numbers = [...new Set(quotes.map((quote) => quote.member))];
  return (
    <div className="k-evidence" data-testid="evidence">
      {numbers.map((number) => {
        const member = members.find((one) => one.number === number);
        const answer = said(messages, member?.step_id);
        const own = quotes.filter((quote) => quote.member === number).map((quote) => quote.text);
        return (
          <article key={number}>
            <div className="k-strong k-small"><Name member={member} /></div>
            {answer === undefined ? <p className="k-muted">{text.gone}</p> : <Marked answer={answer} quotes={own} />}
          </article>
        );
      })}
    </div>
  );
}

function Point({ text, members, title, detail, quotes }) {
  const [open, setOpen] = useState(false);
  const body = (
    <span className="k-model-text">
      <span>{title}{!quotes.length && <span className="k-muted k-small"> ({text.noQuote})</span>}</span>
      {detail}
    </span>
  );
  if (!quotes.length) return <li className="k-point">{body}</li>;
  return (
    <li className="k-point">
      <button type="button" className="k-point-button" aria-expanded={open} title={text.show}
        onClick={() => setOpen(!open)}>
        {body}
        {open ? <ChevronUp aria-hidden="true" /> : <ChevronDown aria-hidden="true" />}
      </button>
      {open && <Evidence text={text} members={members} quotes={quotes} />}
    </li>
  );
}

function Points({ text, kind, points }) {
  if (!points.length) return null;
  return (
    <section className="k-points">
      <h4 className="k-strong">{text.kinds[kind]}</h4>
      <ul>{points}</ul>
    </section>
  );
}

function CouncilReport({ data, callAction }) {
  const { lang, members = [], turn_id: turnId, step_id: answerId, chosen = "", outcome } = data;
  const text = words(lang, TEXTS);
  const { loading } = useChatData();
  const [asked, setAsked] = useState(false);
  const busy = loading || asked;
  const named = (number) => <Name key={number} member={members.find((one) => one.number === number)} />;
  const act = async (action, payload) => {
    setAsked(true);
    try {
      await callAction({ name: action, payload });
    } finally {
      setAsked(false);
    }
  };
  const prefer = (stepId) => act("council_prefer", { answer_id: answerId, step_id: stepId });
  const who = (numbers) => (
    <span className="k-muted k-small k-names">{numbers.map((number) => <span key={number}>{named(number)}</span>)}</span>
  );
  const listed = (kind) =>
    (data[kind] ?? []).map((one, index) => (
      <Point key={index} text={text} members={members} title={one.point} quotes={one.quotes ?? []}
        detail={kind !== "consensus" && one.members?.length > 0 && who(one.members)} />
    ));
  const contradictions = (data.contradictions ?? []).map((one, index) => (
    <Point key={index} text={text} members={members} title={one.point}
      quotes={one.sides.filter((side) => side.quote).map((side) => ({ member: side.member, text: side.quote }))}
      detail={one.sides.map((side, at) => (
        <span key={at} className="k-small k-side"><span className="k-muted">{named(side.member)}:</span> {side.claim}</span>
      ))} />
  ));
  const spots = (data.blind_spots ?? []).map((spot, index) => <li key={index} className="k-point">{spot}</li>);
  const ranked = [...members].sort((one, other) => (one.place ?? 99) - (other.place ?? 99) || one.number - other.number);
  const verdicts = [data.agreed ? text.agreed : text.levels[data.level], text.checks[data.check]].filter(Boolean);
  const footnotes = [
    data.dropped_quotes > 0 && text.dropped(data.dropped_quotes),
    data.dropped_judges?.length > 0 && text.judges(data.dropped_judges.join(", ")),
    data.steering?.length > 0 && text.steering(data.steering.join(", ")),
    !data.reported && !data.agreed && data.chairman && text.unreported,
  ].filter(Boolean);
  return (
    <section data-testid="council-report" className="k-panel" lang={lang} aria-label={text.title(members.length)}>
      <div className="k-row-between">
        <span className="k-strong">{text.title(members.length)}</span>
        <span className="k-muted k-verdict">{verdicts.join(" · ")}</span>
      </div>
      <ol className="k-candidates">
        {ranked.map((one) => (
          <li key={one.step_id} className={`k-candidate ${one.step_id === chosen ? "k-chosen" : ""}`}>
            <div className="k-model-text">
              <span>
                <span className="k-strong"><Name member={one} /></span>
                {one.step_id === chosen && (
                  <span className="k-badge k-good"><Check aria-hidden="true" />{text.preferred}</span>
                )}
                {text.states[one.state] && (
                  <span className="k-badge k-bad"><CircleX aria-hidden="true" />{text.states[one.state]}</span>
                )}
              </span>
              {known(one.place) && <span className="k-small k-muted">{text.place(one.place)}</span>}
            </div>
            <span className="k-actions">
              {known(one.points) && (
                <span className="k-score" title={text.points}>
                  <span className="sr-only">{text.points} </span>{decimal(one.points, 2)}
                </span>
              )}
              {one.step_id !== chosen && one.state !== "silent" && (
                <button type="button" className="k-button" disabled={busy} onClick={() => prefer(one.step_id)}
                  aria-label={`${text.prefer}: ${one.name}`}>
                  <Award aria-hidden="true" />{text.prefer}
                </button>
              )}
            </span>
          </li>
        ))}
      </ol>
      <Points text={text} kind="consensus" points={listed("consensus")} />
      <Points text={text} kind="contradictions" points={contradictions} />
      <Points text={text} kind="partial" points={listed("partial")} />
      <Points text={text} kind="unique" points={listed("unique")} />
      <Points text={text} kind="blind_spots" points={spots} />
      {footnotes.length > 0 && (
        <ul className="k-footnotes k-muted k-small">{footnotes.map((line) => <li key={line}>{line}</li>)}</ul>
      )}
      <div className="k-actions">
        {chosen && (
          <button type="button" className="k-button" disabled={busy} onClick={() => prefer("")}>
            <Undo2 aria-hidden="true" />{text.own}
          </button>
        )}
        {["stopped", "interrupted"].includes(outcome) && (
          <button type="button" className="k-button" disabled={busy}
            onClick={() => act("council_resume", { turn_id: turnId })}>
            <Play aria-hidden="true" />{text.resume}
          </button>
        )}
      </div>
    </section>
  );
}

const Kept = keep("CouncilReport", CouncilReport);
export default <Kept data={props} callAction={callAction} />;
