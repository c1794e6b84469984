"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  const remembered = (value) => {
    try {
      if (value) localStorage.setItem("thawline-theme", value);
      return localStorage.getItem("thawline-theme");
    } catch { return null; }  // a page from a file may not be allowed to remember
  };
  const toggle = document.querySelector(".theme");
  const isDark = () => root.dataset.theme ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  const name = () => {
    toggle.textContent = isDark() ? "Light" : "Dark";
    toggle.setAttribute("aria-label", `Switch to ${isDark() ? "light" : "dark"} colours`);
  };
  const kept = remembered();
  if (kept === "dark" || kept === "light") root.dataset.theme = kept;
  toggle.hidden = false;
  name();
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remembered(root.dataset.theme);
    name();
  });

  // A number sorts as one: the first in its cell, whatever interval follows.
  const units = { s: 1, min: 60, h: 3600 };
  const value = (row, column) => {
    const text = row.cells[column].textContent.trim();
    const found = /^[+-]?\d[\d.]*/.exec(text);
    if (!found) return text === "-" || text === "" ? null : text.toLowerCase();
    const unit = /^[+-]?[\d.]+ (s|min|h)$/.exec(text);
    return parseFloat(found[0]) * (unit ? units[unit[1]] : 1);
  };
  const compare = (a, b) => {
    if (a === null || b === null) return (a === null) - (b === null);
    return typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
  };
  const sort = (head) => {
    const table = head.closest("table");
    const up = head.getAttribute("aria-sort") !== "ascending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [value(row, head.cellIndex), row]);
    rows.sort(([a], [b]) => a === null || b === null || up ? compare(a, b) : compare(b, a));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };
  for (const button of document.querySelectorAll("table.sortable thead button"))
    button.addEventListener("click", () => sort(button.closest("th")));

  for (const button of document.querySelectorAll(".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const text = button.closest("details").querySelector("pre");
      try {
        await navigator.clipboard.writeText(text.textContent);
      } catch {
        getSelection().selectAllChildren(text);
        document.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }
})();
