/* Rows that grow, products found by name, and questions that depend on an answer. Pages work without it. */
"use strict";

(function () {
  // --- choosing by name ---
  function pick(box) {
    if (box.dataset.ready) return;
    box.dataset.ready = "yes";
    const [chosen, text] = box.querySelectorAll("input");
    const list = document.createElement("ul");
    list.className = "sf-pick-list";
    list.setAttribute("role", "listbox");
    list.hidden = true;
    document.body.append(list);
    let timer = 0;
    let asked = 0;

    function close() {
      list.hidden = true;
      text.setAttribute("aria-expanded", "false");
    }
    function place() {
      const where = text.getBoundingClientRect();
      list.style.left = `${where.left + window.scrollX}px`;
      list.style.top = `${where.bottom + window.scrollY + 2}px`;
      list.style.minWidth = `${where.width}px`;
    }
    function choose(choice) {
      chosen.value = new URLSearchParams({ key: choice.key, name: choice.name }).toString();
      text.value = choice.name;
      close();
    }
    function show(choices) {
      list.replaceChildren();
      for (const choice of choices) {
        const item = document.createElement("li");
        const detail = document.createElement("small");
        item.setAttribute("role", "option");
        item.textContent = choice.name;
        detail.textContent = choice.detail;
        item.append(detail);
        item.addEventListener("mousedown", (event) => {
          event.preventDefault();
          choose(choice);
        });
        item.choice = choice;
        list.append(item);
      }
      if (!choices.length) {
        const none = document.createElement("li");
        none.className = "sf-none";
        none.textContent = box.dataset.none;
        list.append(none);
      }
      place();
      list.hidden = false;
      text.setAttribute("aria-expanded", "true");
    }
    async function ask() {
      const number = ++asked;
      const wanted = text.value.trim();
      if (!wanted) return close();
      const answer = await fetch(`${box.dataset.pick}&q=${encodeURIComponent(wanted)}`, {
        headers: { Accept: "application/json" },
      });
      if (!answer.ok || number !== asked) return;
      show((await answer.json()).results);
    }
    text.addEventListener("input", () => {
      chosen.value = "";
      clearTimeout(timer);
      timer = setTimeout(ask, 200);
    });
    text.addEventListener("blur", () => setTimeout(close, 100));
    text.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      const items = Array.from(list.children).filter((item) => item.choice);
      const at = items.findIndex((item) => item.classList.contains("sf-on"));
      if (event.key === "Escape") return close();
      if (event.key === "Enter" && items.length) {
        event.preventDefault();
        return choose(items[Math.max(at, 0)].choice);
      }
      if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
      event.preventDefault();
      const next = items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length];
      items.forEach((item) => item.classList.toggle("sf-on", item === next));
    });
  }

  // --- rows ---
  function rows(box) {
    const total = box.querySelector(`[name="${box.dataset.rows}-TOTAL_FORMS"]`);
    const most = Number(box.querySelector(`[name="${box.dataset.rows}-MAX_NUM_FORMS"]`).value);
    const body = box.querySelector("tbody");
    const add = box.querySelector("[data-add-row]");
    add.hidden = false;
    function tools(row) {
      const button = row.querySelector("[data-remove-row]");
      button.hidden = false;
      button.addEventListener("click", () => {
        for (const input of row.querySelectorAll("input")) {
          if (input.type === "checkbox") input.checked = false;
          else input.value = "";
        }
        row.hidden = true; // an empty row is no row
      });
      row.querySelectorAll("[data-pick]").forEach(pick);
    }
    body.querySelectorAll("[data-row]").forEach(tools);
    add.addEventListener("click", () => {
      const number = Number(total.value);
      if (number >= most) return;
      const holder = document.createElement("tbody");
      holder.innerHTML = box.querySelector("template").innerHTML.replaceAll("__prefix__", String(number));
      const row = holder.querySelector("[data-row]");
      body.append(row);
      total.value = String(number + 1);
      tools(row);
      row.querySelector("input:not([type=hidden])").focus();
    });
  }

  // --- questions that depend on an answer ---
  function depend(form) {
    const answer = (name) => {
      const field = form.querySelector(`[name="${name}"]`);
      return field ? field.value : undefined;
    };
    function hide(node, away) {
      if (node) node.hidden = away;
    }
    function refresh() {
      const whole = answer("applies_to");
      const rule = form.querySelector('[data-rows="rule"]');
      hide(rule, whole === "all");
      if (rule && whole) {
        for (const cell of rule.querySelectorAll("[data-cell], th")) {
          const name = cell.dataset.cell || "";
          const column = Array.from(cell.parentNode.children).indexOf(cell);
          const last = cell.parentNode.children.length - 1;
          cell.hidden = whole === "category" && column > 0 && column < last && name !== "target";
        }
      }
      const maximum = form.querySelector(".field-maximum");
      if (answer("discount_type") !== undefined) hide(maximum, answer("discount_type") === "fixed-amount");
      const whom = answer("eligibility");
      hide(form.querySelector('[data-rows="audience"]'), whom !== "customer");
      hide(form.querySelector(".field-segments"), whom !== "segment");
      hide(form.querySelector(".field-groups"), whom !== "group");
    }
    form.addEventListener("change", refresh);
    // the theme's select boxes tell of changes by jQuery alone
    if (window.django && window.django.jQuery) window.django.jQuery(form).on("change", refresh);
    refresh();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll("[data-rows]").forEach(rows);
    document.querySelectorAll("[data-pick]").forEach((box) => {
      if (!box.closest("template")) pick(box);
    });
    document.querySelectorAll("form").forEach((form) => {
      if (form.querySelector('[name="eligibility"], [name="applies_to"]')) depend(form);
    });
  });
})();
