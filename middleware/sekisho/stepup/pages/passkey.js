/**
 * Lets a log-in form begin with a passkey: among the names that the browser fills in (conditional UI), and by a button.
 *
 *   <input name="username" autocomplete="username webauthn">
 *   <form method="post" action="/login/passkey" data-sekisho-passkey hidden>
 *     <input type="hidden" name="credential"><button>Log in with a passkey</button><p role="alert" hidden>…</p>
 *   </form>
 *   <script type="module" src="/sekisho/passkey.js"></script>
 *
 * The form stays hidden where the browser has no passkeys, and where this script is not served.
 */
import { getPasskey } from "./sekisho.js";

const OFFER_MS = 480_000; // the options are good for ten minutes; a page that is open for longer gets others
const RENEW = "other options";

const form = document.querySelector("form[data-sekisho-passkey]");
let offered = null; // stops the offer under way: a browser answers one request at a time

async function ask(more) {
  const headers = { accept: "application/json" };
  const options = await fetch(new URL("passkey/options", import.meta.url), { method: "POST", headers, credentials: "include" });
  if (!options.ok) throw new Error("no options");
  const credential = await getPasskey((await options.json()).publicKey, more);
  form.elements.namedItem("credential").value = JSON.stringify(credential);
  form.submit(); // a plain navigation, so that cookies and redirects are the browser's business
}

async function offer() {
  if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  let stop;
  do {
    stop = offered = new AbortController();
    const renewing = setTimeout(() => stop.abort(RENEW), OFFER_MS);
    try {
      await ask({ mediation: "conditional", signal: stop.signal });
    } catch {
      // Turned down, replaced by other options, or taken back by the button.
    }
    clearTimeout(renewing);
  } while (stop.signal.reason === RENEW);
}

async function byButton() {
  const alert = form.querySelector("[role=alert]");
  if (alert) alert.hidden = true;
  offered?.abort();
  try {
    await ask({});
  } catch {
    if (alert) alert.hidden = false;
    void offer();
  }
}

if (form && window.PublicKeyCredential) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void byButton();
  });
  // Back from the next page, as it was left: what was shown there is used up.
  window.addEventListener("pageshow", (event) => event.persisted && offer());
  void offer();
}
