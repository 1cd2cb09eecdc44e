// Without this file the page works by plain forms. With it, keys answer, and an answer replaces
// only what changed, so that screen readers hear the news and the focus stays where it is.
"use strict";

const heard = document.getElementById("heard");
const keys = document.getElementById("keys");
const KEPT = "bench label: keys";
let busy = false;

document.documentElement.classList.add("scripted");
keys.checked = localStorage.getItem(KEPT) !== "off";
keys.addEventListener("change", () => {
  localStorage.setItem(KEPT, keys.checked ? "on" : "off");
  show();
});
show();

function show() {
  document.documentElement.classList.toggle("keyed", keys.checked);
}

function complain(text) {
  const main = document.querySelector("main");
  main.querySelector(".fault")?.remove();
  const fault = document.createElement("p");
  fault.className = "fault";
  fault.setAttribute("role", "alert");
  main.prepend(fault);
  fault.textContent = text; // after it is in the page: only changes are read out
}

async function send(form, button) {
  const body = new URLSearchParams(new FormData(form));
  if (button?.name) body.set(button.name, button.value);
  let response;
  try {
    response = await fetch(form.action, { method: "POST", body });
  } catch {
    complain("No answer from bench label: it has ended, and this was not kept.");
    return;
  }
  if (!response.headers.get("Content-Type")?.startsWith("text/html")) {
    complain("Not kept. Open the address that bench label printed last.");
    return;
  }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  await replace(page);
}

async function replace(page) {
  const before = document.querySelector("main");
  const after = page.querySelector("main");
  const within = before.contains(document.activeElement);
  const focused = document.activeElement?.id;
  before.replaceWith(after);
  document.title = page.title;
  heard.textContent = after.dataset.heard;
  if (within) {
    const again = focused && document.getElementById(focused);
    (again && !again.disabled ? again : after).focus({ preventScroll: true });
  }
  // Nobody can have seen a picture that is not there yet: no key counts before.
  await Promise.all([...after.querySelectorAll("img")].map((each) => each.decode().catch(() => {})));
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
