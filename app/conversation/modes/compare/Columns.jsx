const { keep, words } = window.Konsilium;

const TEXTS = {
  ru: "Имена моделей откроются после голоса",
  uk: "Імена моделей відкриються після голосу",
  en: "The models' names are shown after the vote",
};

/* The styles lay out the answers around this line. */
function Columns({ data }) {
  return <p data-testid="columns" className="k-columns k-muted k-small">{data.hidden && words(data.lang, TEXTS)}</p>;
}

const Kept = keep("Columns", Columns);
export default <Kept data={props} />;
