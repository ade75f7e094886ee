const { keep, words } = window.Konsilium;

const TEXTS = {
  ru: { hidden: "Имена моделей откроются после голоса" },
  uk: { hidden: "Імена моделей відкриються після голосу" },
  en: { hidden: "The models' names are shown after the vote" },
};

/* The styles lay out the answers around this line. */
function Columns({ data }) {
  return <p data-testid="columns" className="k-columns k-muted k-small">{data.hidden && words(data.lang, TEXTS).hidden}</p>;
}

const Kept = keep("Columns", Columns);
export default <Kept data={props} />;
