/**
 * Talks to doors that sekisho guards: pays the work they ask for, shows the factor, and gives the application's answer.
 *
 * No dependencies. Needs a secure context (https or localhost), as WebCrypto and passkeys do.
 */

const ROUNDS_MAX = 6; // work, step-up, proof, and each once more; whoever asks for longer will not be satisfied
const AT_ONCE = 16; // derivations under way: enough to keep every thread of the browser's pool busy
const JSON_TYPE = "application/json";
const STEP_UPS = ["step_up_required", "contact_required"]; // of an owner; of the address of a sign-up

/**
 * @typedef {object} StepUp What there is to choose from; the same for every account.
 * @property {string[]} factors In the site's order of preference.
 * @property {number} expiresIn Seconds.
 * @property {(more?: {mediation?: "conditional", signal?: AbortSignal}) => Promise<boolean>} passkey Asks for a passkey.
 *   Call it from a click: some browsers insist. With `mediation: "conditional"` call it at once: see `getPasskey`.
 * @property {(factor: string, code: string) => Promise<boolean>} code False: wrong, try again.
 * @property {(factor: string) => Promise<void>} send If the password was right, a code is on its way.
 * @property {() => void} startAgain Sends the first request anew, for a new step-up.
 * @property {(reason?: unknown) => void} giveUp `send` rejects with this.
 *
 * @typedef {object} Options
 * @property {(stepUp: StepUp) => void} [onStepUp] Shows the choice. Without it `send` returns the refusal.
 * @property {(done: number) => void} [onWork] 0 to 1, while work is being done.
 * @property {(asked: {provider: string, sitekey: string}) => Promise<string>} [onCaptcha] Gives the widget's token.
 * @property {{read: () => string | null, write: (text: string) => void}} [holder] For apps without cookies: keeps the
 *   header that takes the cookie's place. Never in a browser, where any script of the page could read it.
 */

/**
 * `fetch`, through every question that a guarded door may ask.
 *
 * Resolves with the application's own answer, or with a refusal that nothing can be done about (410: start again).
 *
 * @param {RequestInfo | URL} input
 * @param {RequestInit} [init]
 * @param {Options} [options]
 * @returns {Promise<Response>}
 */
export async function send(input, init = {}, options = {}) {
  const request = new Request(input, init);
  if (!request.headers.has("accept")) request.headers.set("accept", JSON_TYPE);
  let more = {};
  for (let round = 1; ; round += 1) {
    const response = await attempt(request.clone(), more, options);
    const asked = round < ROUNDS_MAX && response.status === 401 ? await read(response) : {};
    if (asked.code === "challenge_required" && payable(asked, options)) {
      more = { ...more, ...(await pay(asked, options)) };
    } else if (STEP_UPS.includes(asked.code) && options.onStepUp) {
      const shown = await stepUp(asked, response.url || request.url, options);
      if (shown.response) return shown.response;
      more = shown.more;
    } else {
      return response;
    }
  }
}

/**
 * Finds the counter that a puzzle asks for.
 *
 * The browser computes in threads of its own, so that the page stays awake without workers.
 *
 * @param {{parameters: Record<string, any>, signature: string}} challenge
 * @param {(done: number) => void} [onWork] How likely it was to be done by now, 0 to 1: nobody knows how long it takes.
 * @returns {Promise<string>} What goes into the field `work`, or the header `Sekisho-Work`.
 */
export async function solve(challenge, onWork = () => {}) {
  const { algorithm, nonce, salt, cost, keyLength, keyPrefix } = challenge.parameters;
  if (algorithm !== "PBKDF2/SHA-256") throw new Error(`unknown work: ${algorithm}`);
  const began = Date.now();
  const puzzle = { nonce: fromHex(nonce), salt: fromHex(salt), cost, bits: keyLength * 8 };
  const expected = 16 ** keyPrefix.length;
  let next = 0;
  let found = null;
  const run = async () => {
    while (!found) {
      const counter = next++;
      const derivedKey = await derive(puzzle, counter);
      if (!found && derivedKey.startsWith(keyPrefix)) found = { counter, derivedKey, time: Date.now() - began };
      if (counter % AT_ONCE === 0) onWork(1 - Math.exp(-counter / expected));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, run));
  onWork(1);
  return btoa(JSON.stringify({ challenge, solution: found }));
}

/**
 * Asks for a passkey.
 *
 * @param {object} publicKey PublicKeyCredentialRequestOptionsJSON
 * @param {{mediation?: "conditional", signal?: AbortSignal}} [more] `conditional`: offers it in fields that have
 *   `autocomplete="… webauthn"`, and waits until it is chosen there.
 * @returns {Promise<object>} As `PublicKeyCredential.toJSON()`.
 */
export async function getPasskey(publicKey, more = {}) {
  const parse = PublicKeyCredential.parseRequestOptionsFromJSON?.bind(PublicKeyCredential) ?? parsed;
  return toJSON(await navigator.credentials.get({ ...more, publicKey: parse(publicKey) }));
}

