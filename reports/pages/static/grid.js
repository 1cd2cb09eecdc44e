// Tables as the other scripts see them: columns below grouped headers, and what a cell says.
"use strict";
const grid = (() => {
  const NUMBER = /[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-−]?\d+)?/;

  // The first words of a cell: what stands in small print below them is for people only.
  const words = (cell) => {
    const main = cell.querySelector(".value, .label");
    if (main) {
      const copy = main.cloneNode(true);
      copy.querySelectorAll(".pm, sup").forEach((part) => part.remove());
      return copy.textContent.trim();
    }
    const copy = cell.cloneNode(true);
    copy.querySelectorAll(".sub, .hidden, sup").forEach((part) => part.remove());
    return copy.textContent.trim().replace(/\s+/g, " ");
  };

  const spread = (cell) => cell.querySelector(".pm")?.textContent.replace("±", "").trim() ?? "";

  // The number a cell begins with; null for "n/a", a dash or nothing.
  const number = (text) => {
    const found = NUMBER.exec(text);
    if (!found || found.index > 0) return null;
    return Number(found[0].replaceAll("−", "-").replaceAll(",", ""));
  };

  // One entry a column of the body: its name, its own header and the headers above it.
  const columns = (table) => {
    const rows = [];
    [...table.tHead.rows].forEach((row, y) => {
      rows[y] ??= [];
      let x = 0;
      for (const head of row.cells) {
        while (rows[y][x]) x += 1;
        for (let dy = 0; dy < head.rowSpan; dy += 1) {
          rows[y + dy] ??= [];
          for (let dx = 0; dx < head.colSpan; dx += 1) rows[y + dy][x + dx] = head;
        }
      }
    });
    return rows.at(-1).map((head, index) => {
      const heads = [...new Set(rows.map((row) => row[index]))];
      return {
        index, head, groups: heads.slice(0, -1),
        name: heads.map(words).filter(Boolean).join(": "),
        isText: head.classList.contains("text"),
      };
    });
  };

  const tables = [...document.querySelectorAll("table.live")].map((element) => ({
    element, id: element.id, columns: columns(element), rows: [...element.tBodies[0].rows],
  }));
  return { words, spread, number, tables };
})();
