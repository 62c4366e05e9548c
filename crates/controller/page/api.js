// The controller's REST interface, as this page uses it.

const LIMIT = 10_000; // ms; above the controller's own limit for a process.
let token = sessionStorage.getItem("spp.token");

/** Sends this token from now on. */
export function useToken(value) {
  token = value;
  sessionStorage.setItem("spp.token", value);
}

function headers(accept) {
  const all = { Accept: accept };
  if (token) all.Authorization = `Bearer ${token}`;
  return all;
}

/** A request; gives the JSON of the answer. Failures carry the controller's words. */
export async function call(method, path, body) {
  const options = {
    method,
    headers: headers("application/json, application/problem+json"),
    signal: AbortSignal.timeout(LIMIT),
    cache: "no-store",
  };
  if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  let response;
  let text;
  try {
    response = await fetch(path, options);
    text = await response.text();
  } catch (error) {
    throw new Error(error.name === "TimeoutError"
      ? `the controller did not answer within ${LIMIT / 1000} s`
      : "the controller cannot be reached; this page goes on when it is back");
  }
  if (!response.ok) throw new Error(reason(response.status, text));
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`the controller's answer for ${path} is not JSON`);
  }
}

function reason(status, text) {
  let words = text.trim();
  try {
    words = JSON.parse(text).detail ?? words;
  } catch {
    // Plain text.
  }
  if (status === 401) {
    return `${words || "the controller wants a token"}: add #token=… to this page's address`;
  }
  return words || `the controller answered with status ${status} and gave no reason`;
}

/** Calls `tell` whenever something changes, as long as the controller says so. */
export async function follow(tell) {
  try {
    const response = await fetch("/v1/events", { headers: headers("text/event-stream") });
    const kind = response.headers.get("content-type") ?? "";
    if (!response.ok || !kind.startsWith("text/event-stream")) return;
    const reader = response.body.getReader();
    while (!(await reader.read()).done) tell();
  } catch {
    // The page asks each second anyway.
  }
}
