import { getPasskey, makePasskey, solve } from "./sekisho.js";

const alertOf = (form) => form.querySelector("[role=alert]");

// What to ask the browser for; null if the step is over: the form's own answer says so then, and what to do.
async function ask(form) {
  const fields = Object.fromEntries(new FormData(form));
  const asked = await fetch(form.dataset.options, {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/json" },
    body: JSON.stringify(fields.token ? { token: fields.token } : { challenge: fields.challenge }),
  });
  if (asked.status === 410) return null;
  if (!asked.ok) throw new Error("no options");
  return asked.json();
}

async function passkey(form) {
  const asked = await (offered ? takeBack() : ask(form));
  if (!asked) return;
  const { publicKey, state } = asked;
  fill(form, await (form.dataset.passkey === "make" ? makePasskey : getPasskey)(publicKey));
  if (state) form.elements.namedItem("state").value = state;
}

function fill(form, credential) {
  form.elements.namedItem("credential").value = JSON.stringify(credential);
}

// A passkey is also offered among what the browser fills into the field of a code. The page cannot know who has one, and
// to those who have none a dialog would only say so.
let offered = null;

async function offer(form) {
  const stop = new AbortController();
  offered = { asked: ask(form), stop };
  try {
    const asked = await offered.asked;
    if (!asked) return;
    fill(form, await getPasskey(asked.publicKey, { mediation: "conditional", signal: stop.signal }));
    form.submit();
  } catch {
    // Turned down, or taken back by the button, which then asks in its own words.
  }
}

// The same options again: of several, only the last are accepted.
function takeBack() {
  const { asked, stop } = offered;
  offered = null;
  stop.abort();
  return asked;
}

for (const form of document.querySelectorAll("form[data-passkey]")) {
  const button = form.querySelector("button");
  if (!window.PublicKeyCredential) {
    alertOf(form).textContent = form.dataset.unable;
    continue;
  }
  button.hidden = false;
  // The return key in a text field would send the form without its passkey.
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    button.click();
  });
  button.addEventListener("click", async () => {
    alertOf(form).textContent = "";
    button.disabled = true;
    try {
      await passkey(form);
      form.submit(); // a plain navigation, so that cookies and redirects are the browser's business
    } catch {
      alertOf(form).textContent = form.dataset.failed;
    } finally {
      button.disabled = false;
    }
  });
  if (form.dataset.passkey === "get") {
    PublicKeyCredential.isConditionalMediationAvailable?.().then((can) => can && offer(form), () => {});
  }
}

// The owner's page: passkeys that were removed here disappear from the browser's own list too.
const listed = document.querySelector("[data-signal]");
if (listed && window.PublicKeyCredential?.signalAllAcceptedCredentials) {
  PublicKeyCredential.signalAllAcceptedCredentials(JSON.parse(listed.dataset.signal)).catch(() => {});
}

// A second click would show the same code once more. Buttons are switched off after the form has left: one that is off
// before it would keep the form from leaving at all.
for (const form of document.querySelectorAll("form:not([data-passkey])")) {
  form.addEventListener("submit", () => {
    setTimeout(() => form.querySelectorAll("button").forEach((button) => (button.disabled = true)));
  });
}
// Back from the next page, as it was left: people come back to try again.
window.addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});

// The token of a link from a message: it leaves the address bar, so that no history and no shared screen keeps it.
const question = document.querySelector("form[data-fragment]");
if (question && location.hash.length > 1) {
  question.elements.namedItem("token").value = location.hash.slice(1);
  question.querySelector("[data-typed]").hidden = true;
  history.replaceState(null, "", location.pathname);
}

// Back from the identity provider: the code leaves the address bar as well, and goes on at once.
const returned = document.querySelector("form[data-returned]");
if (returned) {
  history.replaceState(null, "", location.pathname);
  returned.submit();
}

const form = document.querySelector("form[data-captcha]");
if (form) {
  const button = form.querySelector("button");
  if (button) button.hidden = false;
  if (form.dataset.work) {
    const bar = form.querySelector("progress");
    try {
      const work = await solve(JSON.parse(form.dataset.work), (done) => (bar.value = done));
      form.elements.namedItem("work").value = work;
      form.querySelector("[role=status]").textContent = form.dataset.done;
      if (button) button.disabled = false;
      else form.submit();
    } catch {
      // Browsers compute nothing, and keep none of our cookies, for a page that came over http.
      alertOf(form).textContent = isSecureContext ? form.dataset.failed : form.dataset.insecure;
    }
  }
}
