// The page also works without this script, by plain forms. With it, keys answer, and an answer
// replaces only the changed part, so that screen readers announce it and the focus stays.
"use strict";

const announcement = document.getElementById("announcement");
const keys = document.getElementById("keys");
const STORED_AS = "bench label: keys";
let busy = false;

document.documentElement.classList.add("scripted");
keys.checked = localStorage.getItem(STORED_AS) !== "off";
keys.addEventListener("change", () => {
  localStorage.setItem(STORED_AS, keys.checked ? "on" : "off");
  showKeys();
});
showKeys();

function showKeys() {
  document.documentElement.classList.toggle("keyed", keys.checked);
}

function showFault(text) {
  const main = document.querySelector("main");
  main.querySelector(".fault")?.remove();
  const fault = document.createElement("p");
  fault.className = "fault";
  fault.setAttribute("role", "alert");
  main.prepend(fault);
  fault.textContent = text; // set after insertion, because screen readers announce only changes
}

async function send(form, button) {
  const body = new URLSearchParams(new FormData(form));
  if (button?.name) body.set(button.name, button.value);
  let response;
  try {
    response = await fetch(form.action, { method: "POST", body });
  } catch {
    showFault("bench label does not respond: it has ended, and this answer was not saved.");
    return;
  }
  if (!response.headers.get("Content-Type")?.startsWith("text/html")) {
    showFault("Not saved. Open the address that bench label printed last.");
    return;
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  await replace(page);
}

async function replace(page) {
  const before = document.querySelector("main");
  const after = page.querySelector("main");
  const hadFocus = before.contains(document.activeElement);
  const focusedId = document.activeElement?.id;
  before.replaceWith(after);
  document.title = page.title;
  announcement.textContent = after.dataset.announcement;
  if (hadFocus) {
    const focused = focusedId && document.getElementById(focusedId);
    (focused && !focused.disabled ? focused : after).focus({ preventScroll: true });
  }
  // Ignore keys until the pictures are visible, because nobody can have inspected them before.
  await Promise.all([...after.querySelectorAll("img")].map((img) => img.decode().catch(() => {})));
}

document.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (busy) return;
  busy = true;
  document.documentElement.classList.add("busy");
  try {
    await send(event.target, event.submitter);
  } finally {
    busy = false;
    document.documentElement.classList.remove("busy");
  }
});

document.addEventListener("keydown", (event) => {
  const modified = event.ctrlKey || event.altKey || event.metaKey || event.isComposing;
  if (modified || event.repeat || !keys.checked) return;
  const key = event.key.toLowerCase();
  const typing = event.target.matches("input[type=text]");
  if (typing && !(key === "backspace" && event.target.value === "")) return;
  const audio = document.querySelector("audio");
  if (key === "p" && audio) {
    audio.currentTime = 0;
    audio.play();
    return;
  }
  const button = document.querySelector(`main [data-key="${CSS.escape(key)}"]`);
  if (!button || button.disabled) return;
  event.preventDefault();
  button.click();
});
