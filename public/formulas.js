/* Formulas that are copied from a page out of a selection are their source, as they were written. */
(() => {
  "use strict";

  document.addEventListener("copy", (event) => {
    const selection = window.getSelection();
    if (!selection || selection.isCollapsed || !event.clipboardData) return;
    const range = selection.getRangeAt(0);
    const around = (node) => (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest(".katex");
    const [first, last] = [around(range.startContainer), around(range.endContainer)];
    if (first) range.setStartBefore(first);
    if (last) range.setEndAfter(last);
    const copied = range.cloneContents();
    for (const ours of copied.querySelectorAll(".k-code-tools, .k-table-tools, .k-preview")) ours.remove();
    const formulas = copied.querySelectorAll(".katex");
    if (!formulas.length) return;
    for (const formula of formulas) {
      const source = formula.querySelector('annotation[encoding="application/x-tex"]')?.textContent.trim();
      const marks = formula.parentElement?.matches(".katex-display") ? ["\\[", "\\]"] : ["\\(", "\\)"];
      if (source) formula.replaceWith(`${marks[0]} ${source} ${marks[1]}`);
    }
    const box = document.createElement("div");
    box.style.cssText = "position:fixed;left:-10000px;white-space:normal";
    box.append(copied);
    document.body.append(box); // where it is laid out, text has its line ends
    event.clipboardData.setData("text/plain", box.innerText.trim());
    event.clipboardData.setData("text/html", box.innerHTML);
    box.remove();
    event.preventDefault();
  });
})();
