/* Moments of a page without the chat's scripts, as its reader writes them: in the page's language, by the
   browser's clock. */
for (const time of document.querySelectorAll("time[datetime]")) {
  const timeStyle = time.hasAttribute("data-day") ? undefined : "short";
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeStyle });
  time.textContent = format.format(new Date(time.dateTime));
}
