// What a table shows now, rows and columns, as CSV, JSON or LaTeX (booktabs).
"use strict";
(() => {
  const EMPTY = new Set(["", "n/a", "–", "none"]);

  const shown = (table) => {
    const columns = table.columns.filter((column) => !column.head.hidden);
    const rows = [...table.element.tBodies[0].rows].filter((row) => !row.hidden).map((row) =>
      columns.map((column) => {
        const cell = row.cells[column.index];
        const text = grid.words(cell);
        return {
          text: EMPTY.has(text) ? "" : text, spread: grid.spread(cell),
          best: cell.classList.contains("best"),
          isText: column.isText,
        };
      }));
    return { columns, rows };
  };

  // A number as programs read it, with the digits it is shown with; null where it is none.
  const digits = (text) => (/^[-+−]?\d[\d,]*(\.\d+)?(e[-−]?\d+)?$/.test(text)
    ? text.replaceAll("−", "-").replaceAll(",", "").replace("+", "") : null);

  // A value and the half-width of its interval are two columns for a program.
  const records = (table) => {
    const { columns, rows } = shown(table);
    const names = columns.map((column, index) => {
      const name = column.name || `column ${index + 1}`;
      return rows.some((row) => row[index].spread) ? [name, `${name}, 95 % ±`] : [name];
    });
    const plain = (cell) => ({ text: cell.text, digits: cell.isText ? null : digits(cell.text) });
    return [names.flat(), rows.map((row) => row.flatMap((cell, index) =>
      (names[index].length === 1 ? [plain(cell)]
        : [plain(cell), { text: cell.spread, digits: digits(cell.spread) }])))];
  };

  const quoted = ({ text, digits: number }) => {
    if (number !== null) return number;
    // A spreadsheet takes what begins like this for a formula.
    const safe = /^[-=+@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const csv = (table) => {
    const [names, rows] = records(table);
    const head = names.map((text) => ({ text, digits: null }));
    return [head, ...rows].map((row) => row.map(quoted).join(",")).join("\n") + "\n";
  };

  const json = (table) => {
    const [names, rows] = records(table);
    const value = ({ text, digits: number }) => (number === null ? text || null : Number(number));
    const objects = rows.map((row) => Object.fromEntries(row.map((cell, i) => [names[i], value(cell)])));
    return JSON.stringify(objects, null, 1) + "\n";
  };

  const SPECIAL = {
    "\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}",
    "−": "$-$", "±": "$\\pm$", "–": "--", "<": "\\textless{}", ">": "\\textgreater{}", "|": "\\textbar{}",
  };
  const escaped = (text) => text.replace(/[\\~^−±–<>|]|[&%$#_{}]/g, (sign) => SPECIAL[sign] ?? `\\${sign}`);
  const latexCell = (cell) => {
    if (cell.text === "") return "--";
    if (!cell.spread) return cell.best ? `\\textbf{${escaped(cell.text)}}` : escaped(cell.text);
    const mean = cell.text.replaceAll("−", "-");
    return `$${cell.best ? `\\mathbf{${mean}}` : mean} \\pm ${cell.spread}$`;
  };
  // Headers over several columns, with the rules below them.
  const groupLines = (columns) => {
    if (!columns.some((column) => column.groups.length)) return [];
    const cells = [], rules = [];
    for (let at = 0; at < columns.length;) {
      const [group] = columns[at].groups;
      const span = group ? columns.filter((column) => column.groups[0] === group).length : 1;
      cells.push(group ? `\\multicolumn{${span}}{c}{${escaped(grid.words(group))}}` : "");
      if (group) rules.push(`\\cmidrule(lr){${at + 1}-${at + span}}`);
      at += span;
    }
    return [`${cells.join(" & ")} \\\\`, rules.join(" ")];
  };
  const latex = (table) => {
    const { columns, rows } = shown(table);
    const line = (cells) => `${cells.join(" & ")} \\\\`;
    return [
      `% ${document.title}, table "${table.element.caption?.textContent.trim() ?? table.id}"`,
      "% needs \\usepackage{booktabs}",
      `\\begin{tabular}{${columns.map((column) => (column.isText ? "l" : "r")).join("")}}`, "\\toprule",
      ...groupLines(columns), line(columns.map((column) => escaped(grid.words(column.head)))), "\\midrule",
      ...rows.map((row) => line(row.map(latexCell))), "\\bottomrule", "\\end{tabular}", "",
    ].join("\n");
  };

  const save = (name, kind, text) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const FORMATS = [
    ["CSV", "csv", "text/csv", csv], ["JSON", "json", "application/json", json],
    ["LaTeX", "tex", "application/x-tex", latex],
  ];
  for (const table of grid.tables) {
    const line = document.createElement("p");
    line.className = "take";
    line.append("The table as shown: ");
    for (const [title, ending, kind, write] of FORMATS) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = title;
      const of = document.createElement("span");
      of.className = "hidden";
      of.textContent = ` of ${table.element.caption?.textContent.trim().split(":")[0] ?? table.id}`;
      button.append(of);
      button.addEventListener("click", () => save(`${table.id}.${ending}`, kind, write(table)));
      line.append(button, " ");
    }
    (table.element.closest(".scroll") ?? table.element).after(line);
  }
})();
