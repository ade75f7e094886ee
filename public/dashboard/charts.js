/* The charts by day, in the theme's colours. Chart.js draws them. */
(() => {
  "use strict";

  const color = (name) => `hsl(${getComputedStyle(document.documentElement).getPropertyValue(name).trim()})`;

  /* What each chart shows of a day's summary. */
  const CHARTS = [
    {
      id: "requests",
      title: "requests_by_day",
      whole: true,
      series: [
        { text: "completed", color: "--chart-1", value: (s) => s.calls - s.failed - s.stopped },
        { text: "stopped", color: "--chart-2", value: (s) => s.stopped },
        { text: "failed", color: "--destructive", value: (s) => s.failed },
      ],
    },
    {
      id: "tokens",
      title: "tokens_by_day",
      whole: true,
      series: [
        { text: "tokens_in", color: "--chart-1", value: (s) => s.input_tokens },
        { text: "tokens_out", color: "--chart-3", value: (s) => s.output_tokens },
      ],
    },
    {
      id: "cost",
      title: "cost_by_day",
      series: [{ text: "cost", color: "--chart-2", value: (s) => (s.cost_rub === null ? null : Number(s.cost_rub)) }],
    },
    {
      id: "first_token",
      title: "first_by_day",
      lines: true,
      series: [
        { text: "median", color: "--chart-1", value: (s) => s.first_token_median_s },
        { text: "percentile_95", color: "--chart-4", value: (s) => s.first_token_p95_s },
      ],
    },
  ];

  const drawn = new Map();

  /** Every day from the first to the last, so that a quiet one is seen as quiet. */
  const daysBetween = (first, last) => {
    const days = [];
    for (const day = new Date(`${first}T00:00:00Z`); ; day.setUTCDate(day.getUTCDate() + 1)) {
      const text = day.toISOString().slice(0, 10);
      days.push(text);
      if (text >= last) return days;
    }
  };

  const options = (chart, locale, short) => {
    const muted = color("--muted-foreground");
    const axis = { grid: { color: color("--border") }, border: { display: false } };
    return {
      locale,
      animation: false,
      responsive: true,
      maintainAspectRatio: false,
      interaction: { mode: "index", intersect: false },
      plugins: {
        legend: {
          display: chart.series.length > 1,
          align: "start",
          labels: { color: muted, boxWidth: 10, boxHeight: 10, useBorderRadius: true, borderRadius: 3 },
        },
      },
      scales: {
        x: {
          stacked: !chart.lines,
          grid: { display: false },
          border: axis.border,
          ticks: { color: muted, maxRotation: 0, autoSkipPadding: 16 },
        },
        y: {
          ...axis,
          stacked: !chart.lines,
          beginAtZero: true,
          ticks: { color: muted, maxTicksLimit: 6, ...(chart.whole && { precision: 0 }), callback: (value) => (value >= 1000 ? short(value) : value.toLocaleString(locale)) },
        },
      },
    };
  };

  const dataset = (chart, series, label, values) => ({
    label,
    data: values,
    backgroundColor: color(series.color),
    borderColor: color(series.color),
    ...(chart.lines
      ? { borderWidth: 2, pointRadius: values.length > 60 ? 0 : 2.5, tension: 0.25, spanGaps: false }
      : { borderRadius: 3, maxBarThickness: 36, stack: "all" }),
  });

  /** Draws all charts into `place`; `groups` are the days' summaries, in order. */
  const draw = (place, groups, first, last, { texts, locale, short }) => {
    const of = new Map(groups.map((group) => [group.key, group.summary]));
    const days = daysBetween(first, last);
    const name = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
    const labels = days.map((day) => name.format(new Date(`${day}T00:00:00Z`)));
    for (const chart of CHARTS) {
      drawn.get(chart.id)?.destroy();
      let canvas = place.querySelector(`[data-chart="${chart.id}"]`);
      if (!canvas) {
        const panel = document.createElement("figure");
        panel.className = "panel";
        const title = document.createElement("figcaption");
        title.textContent = texts[chart.title];
        const frame = document.createElement("div");
        frame.className = "frame";
        canvas = document.createElement("canvas");
        canvas.dataset.chart = chart.id;
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", texts[chart.title]);
        frame.append(canvas);
        panel.append(title, frame);
        place.append(panel);
      }
      const datasets = chart.series.map((series) => {
        const empty = chart.lines ? null : 0;
        const values = days.map((day) => (of.has(day) ? series.value(of.get(day)) : empty));
        return dataset(chart, series, texts[series.text], values);
      });
      window.Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
      drawn.set(
        chart.id,
        new window.Chart(canvas, {
          type: chart.lines ? "line" : "bar",
          data: { labels, datasets },
          options: options(chart, locale, short),
        }),
      );
    }
  };

  window.DashboardCharts = Object.freeze({ draw });
})();
