/* Small helps of the back office: copying, printing, JSON as rows. Pages work without them. */
"use strict";

(function () {
  function copy(button) {
    const source = document.querySelector(button.dataset.copy);
    const items = source.querySelectorAll("li");
    const text = items.length
      ? Array.from(items, (item) => item.textContent.trim()).join("\n")
      : source.textContent.trim();
    const done = () => {
      const label = button.textContent;
      button.textContent = button.dataset.copied;
      setTimeout(() => (button.textContent = label), 1500);
    };
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(text).then(done);
      return;
    }
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    done();
  }

  function jsonEditor(box) {
    const text = box.querySelector("textarea");
    const rows = document.createElement("div");
    const tools = document.createElement("div");
    let first = {};
    try {
      first = JSON.parse(text.value || "{}") || {};
    } catch {
      return;
    }

    // A value keeps the kind that it had; one that is new is text.
    function read(name, value) {
      if (name in first && typeof first[name] !== "string") {
        try {
          return JSON.parse(value);
        } catch {
          return value;
        }
      }
      return value;
    }
    function save() {
      const found = {};
      for (const row of rows.children) {
        const [name, value] = row.querySelectorAll("input");
        if (name.value.trim()) found[name.value.trim()] = read(name.value.trim(), value.value);
      }
      text.value = JSON.stringify(found, null, 2);
    }
    function field(label, value) {
      const input = document.createElement("input");
      input.type = "text";
      input.className = box.dataset.inputClass;
      input.placeholder = label;
      input.setAttribute("aria-label", label);
      input.value = value;
      input.addEventListener("input", save);
      return input;
    }
    function add(name, value) {
      const row = document.createElement("div");
      row.className = "sf-json-row";
      const remove = document.createElement("button");
      remove.type = "button";
      remove.textContent = "✕";
      remove.title = box.dataset.remove;
      remove.addEventListener("click", () => {
        row.remove();
        save();
      });
      row.append(field(box.dataset.name, name), field(box.dataset.value, value), remove);
      rows.append(row);
      return row;
    }
    function tool(label, run) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.addEventListener("click", run);
      tools.append(button);
    }

    for (const [name, value] of Object.entries(first)) {
      add(name, typeof value === "string" ? value : JSON.stringify(value));
    }
    tools.className = "sf-json-tools";
    tool(box.dataset.add, () => add("", "").querySelector("input").focus());
    tool(box.dataset.raw, () => {
      text.classList.remove("sf-json-quiet");
      rows.remove();
      tools.remove();
    });
    text.classList.add("sf-json-quiet");
    box.prepend(rows, tools);
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    if (event.target.closest("[data-print]")) window.print();
  });
  // What the theme leaves without a name: the search of a list is named by its hint, a cell's field by its column.
  function nameFields() {
    for (const field of document.querySelectorAll("input:not([type=hidden]), select, textarea")) {
      if (field.labels.length || field.hasAttribute("aria-label") || field.hasAttribute("aria-labelledby")) continue;
      const cell = field.closest("td");
      const head = cell && cell.closest("table").tHead;
      const column = head && head.rows[head.rows.length - 1].cells[cell.cellIndex];
      const name = (column && column.textContent.trim()) || field.placeholder;
      if (name) field.setAttribute("aria-label", name);
    }
  }

  // A select that searches is a box of its own making: it takes the name of the select that it hides.
  function nameSearchingSelects() {
    for (const box of document.querySelectorAll(".select2-selection")) {
      const select = box.closest(".select2-container").previousElementSibling;
      const label = select && select.labels && select.labels[0];
      if (!label) continue;
      label.id = label.id || `label-of-${select.id}`;
      const value = box.getAttribute("aria-labelledby") || "";
      if (!value.includes(label.id)) box.setAttribute("aria-labelledby", `${label.id} ${value}`.trim());
      for (const part of box.querySelectorAll(".select2-search__field, [role=textbox]")) {
        part.setAttribute("aria-labelledby", label.id);
      }
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    nameSearchingSelects();
    new MutationObserver(nameSearchingSelects).observe(document.body, { childList: true, subtree: true });
    nameFields();
    for (const link of document.querySelectorAll("a:not([aria-label])")) {
      const sign = !link.textContent.trim() && link.querySelector("span[title]");
      if (sign) link.setAttribute("aria-label", sign.title);
    }
    document.querySelectorAll("[data-json-editor][data-as-rows]").forEach(jsonEditor);
  });
})();