/**
 * Makes a passkey.
 *
 * @param {object} publicKey PublicKeyCredentialCreationOptionsJSON
 * @returns {Promise<object>} As `PublicKeyCredential.toJSON()`.
 */
export async function makePasskey(publicKey) {
  const parse = PublicKeyCredential.parseCreationOptionsFromJSON?.bind(PublicKeyCredential) ?? parsed;
  return toJSON(await navigator.credentials.create({ publicKey: parse(publicKey) }));
}

async function attempt(request, more, { holder }) {
  for (const [name, value] of Object.entries(more)) request.headers.set(name, value);
  if (holder) request.headers.set("Sekisho-Challenge", holder.read() ?? "new");
  const response = await fetch(request);
  const kept = response.headers.get("Sekisho-Challenge");
  if (holder && kept) holder.write(kept);
  return response;
}

function payable(asked, options) {
  return (asked.work || asked.captcha) && (!asked.captcha || options.onCaptcha);
}

async function pay(asked, options) {
  const paid = {};
  if (asked.work) paid["Sekisho-Work"] = await solve(asked.work, options.onWork);
  if (asked.captcha) paid["Sekisho-Captcha"] = await options.onCaptcha(asked.captcha);
  return paid;
}

function stepUp(asked, base, options) {
  const url = new URL(asked.step_up, base);
  if (url.origin !== new URL(base).origin) throw new Error("a step-up stays where it was asked for");
  const post = (path, fields) =>
    attempt(
      new Request(url + path, {
        method: "POST",
        headers: { accept: JSON_TYPE, "content-type": JSON_TYPE },
        body: JSON.stringify({ challenge: asked.challenge, ...fields }),
        credentials: options.holder ? "omit" : "include",
      }),
      {},
      options,
    );
  return new Promise((resolve, reject) => {
    const show = async (fields) => {
      const response = await post("", fields);
      const answer = await read(response);
      if (response.status === 401 && answer.code === "proof_failed") return false;
      // The ticket is still good: whoever calls may try again, or give up.
      if (response.status === 503 && answer.code === "unavailable") throw new Error("unavailable");
      resolve(isProof(response, answer) ? { more: { "Sekisho-Proof": answer.proof } } : { response });
      return response.status !== 410;
    };
    options.onStepUp({
      factors: asked.factors,
      expiresIn: asked.expires_in,
      passkey: async (more) => {
        const response = await post("/options", {});
        if (response.status === 410) return resolve({ response }), false;
        if (!response.ok) throw new Error("unavailable");
        const { publicKey } = await response.json();
        return show({ factor: "webauthn", credential: await getPasskey(publicKey, more) });
      },
      code: (factor, code) => show({ factor, code }),
      send: async (factor) => void (await post("/send", { factor })),
      startAgain: () => resolve({ more: {} }),
      giveUp: (reason = new DOMException("given up", "AbortError")) => reject(reason),
    });
  });
}

// At doors that read a password the answer is the application's own, whatever it looks like; elsewhere it is a proof,
// for the request to be repeated with. It has these two members and no other.
function isProof(response, answer) {
  const members = Object.keys(answer).sort().join();
  return response.status === 200 && members === "expires_in,proof" && typeof answer.proof === "string";
}

async function read(response) {
  try {
    const answer = await response.clone().json();
    return answer && typeof answer === "object" ? answer : {};
  } catch {
    return {};
  }
}

async function derive({ nonce, salt, cost, bits }, counter) {
  const tried = new Uint8Array(nonce.length + 4);
  tried.set(nonce);
  new DataView(tried.buffer).setUint32(nonce.length, counter);
  const key = await crypto.subtle.importKey("raw", tried, "PBKDF2", false, ["deriveBits"]);
  const derived = await crypto.subtle.deriveBits({ name: "PBKDF2", hash: "SHA-256", salt, iterations: cost }, key, bits);
  return Array.from(new Uint8Array(derived), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(text) {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

// What follows is for browsers from before 2025, which pass passkeys as bytes alone.

function parsed(options) {
  const described = (list) => list?.map((one) => ({ ...one, id: fromBase64url(one.id) }));
  const read = { ...options, challenge: fromBase64url(options.challenge) };
  if (options.user) read.user = { ...options.user, id: fromBase64url(options.user.id) };
  if (options.allowCredentials) read.allowCredentials = described(options.allowCredentials);
  if (options.excludeCredentials) read.excludeCredentials = described(options.excludeCredentials);
  return read;
}

function toJSON(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { id, type, rawId, response, authenticatorAttachment } = credential;
  const members = {};
  for (const name of ["clientDataJSON", "authenticatorData", "signature", "userHandle", "attestationObject"]) {
    if (response[name]) members[name] = toBase64url(response[name]);
  }
  if (response.getTransports) members.transports = response.getTransports();
  const extensions = credential.getClientExtensionResults();
  return { id, type, rawId: toBase64url(rawId), authenticatorAttachment, clientExtensionResults: extensions, response: members };
}

function fromBase64url(text) {
  return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
}

function toBase64url(bytes) {
  const text = Array.from(new Uint8Array(bytes), (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
