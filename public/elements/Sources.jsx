import { FileText, Globe } from "lucide-react";
import { useSetRecoilState } from "recoil";
import { sideViewState } from "@chainlit/react-client";

const { keep, root, words } = window.Konsilium;

const TEXTS = {
  ru: { sources: "Источники", page: (page) => `с. ${page}`, open: (name) => `Открыть: ${name}` },
  uk: { sources: "Джерела", page: (page) => `с. ${page}`, open: (name) => `Відкрити: ${name}` },
  en: { sources: "Sources", page: (page) => `p. ${page}`, open: (name) => `Open: ${name}` },
};

/** A passage of a file of this conversation, and the file where it is a PDF. */
function attached(source, lang) {
  const common = { display: "side", threadId: "", forId: "" };
  const id = `${source.file}-${source.number}`;
  const passage = {
    ...common, type: "custom", name: "Passage", id: `passage-${id}`,
    props: { lang, found: { heading: source.heading, text: source.text } },
  };
  const file = {
    ...common, type: "pdf", name: source.title, id: `file-${id}`, mime: "application/pdf",
    url: `${root}files/${source.file}`, page: source.page ?? 1,
  };
  return /\.pdf$/i.test(source.title) ? [passage, file] : [passage];
}

/** What the side view is given: the passage, and the document itself at its page where it is a PDF. */
function opened(source, lang) {
  if (!source.id) return attached(source, lang);
  const [id] = source.id.split("/");
  const common = { display: "side", threadId: "", forId: "" };
  const passage = {
    ...common, type: "custom", name: "Passage", id: `passage-${source.id}`, props: { lang, id: source.id },
  };
  const file = {
    ...common, type: "pdf", name: source.title, id: `file-${source.id}`, mime: "application/pdf",
    url: `${root}knowledge/documents/${id}`, page: source.page ?? 1,
  };
  return /\.pdf$/i.test(source.title) ? [passage, file] : [passage];
}

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
      onClick={() => show({ title: source.title, elements: opened(source, lang) })}
    >
      {inner}
    </button>
  );
}

function Sources({ data }) {
  const { lang, sources = [] } = data;
  if (!sources.length) return null;
  return (
    <section data-testid="sources" className="k-note k-sources" lang={lang} aria-label={words(lang, TEXTS).sources}>
      {sources.map((source) => <Source key={source.number} source={source} lang={lang} />)}
    </section>
  );
}

const Kept = keep("Sources", Sources);
export default <Kept data={props} />;
