import { useEffect, useRef, useState } from "react";
import { ChevronLeft, ChevronRight } from "lucide-react";
import { useRecoilCallback } from "recoil";
import { addMessage, elementState, messagesState } from "@chainlit/react-client";

const { keep, tell, words } = window.Konsilium;

const TEXTS = {
  ru: {
    answer: (at, all) => `Ответ ${at} из ${all}`,
    question: (at, all) => `Вопрос ${at} из ${all}`,
    previous: "Предыдущий вариант",
    next: "Следующий вариант",
  },
  uk: {
    answer: (at, all) => `Відповідь ${at} з ${all}`,
    question: (at, all) => `Запитання ${at} з ${all}`,
    previous: "Попередній варіант",
    next: "Наступний варіант",
  },
  en: {
    answer: (at, all) => `Answer ${at} of ${all}`,
    question: (at, all) => `Question ${at} of ${all}`,
    previous: "Previous version",
    next: "Next version",
  },
};

/** What the page shows is changed from one question on; what stands before it is not drawn again. */
const follower = () => {
  let show = null;
  const hear = ({ data, source, origin }) => {
    const part = data?.konsilium_branch;
    if (part && show && source === window && origin === window.location.origin) show(part);
  };
  return {
    wanted: null, // the version that was asked for by a button, which gets the focus
    follow: (shower) => {
      if (!show) window.addEventListener("message", hear);
      show = shower;
    },
  };
};
const page = keep("Siblings.page", follower());

const idsOf = (steps) => steps.flatMap((step) => [step.id, ...idsOf(step.steps ?? [])]);

function Siblings({ data, callAction }) {
  const { lang, node, ids = [], answer } = data;
  const text = words(lang, TEXTS);
  const [asked, setAsked] = useState(false);
  const buttons = [useRef(null), useRef(null)];
  const at = ids.indexOf(node);

  const show = useRecoilCallback(({ snapshot, set }) => ({ cut, steps, elements }) => {
    const shown = snapshot.getLoadable(messagesState).contents;
    const from = shown.findIndex((message) => message.id === cut);
    if (from === -1) return tell({ event: "reopen" });
    const gone = new Set(idsOf(shown.slice(from)));
    /* The same list as before: for a new one every message of the thread would be drawn anew. */
    const hung = snapshot.getLoadable(elementState).contents;
    const fresh = new Set(elements.map((element) => element.id));
    const kept = hung.filter((element) => !gone.has(element.forId) && !fresh.has(element.id));
    hung.splice(0, hung.length, ...kept, ...elements);
    set(messagesState, steps.reduce(addMessage, shown.slice(0, from)));
  }, []);
  useEffect(() => page.follow(show), [show]);

  useEffect(() => {
    setAsked(false);
    if (page.wanted?.node !== node) return;
    const [previous, next] = buttons.map((button) => button.current);
    const first = page.wanted.step < 0 ? previous : next;
    (first.disabled ? (first === next ? previous : next) : first).focus();
    page.wanted = null;
  }, [node]);

  const go = (step) => {
    const wanted = ids[at + step];
    if (!wanted || asked) return;
    page.wanted = { node: wanted, step };
    setAsked(true);
    callAction({ name: "branch", payload: { step_id: wanted } })?.catch?.(() => setAsked(false));
  };
  const turn = (event) => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    go(step);
  };
  const label = (answer ? text.answer : text.question)(at + 1, ids.length);
  const arrow = (step, name, Icon) => (
    <button ref={buttons[step < 0 ? 0 : 1]} type="button" className="k-button k-plain" aria-label={name} title={name}
      disabled={!ids[at + step]} onClick={() => go(step)}>
      <Icon aria-hidden="true" />
    </button>
  );
  return (
    <div role="group" aria-label={label} data-testid="siblings" className="k-siblings" lang={lang} onKeyDown={turn}>
      {arrow(-1, text.previous, ChevronLeft)}
      <span aria-hidden="true" title={label}>{at + 1}/{ids.length}</span>
      {arrow(1, text.next, ChevronRight)}
    </div>
  );
}

const Kept = keep("Siblings", Siblings);
export default <Kept data={props} callAction={callAction} />;
