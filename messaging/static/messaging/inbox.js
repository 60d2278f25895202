/* Renews the inbox while somebody looks at it, and leaves it alone while they select text. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("inbox");
  if (!box) return;
  let last = "";

  async function renew() {
    if (document.hidden || String(window.getSelection())) return;
    try {
      const answer = await fetch(box.dataset.address, { credentials: "same-origin", redirect: "error" });
      if (!answer.ok) return;
      const text = await answer.text();
      if (text !== last) box.innerHTML = last = text;
    } catch {
      // The server restarts, or the sign-in has ended: the next round will tell.
    }
  }

  renew();
  setInterval(renew, Number(box.dataset.seconds) * 1000);
});
