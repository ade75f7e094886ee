import { useEffect, useRef } from "react";

const { keep, words } = window.Konsilium;

const TEXTS = {
  ru: {
    page: (page) => `с. ${page}`,
    gone: "Этого документа больше нет: его удалили, заменили новым или закрыли для вас.",
    kept: "Так это место выглядело, когда его процитировали:",
  },
  uk: {
    page: (page) => `с. ${page}`,
    gone: "Цього документа більше немає: його видалили, замінили новим або закрили для вас.",
    kept: "Так це місце виглядало, коли його процитували:",
  },
  en: {
    page: (page) => `p. ${page}`,
    gone: "This document is no longer here: it was deleted, replaced by a newer one, or closed to you.",
    kept: "The passage as it was when it was cited:",
  },
};

/** A passage with those around it; of a document that is gone, what was kept of it. */
function Passage({ data }) {
  const { lang, found } = data;
  const text = words(lang, TEXTS);
  const mark = useRef(null);
  useEffect(() => { // within its box alone: the whole page would move aside while this view slides in
    const box = mark.current?.parentElement;
    if (!box) return;
    const [passage, view] = [mark.current, box].map((part) => part.getBoundingClientRect());
    box.scrollTop += passage.top - view.top - Math.max(0, (view.height - passage.height) / 2);
  }, [found]);
  const where = [found.page && text.page(found.page), found.heading].filter(Boolean).join(" · ");
  return (
    <section data-testid="passage" className="k-passage">
      {found.gone && <p className="k-note" role="alert">{text.gone} {found.text && text.kept}</p>}
      {where && <p className="k-passage-where" lang={lang}>{where}</p>}
      {found.text && (
        <div className="k-passage-text" dir="auto" tabIndex={0}>
          {found.before && <p>{found.before}</p>}
          <mark ref={mark}>{found.text}</mark>
          {found.after && <p>{found.after}</p>}
        </div>
      )}
    </section>
  );
}

const Kept = keep("Passage", Passage);
export default <Kept data={props} />;
