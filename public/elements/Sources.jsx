import { FileText, Globe } from "lucide-react";
import { useSetRecoilState } from "recoil";
import { sideViewState } from "@chainlit/react-client";

const { keep, openThread, root, words } = window.Konsilium;

const TEXTS = {
  ru: {
    sources: "Источники",
    page: (page) => `с. ${page}`,
    open: (name) => `Открыть: ${name}`,
    unsure: (marks) => `${marks} — в источнике другими словами, если оно там есть: сверьте.`,
    check: {
      "": () => "Ссылки сверены по словам и числам.",
      done: (model) => `Ссылки сверены по словам и числам, а где этого мало — моделью ${model}.`,
      partly: (model) => `Ссылки сверены по словам и числам; модель ${model} решила не обо всех остальных.`,
      failed: (model) => `Ссылки сверены только по словам и числам: модель ${model} ответить не смогла.`,
      small: (model) => `Ссылки сверены только по словам и числам: модель ${model} для этого слишком мала.`,
    },
  },
  uk: {
    sources: "Джерела",
    page: (page) => `с. ${page}`,
    open: (name) => `Відкрити: ${name}`,
    unsure: (marks) => `${marks} — у джерелі іншими словами, якщо воно там є: звірте.`,
    check: {
      "": () => "Посилання звірено за словами й числами.",
      done: (model) => `Посилання звірено за словами й числами, а де цього замало — моделлю ${model}.`,
      partly: (model) => `Посилання звірено за словами й числами; модель ${model} вирішила не про всі інші.`,
      failed: (model) => `Посилання звірено лише за словами й числами: модель ${model} відповісти не змогла.`,
      small: (model) => `Посилання звірено лише за словами й числами: модель ${model} для цього замала.`,
    },
  },
  en: {
    sources: "Sources",
    page: (page) => `p. ${page}`,
    open: (name) => `Open: ${name}`,
    unsure: (marks) => `${marks}: in other words in the source, if at all. Compare them.`,
    check: {
      "": () => "Citations were checked by words and numbers.",
      done: (model) => `Citations were checked by words and numbers and, where these cannot tell, by ${model}.`,
      partly: (model) => `Citations were checked by words and numbers; of the rest ${model} decided some.`,
      failed: (model) => `Citations were checked by words and numbers alone: ${model} gave no usable answer.`,
      small: (model) => `Citations were checked by words and numbers alone: ${model} is too small for more.`,
    },
  },
};

/** What the side view is given: the passage, and the document itself at its page where it is a PDF. Files of
    this conversation are there; a document of a base may be gone, or closed to who reads. */
async function opened(source, lang) {
  const { number, title, page, heading, text, id: passage, file } = source;
  const [document, place] = passage.split("/");
  const url = passage ? `${root}knowledge/documents/${document}` : `${root}files/${file}`;
  let found = { page, heading, text };
  if (passage) {
    const answer = await fetch(`${url}/passages/${place}`).catch(() => null);
    found = answer?.ok ? await answer.json() : { ...found, gone: true };
  }
  const common = { display: "side", threadId: "", forId: "" };
  const id = `${passage || file}-${number}`;
  const shown = [{ ...common, type: "custom", name: "Passage", id: `passage-${id}`, props: { lang, found } }];
  if (/\.pdf$/i.test(title) && !found.gone) {
    shown.push({ ...common, type: "pdf", name: title, id: `file-${id}`, mime: "application/pdf", url, page: page ?? 1 });
  }
  return shown;
}

let asked = 0; // of several clicks the last is shown, however long each takes, and in its own conversation

function Source({ source, lang }) {
  const text = words(lang, TEXTS);
  const show = useSetRecoilState(sideViewState);
  const Icon = source.url ? Globe : FileText;
  const about = [source.page && text.page(source.page), source.site, source.date].filter(Boolean).join(", ");
  const inner = (
    <>
      <Icon aria-hidden="true" />
      <span className="k-source-number">{source.number}</span>
      <span className="k-source-title">{source.title}</span>
      {about && <span className="k-source-about">{about}</span>}
    </>
  );
  const named = { className: "k-source", "data-source": source.number };
  if (source.url) {
    return <a {...named} href={source.url} target="_blank" rel="noopener noreferrer nofollow">{inner}</a>;
  }
  return (
    <button
      {...named}
      type="button"
      title={text.open(source.title)}
      onClick={async () => {
        const [mine, thread] = [(asked += 1), openThread()];
        const elements = await opened(source, lang);
        if (mine === asked && thread === openThread()) show({ title: source.title, elements });
      }}
    >
      {inner}
    </button>
  );
}

function Sources({ data }) {
  const { lang, sources = [], marks = 0, open = [], check = "", checker = "" } = data;
  const text = words(lang, TEXTS);
  if (!sources.length && !marks) return null;
  return (
    <section data-testid="sources" className="k-note k-sources" lang={lang} aria-label={text.sources}>
      {sources.map((source) => <Source key={source.number} source={source} lang={lang} />)}
      {marks > 0 && (
        <p className="k-sources-check" data-testid="citations-check">
          {text.check[check](checker)} {open.length > 0 && text.unsure(open.map((one) => `[${one}?]`).join(" "))}
        </p>
      )}
    </section>
  );
}

const Kept = keep("Sources", Sources);
export default <Kept data={props} />;
