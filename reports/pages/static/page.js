// Sorts, filters, searches and hides columns of the tables marked "live". What is shown stands in
// the address behind the hash (#anchor?q=bade&kind=baseline), so that a link shows it again.
"use strict";
(() => {
  const FACETS = ["track", "task", "kind", "status"];
  const PLURAL = { track: "tracks", task: "tasks", kind: "kinds", status: "endings" };
  const tools = document.getElementById("tools");
  if (!tools || !grid.tables.length) return;

  const facetsOf = (row) => Object.fromEntries(FACETS.map((facet) => {
    const text = row.closest(`[data-${facet}]`)?.dataset[facet] ?? "";
    return [facet, ["status", "track"].includes(facet) ? text.split(" ") : [text]];
  }));
  for (const table of grid.tables) {
    for (const row of table.rows) {
      row.facets = facetsOf(row);
      row.words = row.textContent.toLowerCase();
    }
  }
  const everyRow = grid.tables.flatMap((table) => table.rows);
  const fresh = () => ({ q: "", facets: {}, hide: new Set(), sort: new Map() });
  let state = fresh();

  // ---- the address ----
  const parse = (hash) => {
    const found = fresh();
    const words = new URLSearchParams(hash.split("?").slice(1).join("?"));
    found.q = words.get("q") ?? "";
    for (const facet of FACETS) if (words.get(facet)) found.facets[facet] = words.get(facet);
    words.getAll("hide").forEach((name) => found.hide.add(name));
    for (const entry of words.getAll("sort")) {
      const [, id, way, name] = /^(\S+) (up|down) (.*)$/s.exec(entry) ?? [];
      if (id) found.sort.set(id, { name, way });
    }
    return found;
  };
  const anchorOf = (hash) => hash.replace(/^#/, "").split("?")[0];
  const write = () => {
    const words = new URLSearchParams();
    if (state.q) words.set("q", state.q);
    for (const [facet, value] of Object.entries(state.facets)) words.set(facet, value);
    for (const name of state.hide) words.append("hide", name);
    for (const [id, { name, way }] of state.sort) words.append("sort", `${id} ${way} ${name}`);
    const text = words.toString();
    const hash = anchorOf(location.hash) + (text ? `?${text}` : "");
    history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
  };
  const change = (act) => { act(); write(); show(); };

  // ---- what is shown ----
  const fits = (row) => row.words.includes(state.q.trim().toLowerCase())
    && Object.entries(state.facets).every(([facet, value]) => row.facets[facet].includes(value));

  // Rows in the order of a column; those without a value in it stay below, either way.
  const sorted = (rows, column, way) => {
    const sign = way === "up" ? 1 : -1;
    const keys = new Map(rows.map((row) => {
      const text = grid.words(row.cells[column.index]);
      return [row, column.isText ? text : grid.number(text)];
    }));
    return [...rows].sort((a, b) => {
      const [x, y] = [keys.get(a), keys.get(b)];
      if (column.isText) return sign * x.localeCompare(y, "en", { numeric: true });
      return x === null || y === null ? (x === null) - (y === null) : sign * (x - y);
    });
  };

  const showRows = (table) => {
    const wanted = state.sort.get(table.id);
    const column = wanted && table.columns.find((each) => each.name === wanted.name);
    const rows = column ? sorted(table.rows, column, wanted.way) : table.rows;
    table.element.tBodies[0].append(...rows);
    let shown = 0;
    for (const row of table.rows) {
      row.hidden = !fits(row);
      shown += !row.hidden;
    }
    for (const { head } of table.columns) head.removeAttribute("aria-sort");
    if (column) {
      column.head.setAttribute("aria-sort", wanted.way === "up" ? "ascending" : "descending");
    }
    table.none.hidden = shown > 0;
    // A long table stands folded; who looks for something wants to see it.
    const fold = table.element.closest("details");
    if (fold && shown && (state.q || column)) fold.open = true;
  };

  const showColumns = (table) => {
    for (const column of table.columns) {
      const hidden = state.hide.has(column.name);
      column.head.hidden = hidden;
      for (const row of table.rows) row.cells[column.index].hidden = hidden;
    }
    for (const group of new Set(table.columns.flatMap((column) => column.groups))) {
      const mine = table.columns.filter((column) => column.groups.includes(group));
      const left = mine.filter((column) => !state.hide.has(column.name)).length;
      group.hidden = left === 0;
      group.colSpan = Math.max(left, 1);
    }
  };

  const show = () => {
    grid.tables.forEach((table) => { showRows(table); showColumns(table); });
    document.querySelectorAll("section[data-track]").forEach((section) => {
      section.hidden = "track" in state.facets && section.dataset.track !== state.facets.track;
    });
    if (search.value !== state.q) search.value = state.q;
    selects.forEach((select, facet) => { select.value = state.facets[facet] ?? ""; });
    boxes.forEach((box, name) => { box.checked = !state.hide.has(name); });
    const shown = everyRow.filter((row) => !row.hidden).length;
    const all = everyRow.length === 1 ? "1 row" : `${everyRow.length} rows`;
    count.textContent = shown === everyRow.length ? all : `${shown} of ${all}`;
    reset.hidden = !location.hash.includes("?");
  };

  // ---- the controls ----
  const make = (tag, settings = {}, ...children) => {
    const element = Object.assign(document.createElement(tag), settings);
    element.append(...children);
    return element;
  };
  const search = make("input", { type: "search", placeholder: "words of a row", spellcheck: false });
  search.addEventListener("input", () => change(() => { state.q = search.value; }));
  const selects = new Map();
  const chooser = (facet) => {
    const values = [...new Set(everyRow.flatMap((row) => row.facets[facet]))].filter(Boolean).sort();
    if (values.length < 2) return [];
    const option = (value) => make("option", { value }, value.replaceAll("_", " "));
    const select = make("select", {}, make("option", { value: "" }, `all ${PLURAL[facet]}`),
      ...values.map(option));
    select.addEventListener("change", () => change(() => {
      if (select.value) state.facets[facet] = select.value;
      else delete state.facets[facet];
    }));
    selects.set(facet, select);
    return [make("label", {}, make("span", {}, facet), select)];
  };
  const boxes = new Map();
  const columnMenu = () => {
    const names = new Set(grid.tables.flatMap((table) => table.columns.map((each) => each.name)));
    const keys = new Set(grid.tables.flatMap((table) => table.columns.filter((each) =>
      table.rows[0]?.cells[each.index]?.tagName === "TH").map((each) => each.name)));
    const items = [...names].filter((name) => name && !keys.has(name)).map((name) => {
      const box = make("input", { type: "checkbox" });
      box.addEventListener("change", () => change(() => {
        if (box.checked) state.hide.delete(name); else state.hide.add(name);
      }));
      boxes.set(name, box);
      return make("li", {}, make("label", {}, box, ` ${name}`));
    });
    return make("details", { className: "columns" }, make("summary", {}, "Columns"),
      make("ul", {}, ...items));
  };
  const reset = make("button", { type: "button" }, "Show everything");
  reset.addEventListener("click", () => change(() => { state = fresh(); search.focus(); }));
  const count = make("output", {});
  tools.append(make("label", { className: "search" }, make("span", {}, "search"), search),
    ...FACETS.flatMap(chooser), columnMenu(), reset, count);

  for (const table of grid.tables) {
    for (const column of table.columns.filter((each) => each.name)) {
      const button = make("button", { type: "button", className: "sort" }, ...column.head.childNodes);
      const first = column.head.dataset.better === "higher" ? "down" : "up";
      button.addEventListener("click", () => change(() => {  // best first, the reverse, as it was
        const now = state.sort.get(table.id);
        if (now?.name !== column.name) state.sort.set(table.id, { name: column.name, way: first });
        else if (now.way !== first) state.sort.delete(table.id);
        else now.way = first === "up" ? "down" : "up";
      }));
      column.head.append(button);
    }
    table.none = make("p", { className: "note", hidden: true }, "No row of this table fits.");
    (table.element.closest(".scroll") ?? table.element).after(table.none);
  }

  const arrive = () => {
    const plain = !location.hash.includes("?");
    if (plain && anchorOf(location.hash)) write();  // a jump on the page keeps what is shown
    else state = parse(location.hash);
    show();
    if (!plain) document.getElementById(anchorOf(location.hash))?.scrollIntoView();
  };
  window.addEventListener("hashchange", arrive);
  arrive();
})();
