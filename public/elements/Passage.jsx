import { useEffect, useRef, useState } from "react";

const { keep, root, words } = window.Konsilium;

const TEXTS = {
  ru: { page: (page) => `с. ${page}`, gone: "Этого документа больше нет: его удалили, заменили новым или закрыли для вас.", wait: "Открываю…" },
  uk: { page: (page) => `с. ${page}`, gone: "Цього документа більше немає: його видалили, замінили новим або закрили для вас.", wait: "Відкриваю…" },
  en: { page: (page) => `p. ${page}`, gone: "This document is no longer here: it was deleted, replaced by a newer one, or closed to you.", wait: "Opening…" },
};

function Passage({ data }) {
  const { lang, id, found: given } = data;
  const text = words(lang, TEXTS);
  const [found, setFound] = useState(given ?? null);
  const mark = useRef(null);
  useEffect(() => {
    if (!id) {
      setFound(given);
      return undefined;
    }
    let asked = true;
    const [document, number] = id.split("/");
    setFound(null);
    fetch(`${root}knowledge/documents/${document}/passages/${number}`)
      .then((answer) => (answer.ok ? answer.json() : { gone: true }))
      .catch(() => ({ gone: true }))
      .then((passage) => asked && setFound(passage));
    return () => { asked = false; };
  }, [id, given?.text]);
  useEffect(() => { // within its box alone: the whole page would move aside while this view slides in
    const box = mark.current?.parentElement;
    if (!box) return;
    const [passage, view] = [mark.current, box].map((part) => part.getBoundingClientRect());
    box.scrollTop += passage.top - view.top - Math.max(0, (view.height - passage.height) / 2);
  }, [found]);
  if (!found) return <p className="k-note">{text.wait}</p>;
  if (found.gone) return <p className="k-note" role="alert">{text.gone}</p>;
  const where = [found.page && text.page(found.page), found.heading].filter(Boolean).join(" · ");
  return (
    <section data-testid="passage" className="k-passage">
      {where && <p className="k-passage-where" lang={lang}>{where}</p>}
      <div className="k-passage-text" dir="auto" tabIndex={0}>
        {found.before && <p>{found.before}</p>}
        <mark ref={mark}>{found.text}</mark>
        {found.after && <p>{found.after}</p>}
      </div>
    </section>
  );
}

const Kept = keep("Passage", Passage);
export default <Kept data={props} />;
