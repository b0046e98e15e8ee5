// Everything that is shown comes from the log or the service, and is set as text: no name of a client becomes markup.

const WORDS = {
  allow: "let through", challenge: "put to work", step_up: "asked for a proof", throttle: "told to wait",
  deny: "denied", unreadable: "unreadable", crowded: "no room",
  succeeded: "right password", withheld: "right, waits for a proof", failed: "wrong password", unknown: "not recognised",
};
const EVERY_MS = 2000;
const WIDTH = 1000;
const HEIGHT = 176;
const FOOT = 20;

const at = (id) => document.getElementById(id);
const count = (number) => number.toLocaleString("en");
const stamp = (seconds) => new Date(seconds * 1000).toISOString();
const clock = (seconds) => stamp(seconds).slice(11, 16);
const moment = (seconds) => stamp(seconds).slice(0, 19).replace("T", " ");

// The key leaves the address bar, and with it the history.
let key = sessionStorage.getItem("key") ?? "";
if (location.hash.length > 1) {
  key = location.hash.slice(1);
  sessionStorage.setItem("key", key);
  history.replaceState(null, "", "/");
}

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function drawn(tag, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function table(heads, rows, nothing) {
  if (!rows.length) return element("p", { class: "quiet" }, nothing);
  const numbers = rows[0].map((cell) => typeof cell === "number");
  const row = (tag, cells) => element("tr", {}, ...cells.map((cell, place) => element(
    tag, numbers[place] ? { class: "number" } : {}, ...[cell].flat().map((part) => (typeof part === "number" ? count(part) : part)),
  )));
  return element("table", {}, element("thead", {}, row("th", heads)), element("tbody", {}, ...rows.map((cells) => row("td", cells))));
}

const command = (text) => element("pre", { tabindex: "0" }, element("code", {}, text));
const time = (seconds) => element("time", { datetime: stamp(seconds) }, moment(seconds));
const short = (digest) => element("code", { title: digest }, digest.slice(0, 12));

// Replaces what a place shows only where it has become another, so that a selection and the focus stay.
const shown = new Map();
function show(id, state, make) {
  const text = JSON.stringify(state);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  at(id).replaceChildren(...[make(state)].flat());
}

function chart(columns, state) {
  const words = Object.keys(columns).filter((word) => columns[word].some(Boolean));
  const length = Object.values(columns)[0].length;
  const sums = Array.from({ length }, (_, place) => words.reduce((sum, word) => sum + columns[word][place], 0));
  const top = niceTop(Math.max(1, ...sums));
  const wide = WIDTH / length;
  const high = HEIGHT - FOOT;
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": spoken(words, columns, sums) });
  for (const part of [0.5, 1]) {
    svg.append(drawn("line", { class: "grid", x1: 0, x2: WIDTH, y1: high * (1 - part) + 0.5, y2: high * (1 - part) + 0.5 }));
  }
  for (let place = 0; place < length; place += 1) {
    let from = high;
    const from_s = state.start + place * state.step;
    const title = [`${clock(from_s)} to ${clock(from_s + state.step)}`];
    const bars = words.filter((word) => columns[word][place]).map((word) => {
      const tall = (columns[word][place] / top) * high;
      from -= tall;
      title.push(`${WORDS[word]}: ${count(columns[word][place])}`);
      return drawn("rect", { class: word, x: place * wide + 0.5, y: from, width: Math.max(1, wide - 1), height: Math.max(0.5, tall) });
    });
    const whole = drawn("rect", { x: place * wide, y: 0, width: wide, height: high, fill: "transparent" });
    svg.append(drawn("g", {}, drawn("title", {}, title.join("\n")), ...bars, whole));
  }
  for (const event of state.events) svg.append(...mark(event, state, length));
  return [framed(svg, top, state, length), legend(words, columns)];
}

// What operators did, and what they have to know, stands in the chart as a line at its time.
function mark(event, state, length) {
  const x = ((event.at - state.start) / (state.step * length)) * WIDTH;
  if (x < 0 || x > WIDTH) return [];
  const text = `${clock(event.at)} ${event.kind} ${told(event)}`;
  return [drawn("rect", { class: "mark", x: x - 1, y: 0, width: 2, height: HEIGHT - FOOT }, drawn("title", {}, text))];
}

function niceTop(most) {
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((step) => step * power).find((step) => step >= most);
}

// The bars are stretched to the width of the page; letters must not be, and stand beside them.
function framed(svg, top, state, length) {
  const ends = [0, 0.25, 0.5, 0.75, 1].map((part) => element("span", {}, clock(state.start + part * length * state.step)));
  return element("div", {},
    element("div", { class: "quiet" }, `${count(top)} in ${state.step / 60} ${state.step === 60 ? "minute" : "minutes"} at the top`),
    svg, element("div", { class: "times quiet", "aria-hidden": "true" }, ...ends));
}

function spoken(words, columns, sums) {
  const total = (word) => columns[word].reduce((sum, each) => sum + each, 0);
  if (!words.length) return "No attempts";
  return `${words.map((word) => `${WORDS[word]}: ${count(total(word))}`).join(", ")}; at most ${count(Math.max(...sums))} in a column`;
}

function legend(words, columns) {
  const total = (word) => columns[word].reduce((sum, each) => sum + each, 0);
  return element("ul", { class: "legend" }, ...words.map((word) => element("li", {}, element("i", { class: word }), `${WORDS[word]} ${count(total(word))}`)));
}

function facts(state) {
  const { mode, posture, workers, asked } = state.standing;
  const found = [];
  const add = (text, kind = "") => found.push(element("li", { class: kind }, text));
  if (mode) add(`mode ${mode.mode}`, { enforce: "good", monitor: "warn", off: "bad" }[mode.mode]);
  if (posture?.forced) add(`posture forced: ${posture.forced} until ${moment(posture.until)}`, "warn");
  for (const [door, each] of Object.entries(posture?.doors ?? {})) {
    add(`${door}: ${each.posture}${each.posture === "calm" ? "" : ` since ${clock(each.since)}`}`, { calm: "good", elevated: "warn", attack: "bad" }[each.posture]);
  }
  if (workers !== undefined && workers !== null) add(workers === 1 ? "1 worker" : `${count(workers)} workers`, workers ? "" : "bad");
  if (asked) add(`${count(asked)} accounts under proof`, "warn");
  return found;
}

function problems(state) {
  const found = [];
  const add = (kind, text, ...commands) => found.push(element("div", { class: kind }, text, ...commands.map(command)));
  if (state.log.problem) add("problem", state.log.problem);
  if (state.standing.problem) add("problem", state.standing.problem);
  if (state.standing.note) add("note", `The log alone is shown. ${state.standing.note}`);
  if (state.log.done < 1) add("note", `The log is being read: ${Math.floor(state.log.done * 100)}%.`);
  else if (!state.log.newest) add("note", "The log has no event of the last day. Do the workers write to this one?");
  if (state.log.unread) add("note", `${count(state.log.unread)} lines of the log are no events.`);
  if (state.standing.mode && state.standing.mode.mode !== "enforce") {
    add("note", `The mode is ${state.standing.mode.mode}: what was decided is not carried out.`, 'sekisho mode enforce --because "…"');
  }
  for (const [door, each] of Object.entries(state.standing.posture?.doors ?? {})) {
    if (each.posture !== "calm") {
      add(each.posture === "attack" ? "problem" : "note", `${door}: strangers' passwords fail as in an attack, about ${count(each.hostile)} hostile attempts in the last hour.`, "sekisho campaigns --since 1h", "sekisho posture set attack --for 2h");
    }
  }
  for (const each of state.standing.campaigns ?? []) {
    if (each.entered.length) {
      add("problem", `Campaign ${each.name} has entered ${count(each.entered.length)} ${each.entered.length === 1 ? "account" : "accounts"}.`, `sekisho report --blast-radius ${each.name} --accounts names.txt`);
    }
  }
  return found;
}

function tiles(sums) {
  const refused = sums.throttle + sums.deny + sums.unreadable + sums.crowded;
  const attempts = refused + sums.allow + sums.challenge + sums.step_up;
  const numbers = [
    [attempts, "attempts"], [refused, "refused"], [sums.challenge, "put to work"], [sums.failed, "wrong passwords"],
    [sums.succeeded + sums.withheld, "right passwords"], [sums.step_up_issued, "asked for a proof"],
    [sums.step_up_proved, "proofs shown"], [sums.step_up_failed, "wrong proofs"],
  ];
  return numbers.map(([number, of]) => element("li", {}, element("strong", {}, count(number)), element("span", {}, of)));
}

const unknown = () => element("p", { class: "quiet" }, "Not known: the service is not read.");

function campaigns({ campaigns: live }) {
  if (live === undefined) return unknown();
  if (live === null) return element("p", { class: "quiet" }, "The workers look for none: SEKISHO_CAMPAIGNS=on.");
  return table(["Name", "Since", "Attempts", "Accounts", "Entered"],
    live.map((each) => [each.name, time(each.first), each.attempts, each.accounts, each.entered.length]), "None.");
}

function lists({ deny, allow }) {
  if (!deny || !allow) return unknown();
  const rows = (list, name) => [
    ...list.settings.map((network) => [name, network, `always, by SEKISHO_${name.toUpperCase()}`]),
    ...list.listed.map((each) => [name, each.network, `until ${moment(each.until)}${each.by ? `, by ${each.by}` : ""}${each.why ? `: ${each.why}` : ""}`]),
  ];
  return table(["List", "Network", "For how long"], [...rows(deny, "deny"), ...rows(allow, "allow")], "Both lists are empty.");
}

function told(event) {
  const details = event.details.map(([name, value]) => `${name}=${["account", "address"].includes(name) ? value.slice(0, 12) : value}`);
  return [event.door, ...event.reasons, ...details, event.times > 1 ? `times=${event.times}` : ""].filter(Boolean).join(" ");
}

function events(found, nothing) {
  return table(["Time", "Event", "Details"], found.map((each) => [time(each.at), each.kind, told(each)]), nothing);
}

function render(state) {
  at("name").textContent = state.name;
  show("facts", { standing: state.standing }, facts);
  show("problems", { standing: state.standing, log: { ...state.log, newest: Boolean(state.log.newest) } }, problems);
  show("tiles", state.sums, tiles);
  const span = { start: state.start, step: state.step };
  show("decided", [state.decided, span, state.events], ([columns]) => chart(columns, { ...span, events: state.events }));
  show("answered", [state.answered, span], ([columns]) => chart(columns, { ...span, events: [] }));
  show("reasons", state.reasons, (rows) => table(["Reason", "Attempts"], rows, "None."));
  show("networks", state.networks, (rows) => [table(["Network", "At least"], rows, "None, or the log has no networks: SEKISHO_AUDIT_ADDRESS=prefix."), ...(rows.length ? [command("sekisho deny NETWORK --for 1h")] : [])]);
  show("accounts", state.accounts, (rows) => table(["Digest", "At least"], rows.map(([name, hostile]) => [short(name), hostile]), "None."));
  show("campaigns", { campaigns: state.standing.campaigns }, campaigns);
  show("lists", { deny: state.standing.deny, allow: state.standing.allow }, lists);
  show("events", state.events, (found) => events(found, "Nothing."));
  doors(state.doors);
}

function doors(found) {
  const chooser = at("door");
  const names = ["", ...found.map(([name]) => name).filter(Boolean)];
  if (JSON.stringify(names) === JSON.stringify([...chooser.options].map((option) => option.value))) return;
  const chosen = chooser.value;
  chooser.replaceChildren(...names.map((name) => element("option", { value: name }, name || "all doors")));
  chooser.value = names.includes(chosen) ? chosen : "";
}

function fault(text) {
  show("problems", text, (said) => element("div", { class: "problem" }, said));
}

const headers = () => ({ authorization: `Bearer ${key}` });

async function refresh() {
  const chosen = new URLSearchParams({ span: document.querySelector("[name=span]:checked").value, door: at("door").value });
  try {
    const answer = await fetch(`/state?${chosen}`, { headers: headers() });
    if (answer.status === 401) return fault("Open the address that the command has printed: this page has no key, or that of an earlier run.");
    render(await answer.json());
  } catch {
    fault("The console does not answer: has the command ended?");
  }
}

async function find(event) {
  event.preventDefault();
  const asked = { kind: at("kind").value, value: at("value").value };
  try {
    const answer = await fetch("/look", { method: "POST", headers: { ...headers(), "content-type": "application/json" }, body: JSON.stringify(asked) });
    show("found", [await answer.json(), Date.now()], ([found]) => standing(found));
  } catch {
    show("found", Date.now(), () => element("p", { class: "problem" }, "The console does not answer: has the command ended?"));
  }
}

function reason(each) {
  return element("li", {}, each.text, ...(each.ends ? [element("br"), `Ends it: ${each.ends}`] : []));
}

function standing(found) {
  if (found.problem) return element("p", { class: "problem" }, found.problem);
  const uses = found.counters.flatMap((counter) => counter.limits.map((use) => [counter.of, `${use.used} of ${use.burst} in ${use.period_s} s`]));
  return [
    element("p", {}, found.refused ? "Refused now:" : found.why.length ? "Not refused, but:" : "Not refused."),
    ...(found.why.length ? [element("ul", {}, ...found.why.map(reason))] : []),
    ...(found.proxy ? [element("p", {}, found.proxy)] : []),
    table(["Failed attempts", "Used"], uses, "No counter."),
    element("h3", {}, "Newest events"),
    events(found.events, "None among the newest that were read."),
  ];
}

at("find").addEventListener("submit", find);
at("door").addEventListener("change", refresh);
at("spans").addEventListener("change", refresh);
document.addEventListener("visibilitychange", () => document.hidden || refresh());
setInterval(() => document.hidden || refresh(), EVERY_MS);
refresh();
